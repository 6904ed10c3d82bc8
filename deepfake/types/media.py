"""What a medium is, and its frames."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["PICTURE_KINDS", "FloatArray", "Frame", "Kind", "MediaInfo", "Pixels"]


FloatArray: TypeAlias = "NDArray[np.float64]"

Pixels: TypeAlias = "NDArray[np.uint8]"
"""A picture, or several."""


class Kind(StrEnum):
    """Whether a file is a picture, a video, or sound alone."""

    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"


PICTURE_KINDS = (Kind.IMAGE, Kind.VIDEO)
"""Kinds of files in which faces are looked for."""


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """Description of a medium, from probing.

    Attributes:
        kind: Image, video or audio.
        codec: Name of the picture codec, `png` or `h264`; of the sound's codec for audio.
        container: Name of the container format.
        width: Width as shown, after rotation, pixels; None for audio.
        height: Height as shown, after rotation, pixels; None for audio.
        rotation: Degrees clockwise by which the stored picture is turned for display.
        fps: Average frames a second; None for images, or if unknown.
        num_frames: Frames counted in the stream; 1 for an image, 0 for audio.
        duration_seconds: From the start of the first frame to the end of the last, measured.
        duration_seconds_from_header: Duration declared by the container, None if it declares none.
        has_audio: Whether there is a sound stream.
    """

    kind: Kind
    codec: str
    container: str
    width: int | None
    height: int | None
    rotation: int = 0
    fps: Fraction | None = None
    num_frames: int = 1
    duration_seconds: float = 0.0
    duration_seconds_from_header: float | None = None
    has_audio: bool = False

    def __post_init__(self) -> None:
        has_size = self.width is not None and self.height is not None
        if has_size is (self.kind is Kind.AUDIO):
            raise ValueError(f"a size is for pictures, got {self.width}x{self.height}")
        if has_size and min(self.frame_wh) <= 0:
            raise ValueError(f"width and height must be positive, got {self.width}x{self.height}")
        if self.num_frames < 0 or self.duration_seconds < 0:
            raise ValueError("num_frames and duration_seconds must not be negative")

    @property
    def frame_wh(self) -> tuple[int, int]:
        """Width and height of its frames, pixels.

        Raises:
            ValueError: It is sound alone.
        """
        if self.width is None or self.height is None:
            raise ValueError("sound has no frames")
        return self.width, self.height


@dataclass(frozen=True, slots=True)
class Frame:
    """A decoded frame of a video, or a picture, with its time.

    Attributes:
        pixels: RGB, shape (H, W, 3), uint8, rotated upright.
        pts_seconds: Presentation time, seconds after the first frame; 0.0 for an image.
        frame_index: Rank by presentation time, from 0.
    """

    pixels: NDArray[np.uint8]
    pts_seconds: float
    frame_index: int

    def __post_init__(self) -> None:
        if self.pixels.ndim != 3 or self.pixels.shape[2] != 3 or self.pixels.dtype != "uint8":
            raise ValueError(
                f"a frame is (H, W, 3) uint8, got {self.pixels.shape} {self.pixels.dtype}"
            )

    @property
    def width(self) -> int:
        """Width in pixels."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Height in pixels."""
        return int(self.pixels.shape[0])
