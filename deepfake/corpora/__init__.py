"""Corpora of known layouts become manifest rows: one row a file, labelled, not yet hashed."""

from deepfake.corpora.contradictions import check_contradictions
from deepfake.corpora.scanning import LAYOUTS, scan_corpus, scan_media
from deepfake.corpora.streaming import MediaFilter, stream_media
from deepfake.corpora.walking import describe_folder

__all__ = [
    "LAYOUTS",
    "MediaFilter",
    "check_contradictions",
    "describe_folder",
    "scan_corpus",
    "scan_media",
    "stream_media",
]
