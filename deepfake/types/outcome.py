"""The outcome of one step for one file, and the ground truth of a file."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

__all__ = ["EXPECTED_STATUSES", "TRANSIENT_STATUSES", "Label", "Outcome", "Split", "Status"]


class Label(StrEnum):
    """The ground truth of a file; unknown is None, never a third member."""

    REAL = "real"
    FAKE = "fake"


class Split(StrEnum):
    """The split of a corpus that a group of media belongs to."""

    TRAIN = "train"
    VAL = "val"
    TEST = "test"


class Status(StrEnum):
    """The outcome of processing a file; every file has exactly one."""

    OK = "ok"
    NO_FACE = "no_face"
    NO_PICTURE = "no_picture"
    NO_SPEECH = "no_speech"
    EMPTY = "empty"
    UNSUPPORTED = "unsupported"
    DECODE_ERROR = "decode_error"
    TOO_LARGE = "too_large"
    TIMEOUT = "timeout"
    CRASHED = "crashed"
    OUT_OF_MEMORY = "out_of_memory"
    UNREADABLE = "unreadable"
    MISSING = "missing"
    VANISHED = "vanished"
    ERROR = "error"


EXPECTED_STATUSES = frozenset(
    {Status.OK, Status.NO_FACE, Status.NO_PICTURE, Status.NO_SPEECH, Status.MISSING}
)
"""Statuses that leave the exit code at 0."""

TRANSIENT_STATUSES = frozenset(
    {Status.TIMEOUT, Status.CRASHED, Status.OUT_OF_MEMORY, Status.VANISHED, Status.ERROR}
)
"""Statuses that may change in another run or with wider limits."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one step for one file; every file gets one.

    Attributes:
        uri: Absolute path or store URI of the file.
        media_id: SHA-256 of its bytes; None where they cannot be read.
        status: See `Status`.
        error_type: Name of the error class, None without an error.
        message: One sentence for a person, None if there is nothing to say.
        is_partial: Whether fewer frames were read than requested, or the video is cut off.
        frames_wanted: Frames requested.
        frames_read: Frames decoded.
        num_faces: Faces kept, over all frames.
        num_windows: Windows of speech kept.
        speech_seconds: Speech found in its sound.
        seconds: Wall time.
        details: Further columns from probing, by name.
    """

    uri: str
    media_id: str | None
    status: Status
    error_type: str | None = None
    message: str | None = None
    is_partial: bool = False
    frames_wanted: int | None = None
    frames_read: int | None = None
    num_faces: int | None = None
    num_windows: int | None = None
    speech_seconds: float | None = None
    seconds: float | None = None
    details: dict[str, Any] = field(default_factory=dict)
