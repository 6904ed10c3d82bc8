"""Mouths that speak, and the sound beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["MouthRun", "StoredRun"]


@dataclass(frozen=True, slots=True)
class MouthRun:
    """The mouth of one face over a run of successive moments, with the sound around it.

    Attributes:
        mouths: Grey squares around the mouth, eyes level, shape (T, S, S), uint8, one every
            `1 / fps` seconds from `pts_seconds` on.
        samples: Sound, shape (N,), float32, -1 to 1, at `SAMPLE_RATE`. It begins `lead_seconds`
            before the first mouth and ends as long after the last; silence stands where the file
            has no sound.
        sound_span: First sample that the file has, and the one behind the last.
        pts_seconds: Time of the first mouth, seconds from the start of the file.
        end_seconds: Time at which the last one ends.
        track_id: The face, from 0 by its size; the same in all runs of a shot.
        run_index: Rank of the run in time, from 0; several faces share one.
        face_px: Median size of the face, pixels.
        speech_seconds: Of the sound between `pts_seconds` and `end_seconds`.
        box_xyxy: Median box of the face over the run, pixels of the picture as it is shown; None
            where it is not known.
    """

    mouths: NDArray[np.uint8]
    samples: NDArray[np.float32]
    sound_span: tuple[int, int]
    pts_seconds: float
    end_seconds: float
    track_id: int
    run_index: int
    face_px: float
    speech_seconds: float
    box_xyxy: tuple[float, float, float, float] | None = None

    def __post_init__(self) -> None:
        if self.mouths.ndim != 3 or self.mouths.dtype != "uint8":
            raise ValueError(
                f"mouths are (T, S, S) uint8, got {self.mouths.shape} {self.mouths.dtype}"
            )
        begin, end = self.sound_span
        if not 0 <= begin <= end <= len(self.samples):
            raise ValueError(f"{self.sound_span} is no span of {len(self.samples)} samples")


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A `MouthRun`, encoded as it is stored.

    Attributes:
        encoded: The mouths, one below the other, as a grey JPEG, and the sound as FLAC.
        num_mouths: Mouths, T.
        sound_span: As in `MouthRun`, as are the others.
    """

    encoded: bytes
    num_mouths: int
    sound_span: tuple[int, int]
    pts_seconds: float
    end_seconds: float
    track_id: int
    run_index: int
    face_px: float
    speech_seconds: float
