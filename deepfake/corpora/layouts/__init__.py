"""Scan corpora of known layouts into manifest rows: one row a file, with labels, not hashed."""

from typing import TYPE_CHECKING

from deepfake import lazy_exports

if TYPE_CHECKING:
    from deepfake.corpora.layouts.contradictions import check_contradictions
    from deepfake.corpora.layouts.recognise import layout_hint, recognise_layout
    from deepfake.corpora.layouts.scan import LAYOUTS, check_modality, scan_corpus, scan_media
    from deepfake.corpora.layouts.stream import MediaFilter, stream_media
    from deepfake.corpora.layouts.walk import describe_folder
else:
    __getattr__ = lazy_exports(__name__, __file__)

__all__ = [
    "LAYOUTS",
    "MediaFilter",
    "check_contradictions",
    "check_modality",
    "describe_folder",
    "layout_hint",
    "recognise_layout",
    "scan_corpus",
    "scan_media",
    "stream_media",
]
