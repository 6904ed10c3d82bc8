"""What people read for a verdict.

In tables a verdict is a value, such as `real`. To a person that word would promise more than a
detector can know: it has looked for signs of the forgeries that it learnt, and found none.
"""

from __future__ import annotations

from collections.abc import Mapping

from deepfake.types import SyncVerdict, Verdict

__all__ = ["MODALITY_WORDS", "SYNC_WORDS", "VERDICT_WORDS"]

VERDICT_WORDS: Mapping[str, str] = {
    str(Verdict.REAL): "no sign found",
    str(Verdict.FAKE): "fake",
    str(Verdict.UNCERTAIN): "uncertain",
    str(Verdict.NOT_APPLICABLE): "not judged",
}
"""Verdict -> the words for it, in small letters."""

SYNC_WORDS: Mapping[str, str] = {
    str(SyncVerdict.MISMATCH): "mismatch",
    str(SyncVerdict.NO_MISMATCH): "no mismatch found",
    str(SyncVerdict.NOT_APPLICABLE): "not judged",
}
"""The same for lips and sound; that they fit is no sign of a real file."""

MODALITY_WORDS: Mapping[str, str] = {
    "faces": "faces",
    "voice": "voice",
    "sync": "lips and sound",
}
"""Modality -> what it is called beside a verdict."""
