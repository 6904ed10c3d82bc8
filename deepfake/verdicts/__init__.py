"""From the logits of crops to the probability and the verdict of a file. Arithmetic only."""
