"""Measure a detector of voices on the labelled files of a corpus."""
