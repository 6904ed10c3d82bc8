"""Read size, orientation and animation of a JPEG XL picture without decoding it.

The library that decodes it does so as soon as the file is opened, so a size that it declares has to
be known before.

Source: ISO/IEC 18181-1:2022, annex D (SizeHeader, ImageMetadata); 18181-2, clause 9 (boxes).
"""

from __future__ import annotations

from pathlib import Path

from deepfake.media.boxes import iter_boxes
from deepfake.media.headers import StillHeader

__all__ = ["read_jxl_header"]

_HEAD_BYTES = 64
_BARE = b"\xff\x0a"
# Width over height; 0 means that the width is written out.
_RATIOS = ((0, 0), (1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
# Widths in bits, and what is added, of a number of variable length.
_SIDE = ((9, 1), (13, 1), (18, 1), (30, 1))
_PREVIEW_SIDE = ((6, 1), (8, 65), (10, 321), (12, 1345))
_PREVIEW_EIGHTHS = ((0, 16), (0, 32), (5, 1), (9, 33))


def read_jxl_header(path: Path) -> StillHeader:
    """Read the header of a JPEG XL picture.

    Args:
        path: A file that begins as one.

    Returns:
        Its header; the size is that before it is turned.

    Raises:
        ValueError: There is no picture in it, or its header is cut off.
    """
    bits = _Bits(_codestream_head(path))
    width, height = _read_size(bits)
    orientation, is_animated = 1, False
    has_extra_fields = not bits.read(1) and bits.read(1)
    if has_extra_fields:
        orientation = bits.read(3) + 1
        if bits.read(1):  # the size that it should be shown in
            _read_size(bits)
        if bits.read(1):
            _read_preview(bits)
        is_animated = bool(bits.read(1))
    problem = "an animated JPEG XL" if is_animated else None
    return StillHeader("jxl", width, height, orientation, unsupported=problem)


def _codestream_head(path: Path) -> bytes:
    """Return the first bytes of the picture's data, which may lie in a box."""
    with path.open("rb") as stream:
        head = stream.read(_HEAD_BYTES)
        if head.startswith(_BARE):
            return head
        for name, start, _ in iter_boxes(stream):
            if name in (b"jxlc", b"jxlp"):
                # Before a part of the data stands its number.
                stream.seek(start + 8 + (4 if name == b"jxlp" else 0))
                return stream.read(_HEAD_BYTES)
    raise ValueError("no picture is in it")


class _Bits:
    """Reads numbers from bytes, the lowest bit first."""

    def __init__(self, data: bytes) -> None:
        if not data.startswith(_BARE):
            raise ValueError("the picture does not begin as one")
        self._value = int.from_bytes(data[2:], "little")
        self._left = 8 * (len(data) - 2)

    def read(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise ValueError("the header is cut off")
        value = self._value & ((1 << count) - 1)
        self._value >>= count
        return value

    def read_chosen(self, choices: tuple[tuple[int, int], ...]) -> int:
        width, added = choices[self.read(2)]
        return self.read(width) + added


def _read_size(bits: _Bits) -> tuple[int, int]:
    is_small = bits.read(1)
    height = 8 * (bits.read(5) + 1) if is_small else bits.read_chosen(_SIDE)
    ratio = bits.read(3)
    if ratio:
        over, under = _RATIOS[ratio]
        return height * over // under, height
    return (8 * (bits.read(5) + 1) if is_small else bits.read_chosen(_SIDE)), height


def _read_preview(bits: _Bits) -> None:
    choices = _PREVIEW_EIGHTHS if bits.read(1) else _PREVIEW_SIDE
    bits.read_chosen(choices)
    if not bits.read(3):
        bits.read_chosen(choices)
