"""The sound of a file on the time axis of its pictures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from deepfake.media.sound import SAMPLE_RATE, Samples, SoundPiece

__all__ = ["Soundtrack", "lay_out_sound"]


@dataclass(frozen=True, slots=True)
class Soundtrack:
    """Sound from the start of a file on, with silence in its gaps.

    Attributes:
        samples: Shape (N,), float32, at `SAMPLE_RATE`; the first is heard at the file's start.
        first: The first sample that the file has; the last of `samples` is the last one.
    """

    samples: Samples
    first: int

    @property
    def begin_seconds(self) -> float:
        """Time at which the sound begins."""
        return self.first / SAMPLE_RATE

    @property
    def end_seconds(self) -> float:
        """Time at which the sound ends."""
        return len(self.samples) / SAMPLE_RATE

    def cut(self, *, begin_seconds: float, end_seconds: float) -> tuple[Samples, tuple[int, int]]:
        """Return the sound between two times, silence where there is none, and its span.

        Args:
            begin_seconds: May be before the start of the file.
            end_seconds: May be behind its end.

        Returns:
            Samples, shape (N,), and of these the first that the file has and the one behind the
            last.
        """
        begin = round(begin_seconds * SAMPLE_RATE)
        num = round((end_seconds - begin_seconds) * SAMPLE_RATE)
        first = min(max(0, self.first - begin), num)
        last = max(first, min(num, len(self.samples) - begin))
        samples = np.zeros(num, np.float32)
        samples[first:last] = self.samples[begin + first : begin + last]
        return samples, (first, last)


def lay_out_sound(pieces: Iterable[SoundPiece], *, max_seconds: float) -> Soundtrack:
    """Lay pieces of sound out in time.

    Args:
        pieces: From `SoundReader.read`, ascending in time.
        max_seconds: What is later is left out.
    """
    most = round(max_seconds * SAMPLE_RATE)
    places = [(round(piece.pts_seconds * SAMPLE_RATE), piece.samples) for piece in pieces]
    kept = [(at, samples[: most - at]) for at, samples in places if at < most]
    if not kept:
        return Soundtrack(np.zeros(0, np.float32), 0)
    whole = np.zeros(max(at + len(samples) for at, samples in kept), np.float32)
    for at, samples in kept:
        whole[at : at + len(samples)] = samples
    return Soundtrack(whole, min(at for at, _ in kept))
