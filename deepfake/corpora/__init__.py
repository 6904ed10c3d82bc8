"""Corpora of known layouts become manifest rows: one row a file, labelled, not yet hashed."""

from deepfake.corpora.contradictions import check_contradictions
from deepfake.corpora.scanning import LAYOUTS, scan_corpus, scan_media

__all__ = ["LAYOUTS", "check_contradictions", "scan_corpus", "scan_media"]
