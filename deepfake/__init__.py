"""Find deepfakes in pictures and videos: corpora to face crops, crops to detectors, folders to scores."""

__all__ = ["__version__"]

__version__ = "0.1.0"
