"""Train a detector of synthetic voices: what is done to windows of sound."""
