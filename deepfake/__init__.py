"""Find deepfakes in pictures and videos, from labelled corpora to scored folders."""

__all__ = ["__version__"]

__version__ = "0.1.0"
