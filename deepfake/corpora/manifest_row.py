"""The row of a manifest: one file of a corpus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from deepfake.types import Kind, Label, Split, Status

__all__ = ["LATER_COLUMNS", "Intervals", "ManifestRow", "interval_records"]

Intervals: TypeAlias = tuple[tuple[float, float], ...]
"""Begin and end of each, seconds."""

LATER_COLUMNS = frozenset({"fake_intervals"})
"""Columns that manifests written by earlier versions lack; they are read as null."""


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """One file of a corpus.

    Attributes:
        uri: Absolute POSIX path or store URI; the key.
        corpus: Name of the corpus.
        media_id: SHA-256 of the bytes; None if they cannot be read.
        kind: Image, video, or None if the file is neither or unknown.
        size_bytes: Size on disk.
        mtime_ns: Time of the last change.
        label: Real, fake, or None for unknown.
        method: How a fake was made; `original` for reals of corpora that name methods.
        source_id: Person whose face was inserted.
        target_id: Person in the original video.
        original: Name of the recording that a fake was made from, in the corpus's own terms; for a
            real its own name. None if unknown.
        identity: Person shown, if the corpus gives it.
        group: Media of one group stay in one split; None means the medium alone.
        compression: The corpus's own name for it, such as `c23`.
        split: The corpus's own assignment, or ours once made.
        status: `ok` unless a problem was found.
        error_type: Name of the error class.
        message: One sentence for a person.
        codec: From probing, like all below.
        container: Name of the container format.
        width: Pixels as shown.
        height: Pixels as shown.
        rotation: Degrees clockwise.
        fps: Average frames a second.
        num_frames: Counted in the stream.
        duration_seconds: From the content.
        has_audio: Whether there is a sound stream.
        fake_intervals: When what is labelled was changed, where the corpus says so: none for its
            reals.
    """

    uri: str
    corpus: str
    media_id: str | None = None
    kind: Kind | None = None
    size_bytes: int | None = None
    mtime_ns: int | None = None
    label: Label | None = None
    method: str | None = None
    source_id: str | None = None
    target_id: str | None = None
    original: str | None = None
    identity: str | None = None
    group: str | None = None
    compression: str | None = None
    split: Split | None = None
    status: Status = Status.OK
    error_type: str | None = None
    message: str | None = None
    codec: str | None = None
    container: str | None = None
    width: int | None = None
    height: int | None = None
    rotation: int | None = None
    fps: float | None = None
    num_frames: int | None = None
    duration_seconds: float | None = None
    has_audio: bool | None = None
    fake_intervals: Intervals | None = None


def interval_records(intervals: Sequence[Sequence[float]] | None) -> list[dict[str, float]] | None:
    """Return intervals as they are written into tables.

    Example:
        >>> interval_records([(0.5, 1.25)])
        [{'begin_seconds': 0.5, 'end_seconds': 1.25}]
    """
    if intervals is None:
        return None
    return [{"begin_seconds": begin, "end_seconds": end} for begin, end in intervals]
