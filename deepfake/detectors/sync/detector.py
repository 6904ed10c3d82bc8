"""Stand-in: lips that are bright where the sound is loud."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deepfake.config.speech import SAMPLE_RATE
from deepfake.detectors.sync_bundle import SyncBundle, SyncSpec, load_sync_bundle
from deepfake.types import MouthRun

__all__ = ["SyncDetector", "load_sync_detector"]

_OFFSETS = range(-15, 16)
_WINDOW = 5


@dataclass(frozen=True, slots=True)
class SyncDetector:
    """Stand-in."""

    bundle: SyncBundle
    device: str

    @property
    def spec(self) -> SyncSpec:
        """The bundle's description."""
        return self.bundle.spec

    def similarities(self, run: MouthRun) -> NDArray[np.float32]:
        """Return the likeness of each window of mouths to the sound at each offset."""
        fps, num = self.spec.mouths.fps, len(run.mouths) - _WINDOW + 1
        lead = round(self.spec.mouths.lead_seconds * SAMPLE_RATE)
        light = run.mouths.reshape(len(run.mouths), -1).mean(axis=1)
        found = np.full((num, len(_OFFSETS)), np.nan, np.float32)
        step = SAMPLE_RATE / fps
        for at in range(num):
            for column, offset in enumerate(_OFFSETS):
                first = lead + round((at + offset) * step)
                stop = first + round(_WINDOW * step)
                if first < run.sound_span[0] or stop > run.sound_span[1]:
                    continue
                loud = np.abs(run.samples[first:stop]).reshape(_WINDOW, -1).mean(axis=1)
                own = light[at : at + _WINDOW]
                found[at, column] = _cosine(own - light.mean(), loud - np.abs(run.samples).mean())
        return found


def _cosine(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    return float(a @ b / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-9))


def load_sync_detector(
    folder: Path,
    *,
    device: str = "cpu",
    cache: Path | None = None,
    num_threads: int | None = None,
) -> SyncDetector:
    """Load a bundle."""
    return SyncDetector(load_sync_bundle(folder), "cpu")
