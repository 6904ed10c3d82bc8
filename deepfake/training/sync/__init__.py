"""Train a detector of lips that do not say the words."""
