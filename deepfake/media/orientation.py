"""Turn, mirror and stretch pictures so that they are as players and viewers show them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from deepfake.types import Pixels

__all__ = ["UPRIGHT", "Orientation", "exif_orientation", "matrix_orientation", "shown_size"]

_MATRIX_VALUES = 9
_LEAST_STRETCH = 0.02
"""A pixel that differs less from a square stays as it is: resampling costs traces of compression,
and nobody sees it."""
_MOST_STRETCH = 8
"""Side of a pixel over the other; what declares more is wrong."""


@dataclass(frozen=True, slots=True)
class Orientation:
    """How a stored picture is turned for display.

    Attributes:
        turns: Quarter turns clockwise, 0 to 3.
        is_mirrored: Whether left and right are exchanged before it is turned.
    """

    turns: int = 0
    is_mirrored: bool = False

    @property
    def is_sideways(self) -> bool:
        """Whether width and height are exchanged."""
        return self.turns % 2 == 1

    def apply(self, pixels: Pixels) -> Pixels:
        """Return the picture as it is shown, contiguous.

        Args:
            pixels: As stored, shape (H, W, 3) or (H, W).
        """
        mirrored = pixels[:, ::-1] if self.is_mirrored else pixels
        return np.ascontiguousarray(np.rot90(mirrored, k=-self.turns))

    def sized(self, width: int, height: int) -> tuple[int, int]:
        """Return width and height as shown."""
        return (height, width) if self.is_sideways else (width, height)


UPRIGHT = Orientation()

# EXIF 2.32, tag 0x0112.
_EXIF = {
    1: UPRIGHT,
    2: Orientation(0, True),
    3: Orientation(2),
    4: Orientation(2, True),
    5: Orientation(3, True),
    6: Orientation(1),
    7: Orientation(1, True),
    8: Orientation(3),
}

# The four turns of (x, y), y downwards, as (a, b, c, d): x' = a x + c y, y' = b x + d y.
_TURNED = ((1, 0, 0, 1), (0, 1, -1, 0), (-1, 0, 0, -1), (0, -1, 1, 0))


def exif_orientation(tag: int) -> Orientation:
    """Return what an EXIF orientation says; a value that is none is upright."""
    return _EXIF.get(tag, UPRIGHT)


def matrix_orientation(data: bytes | None) -> Orientation:
    """Return the orientation nearest to a display matrix.

    Any angle is possible in a matrix; pictures are turned by quarters.

    Args:
        data: FFmpeg's side data: nine 32-bit numbers {a b u, c d v, x y w}; None without one.

    Example:
        >>> hflip = np.array([-65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30], np.int32)
        >>> matrix_orientation(hflip.tobytes())
        Orientation(turns=0, is_mirrored=True)
    """
    if data is None or len(data) < 4 * _MATRIX_VALUES:
        return UPRIGHT
    a, b, _, c, d = np.frombuffer(data, np.int32, 5).astype(np.float64).tolist()
    scale = max(np.hypot(a, b), np.hypot(c, d))
    if scale == 0:
        return UPRIGHT
    is_mirrored = a * d - b * c < 0
    # The mirroring comes first: it changes the sign of what x contributes.
    sign = -1.0 if is_mirrored else 1.0
    likeness = [sign * (a * ta + b * tb) + c * tc + d * td for ta, tb, tc, td in _TURNED]
    return Orientation(int(np.argmax(likeness)), is_mirrored)


def shown_size(width: int, height: int, *, pixel_aspect: Fraction | None) -> tuple[int, int]:
    """Return the size of a picture with square pixels; only ever enlarged, so nothing is lost.

    Args:
        width: As stored.
        height: As stored.
        pixel_aspect: Width of a pixel over its height; None if unknown.

    Example:
        >>> shown_size(720, 576, pixel_aspect=Fraction(16, 11))
        (1047, 576)
        >>> shown_size(480, 480, pixel_aspect=Fraction(1, 2))
        (480, 960)
    """
    if not pixel_aspect or abs(float(pixel_aspect) - 1) < _LEAST_STRETCH:
        return width, height
    if not Fraction(1, _MOST_STRETCH) <= pixel_aspect <= _MOST_STRETCH:
        return width, height
    if pixel_aspect > 1:
        return max(1, round(width * pixel_aspect)), height
    return width, max(1, round(height / pixel_aspect))
