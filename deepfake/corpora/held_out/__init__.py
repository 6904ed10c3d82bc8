"""Held-out sets: files of a corpus that decide about detectors and are never trained on.

A held-out set is a name for the labelled files of one snapshot. It never changes, its media are
refused in training and calibration, and each detector measured on it is recorded: the more
detectors are compared on one set, the less a difference means.
"""

from typing import TYPE_CHECKING

from deepfake import lazy_exports

if TYPE_CHECKING:
    from deepfake.corpora.held_out.guard import held_out_sets_in, reject_held_out_media
    from deepfake.corpora.held_out.sets import (
        HeldOutData,
        HeldOutSet,
        freeze_held_out_set,
        list_held_out_sets,
        open_held_out_set,
        read_held_out_set,
    )
    from deepfake.corpora.held_out.usage import count_uses, record_use, record_uses
else:
    __getattr__ = lazy_exports(__name__, __file__)

__all__ = [
    "HeldOutData",
    "HeldOutSet",
    "count_uses",
    "freeze_held_out_set",
    "held_out_sets_in",
    "list_held_out_sets",
    "open_held_out_set",
    "read_held_out_set",
    "record_use",
    "record_uses",
    "reject_held_out_media",
]
