"""Detect the faces of successive moments: the whole frame is searched once, and where one is lost.

In `deepfake.extract.faces.guided` every eighth frame is searched, as a face that appears must not
be missed there. Here a run takes two seconds, and a face that appears in it is seen too briefly.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepfake.extract.faces import MtcnnDetector, find_cuts, frame_signature, match_faces
from deepfake.extract.faces.area_resize import FrameView
from deepfake.types import Face, Frame, Pixels

__all__ = ["DetectedFaces", "detect_faces"]

_STEADY_CONFIDENCE = 0.95
"""If a face is found with less, the frame is searched."""


@dataclass(frozen=True, slots=True)
class DetectedFaces:
    """A frame in which faces were looked for.

    Attributes:
        position: The moment that it stands for, counted from the beginning of the run.
        signature: From `frame_signature`.
        faces: Found in it.
    """

    position: int
    signature: NDArray[np.float32]
    faces: tuple[Face, ...]


def detect_faces(
    frames: Iterable[Frame], *, positions: Mapping[int, int], detector: MtcnnDetector
) -> Iterator[DetectedFaces]:
    """Detect the faces in frames of one run.

    Args:
        frames: Ascending in time.
        positions: The moment that each stands for, by index of the frame.
        detector: Detects faces in one frame.

    Yields:
        The frames with their faces, in order.
    """
    before: DetectedFaces | None = None
    levels: Pixels | None = None
    for frame in frames:
        signature = frame_signature(frame.pixels)
        faces: tuple[Face, ...] = ()
        if before is not None and not find_cuts([before.signature, signature])[1]:
            faces = detector.follow(FrameView(frame.pixels, levels=levels), before.faces)
        if before is None or not faces or not _is_steady(before.faces, faces):
            found = detector.search(FrameView(frame.pixels))
            faces, levels = found.faces, found.levels
        before = DetectedFaces(positions[frame.frame_index], signature, faces)
        yield before


def _is_steady(before: Sequence[Face], now: Sequence[Face]) -> bool:
    """Return whether both show the same faces, none with less confidence."""
    partners = match_faces(before, now)
    return len(before) == len(now) == len(partners) and all(
        now[n].confidence >= min(_STEADY_CONFIDENCE, before[b].confidence)
        for n, b in partners.items()
    )
