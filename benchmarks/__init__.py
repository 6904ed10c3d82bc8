"""What the pipeline costs, beside decoding alone and beside what a user would write today."""
