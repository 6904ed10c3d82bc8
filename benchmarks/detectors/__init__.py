"""What detectors are worth: the numbers and tables of the model card."""
