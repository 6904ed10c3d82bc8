"""Perturb media files: compression, size, colours, filters, screens, frames, turns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from deepfake.config import MediaLimits
from deepfake.errors import ConfigError
from deepfake.evaluation.robustness.frame_changes import FRAME_CHANGES
from deepfake.media import (
    h264_round_trip,
    open_video,
    probe_still,
    read_image,
    write_image,
    write_video,
)
from deepfake.types import Pixels

__all__ = ["PERTURBATIONS", "Perturbation", "perturb_file", "perturbations_of"]


PERTURBATIONS: Mapping[str, tuple[float, ...]] = {
    "jpeg": (80, 60, 40, 25, 15),
    "h264": (23, 28, 33, 38, 43),
    "resize": (0.75, 0.5, 0.35, 0.25, 0.18),
    "blur": (0.5, 1.0, 1.5, 2.5, 4.0),
    "noise": (2.0, 5.0, 10.0, 16.0, 25.0),
    "brightness": (0.8, 0.6, 0.4, 1.3, 1.6),
    "grey": (0.5, 0.8, 1.0),
    "filter": (0.3, 0.6, 1.0),
    "beauty": (0.3, 0.6, 1.0),
    "reencode": (1, 2, 4),
    "screen": (0.3, 0.6, 1.0),
    "letterbox": (0.2, 0.4, 0.6),
    "inset": (0.8, 0.6, 0.4),
    "mirror": (1,),
    "turn": (90, 180, 270),
}
"""Steps: JPEG quality, CRF of x264, factor of the side, sigma in pixels, sigma of 255 levels,
factor of the light, share of the colour taken away, share of the filter, share of the filter, times
sent on, strength of a screen's traces, share of black bars, share of the side, none, degrees."""

_MAX_FRAMES = 300
"""Of a video: a longer one is cut, since all of them are encoded again."""

_CLEAN_CRF = 12
"""Of videos whose frames were changed otherwise: hardly any further loss."""


@dataclass(frozen=True, slots=True)
class Perturbation:
    """A perturbation of media at one strength.

    Attributes:
        name: One of `PERTURBATIONS`, or `clean` for none.
        value: Its strength, in its own unit.
    """

    name: str = "clean"
    value: float = 0.0

    def __post_init__(self) -> None:
        if self.name != "clean" and self.name not in PERTURBATIONS:
            known = ", ".join(PERTURBATIONS)
            raise ConfigError(f"no perturbation {self.name!r}: allowed are {known}")

    @property
    def label(self) -> str:
        """Name and strength."""
        return self.name if self.name == "clean" else f"{self.name} {self.value:g}"


def perturbations_of(names: Sequence[str] = tuple(PERTURBATIONS)) -> list[Perturbation]:
    """Return `clean` and the steps of the named ones.

    Args:
        names: Of `PERTURBATIONS`, all steps each; or one step, as `jpeg:40`.

    Raises:
        ConfigError: One is unknown, or its strength is no number.
    """
    return [Perturbation(), *(step for name in names for step in _steps_of(name))]


def _steps_of(named: str) -> list[Perturbation]:
    name, _, value = named.partition(":")
    try:
        values = (float(value),) if value else PERTURBATIONS.get(name, (0.0,))
    except ValueError:
        raise ConfigError(f"the strength of a perturbation is a number, got {named!r}") from None
    return [Perturbation(name, strength) for strength in values]


def perturb_file(source: Path, folder: Path, perturbation: Perturbation, *, seed: int = 0) -> Path:
    """Write a medium as it is after a perturbation.

    Args:
        source: A picture or a video.
        folder: Where the new file goes.
        perturbation: The perturbation.
        seed: Of noise.

    Returns:
        The new file, `source` itself for `clean`. Of a video at most the first 300 frames.

    Raises:
        MediaError: The source cannot be read.
    """
    if perturbation.name == "clean":
        return source
    limits = MediaLimits()
    rng = np.random.default_rng(seed)
    if probe_still(source, limits=limits) is not None:
        pixels = read_image(source, limits=limits).pixels
        return _perturb_still(pixels, folder, perturbation, rng=rng)
    with open_video(source, limits=limits) as reader:
        count = min(_MAX_FRAMES, len(reader.pts_seconds))
        frames = (frame.pixels for frame in islice(reader.read(range(count)), count))
        changed = (_even(_changed(pixels, perturbation, rng=rng)) for pixels in frames)
        crf = int(perturbation.value) if perturbation.name == "h264" else _CLEAN_CRF
        fps = reader.info.fps or 25
        return write_video(folder / "changed.mp4", changed, fps=fps, crf=crf)


def _perturb_still(
    pixels: Pixels, folder: Path, perturbation: Perturbation, *, rng: np.random.Generator
) -> Path:
    if perturbation.name == "h264":
        return write_image(
            folder / "changed.png", h264_round_trip(pixels, crf=int(perturbation.value))
        )
    return write_image(folder / "changed.png", _changed(pixels, perturbation, rng=rng))


def _changed(pixels: Pixels, perturbation: Perturbation, *, rng: np.random.Generator) -> Pixels:
    change = FRAME_CHANGES.get(perturbation.name)
    return pixels if change is None else change(pixels, perturbation.value, rng)


def _even(pixels: Pixels) -> Pixels:
    height, width = (side // 2 * 2 for side in pixels.shape[:2])
    return np.ascontiguousarray(pixels[:height, :width])
