"""Detectors: bundles on disk, network architectures, and inference from crops to logits."""
