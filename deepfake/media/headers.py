"""Read the header of a still without decoding it: format, size, orientation, animation.

OpenCV gives the size only after decoding, and a few bytes can declare hundreds of millions of
pixels.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

__all__ = ["StillHeader", "jpeg_scan_start", "read_still_header", "still_codec", "webp_durations"]

_ORIENTATION_TAG = 0x0112
_UPRIGHT = 1
_MAX_READS = 1_000_000
"""A GIF takes the most: one read for every 255 bytes of its first picture."""


@dataclass(frozen=True, slots=True)
class StillHeader:
    """The header of a still.

    Attributes:
        codec: `jpeg`, `png`, `gif`, `bmp`, `webp`, `tiff`, `heif`, `jxl`, or `raw` for a raw
            photograph, whose size may be that of its thumbnail.
        width: Stored width, pixels.
        height: Stored height, pixels.
        orientation: EXIF orientation, 1 to 8; 1 is upright.
        is_animated: Whether it contains more than one picture.
        num_pages: Pages of a TIFF, without thumbnails.
        most_pixels: Pixels of its largest page.
        unsupported: Why a whole picture cannot be read; None where it can.
    """

    codec: str
    width: int
    height: int
    orientation: int = _UPRIGHT
    is_animated: bool = False
    num_pages: int = 1
    most_pixels: int = 0
    unsupported: str | None = None


def still_codec(head: bytes) -> str | None:
    """Return the still format of a file by its first bytes, or None.

    Example:
        >>> still_codec(b"GIF89a")
        'gif'
    """
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    return next((codec for magic, codec in _MAGICS if head.startswith(magic)), None)


_MAGICS = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"BM", "bmp"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"\xff\x0a", "jxl"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "jxl"),
)


def read_still_header(stream: BinaryIO, *, codec: str) -> StillHeader:
    """Read the header of a still.

    Args:
        stream: The file, seekable.
        codec: From `still_codec`.

    Raises:
        ValueError: The header is damaged or cut off.
    """
    stream.seek(0)
    try:
        header = _READERS[codec](_LimitedStream(stream))
    except (struct.error, IndexError, StopIteration) as error:
        raise ValueError("the header is cut off or damaged") from error
    if header.width <= 0 or header.height <= 0:
        raise ValueError(f"the header declares {header.width} x {header.height} pixels")
    return header


def jpeg_scan_start(stream: BinaryIO) -> int:
    """Return where the pixels of a JPEG begin, behind its first start-of-scan marker.

    Raises:
        ValueError: There is none.
        struct.error: A segment is cut off.
    """
    limited = _LimitedStream(stream)
    limited.seek(2)
    while (marker := _next_marker(limited)) != 0xDA:
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:
            continue
        (length,) = _unpack(limited, ">H")
        limited.seek(max(0, length - 2), 1)
    return limited.tell()


def webp_durations(stream: BinaryIO) -> list[int]:
    """Return how long each frame of an animated WebP is shown, milliseconds.

    Raises:
        ValueError: Its parts do not end.

    Source: WebP container specification, `ANMF` chunk.
    """
    limited = _LimitedStream(stream)
    durations: list[int] = []
    position = 12
    while True:
        limited.seek(position)
        start = limited.read(24)
        if len(start) < 8:
            return durations
        (length,) = struct.unpack("<I", start[4:8])
        if start[:4] == b"ANMF" and len(start) == 24:
            durations.append(int.from_bytes(start[20:23], "little"))
        position += 8 + length + (length & 1)


class _LimitedStream:
    """A stream that allows a limited number of reads.

    A valid header takes some thousands of reads; a malicious file can consist of millions of empty
    segments.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._left = _MAX_READS

    def read(self, size: int) -> bytes:
        self._left -= 1
        if self._left < 0:
            raise ValueError("the header does not end")
        return self._stream.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()


def _unpack(stream: _LimitedStream, layout: str) -> tuple[int, ...]:
    return struct.unpack(layout, stream.read(struct.calcsize(layout)))


def _read_jpeg(stream: _LimitedStream) -> StillHeader:
    # ITU-T T.81, B.1.1: segments up to the frame header (SOF), which holds the size.
    stream.seek(2)
    orientation = _UPRIGHT
    while True:
        marker = _next_marker(stream)
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:  # markers without a segment
            continue
        (length,) = _unpack(stream, ">H")
        if length < 2:
            raise ValueError(f"a segment claims a length of {length} bytes")
        end = stream.tell() + length - 2
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            bits, height, width = _unpack(stream, ">BHH")
            problem = None if bits == 8 else f"a JPEG of {bits} bits"
            if marker in _UNREAD_JPEG:
                problem = "a lossless or hierarchical JPEG"
            return StillHeader("jpeg", width, height, orientation, unsupported=problem)
        if marker in (0xD9, 0xDA):
            raise ValueError("the pixels begin before a size was declared")
        if marker == 0xE1 and orientation == _UPRIGHT:
            orientation = _exif_orientation(stream.read(length - 2))
        stream.seek(end)


_UNREAD_JPEG = frozenset({0xC3, 0xC5, 0xC6, 0xC7, 0xCB, 0xCD, 0xCE, 0xCF})
"""Frame headers of lossless and hierarchical pictures (ITU-T T.81, table B.1)."""


def _next_marker(stream: _LimitedStream) -> int:
    """Return the next marker, skipping other bytes, as decoders do."""
    before = byte = b"\0"
    while before != b"\xff" or byte in {b"\0", b"\xff"}:
        before, byte = byte, stream.read(1)
        if not byte:
            raise ValueError("it ends before a size was declared")
    return byte[0]


def _read_png(stream: _LimitedStream) -> StillHeader:
    width, height = _unpack(stream, ">16xII")
    orientation, num_frames, has_frame, is_hidden = _UPRIGHT, 0, False, False
    for name, length in _png_chunks(stream):
        if name == b"acTL":
            (num_frames,) = _unpack(stream, ">I")
        elif name == b"fcTL":
            has_frame = True
        elif name == b"IDAT" and not has_frame:
            is_hidden = True  # viewers show the frames of the animation instead
        elif name == b"eXIf":
            orientation = _tiff_orientation(stream.read(min(length, 1 << 16)))
    is_animated = num_frames > 1 or (num_frames == 1 and is_hidden and has_frame)
    return StillHeader("png", width, height, orientation, is_animated)


def _png_chunks(stream: _LimitedStream) -> Iterator[tuple[bytes, int]]:
    position, end = 8, stream.seek(0, 2)
    while True:
        stream.seek(position)
        start = stream.read(8)
        if len(start) < 8 or start[4:] == b"IEND":
            return
        (length,) = struct.unpack(">I", start[:4])
        # OpenCV 5.0 allocates the declared length of a chunk: gigabytes take it seconds.
        if position + length + 12 > end:
            raise ValueError("a chunk reaches beyond the end of the file")
        yield start[4:], length
        position += length + 12


def _read_gif(stream: _LimitedStream) -> StillHeader:
    width, height, flags = _unpack(stream, "<6xHHB2x")
    if flags & 0x80:
        stream.seek(3 << ((flags & 7) + 1), 1)
    return StillHeader("gif", width, height, is_animated=_count_gif_images(stream, stop_at=2) > 1)


def _count_gif_images(stream: _LimitedStream, *, stop_at: int) -> int:
    count = 0
    while count < stop_at:
        kind = stream.read(1)
        if kind == b",":
            count += 1
            (flags,) = _unpack(stream, "<8xB")
            if flags & 0x80:
                stream.seek(3 << ((flags & 7) + 1), 1)
            stream.seek(1, 1)
        elif kind == b"!":
            stream.seek(1, 1)
        else:
            break
        while size := stream.read(1):
            if size == b"\0":
                break
            stream.seek(size[0], 1)
    return count


def _read_bmp(stream: _LimitedStream) -> StillHeader:
    (header_bytes,) = _unpack(stream, "<14xI")
    width, height = _unpack(stream, "<HH" if header_bytes == 12 else "<ii")
    problem = _bmp_problem(stream, header_bytes=header_bytes) if header_bytes >= 40 else None
    # A negative height means top row first.
    return StillHeader("bmp", width, abs(height), unsupported=problem)


def _bmp_problem(stream: _LimitedStream, *, header_bytes: int) -> str | None:
    """Return why OpenCV gives other colours for a BMP: its own masks say which bits are red.

    OpenCV follows masks of whole bytes, and only those that are a part of the header.
    """
    bits, compression = _unpack(stream, "<2xHI")
    if compression != _BITFIELDS or bits not in _USUAL_MASKS:
        return None
    stream.seek(54)
    masks = _unpack(stream, "<III")
    is_followed = bits == 32 and header_bytes >= 56 and _BYTE_MASKS.issuperset(masks)
    return None if is_followed or masks in _USUAL_MASKS[bits] else "a BMP of unusual masks"


_BITFIELDS = 3
_BYTE_MASKS = frozenset({0xFF, 0xFF00, 0xFF0000, 0xFF000000})
_USUAL_MASKS = {
    16: {(0x7C00, 0x3E0, 0x1F), (0xF800, 0x7E0, 0x1F)},
    32: {(0xFF0000, 0xFF00, 0xFF)},
}


def _read_webp(stream: _LimitedStream) -> StillHeader:
    stream.seek(12)
    kind = stream.read(4)
    if kind == b"VP8X":
        data = stream.read(14)
        width = int.from_bytes(data[8:11], "little") + 1
        height = int.from_bytes(data[11:14], "little") + 1
        orientation = _webp_orientation(stream) if data[4] & 0x08 else _UPRIGHT
        return StillHeader("webp", width, height, orientation, bool(data[4] & 0x02))
    if kind == b"VP8L":
        (bits,) = _unpack(stream, "<4xxI")
        return StillHeader("webp", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if kind == b"VP8 ":
        width, height = _unpack(stream, "<4x6xHH")
        return StillHeader("webp", width & 0x3FFF, height & 0x3FFF)
    raise ValueError(f"no picture in the WebP file, its first part is {kind!r}")


def _webp_orientation(stream: _LimitedStream) -> int:
    position = 12
    while True:
        stream.seek(position)
        start = stream.read(8)
        if len(start) < 8:
            return _UPRIGHT
        (length,) = struct.unpack("<I", start[4:])
        if start[:4] == b"EXIF":
            data = stream.read(min(length, 1 << 16))
            return _exif_orientation(data) if data[:4] == b"Exif" else _tiff_orientation(data)
        position += 8 + length + (length & 1)


def _read_tiff(stream: _LimitedStream) -> StillHeader:
    order = "<" if stream.read(2) == b"II" else ">"
    (offset,) = _unpack(stream, f"{order}2xI")
    pages: list[dict[int, int]] = []
    seen: set[int] = set()
    while offset and offset not in seen and len(seen) < _MAX_PAGES:
        seen.add(offset)
        stream.seek(offset)
        (count,) = _unpack(stream, f"{order}H")
        entries = stream.read(12 * count)
        following = stream.read(4)
        pages.append(_tiff_tags(entries, order) | _sample_format(stream, entries, order))
        offset = struct.unpack(f"{order}I", following)[0] if len(following) == 4 else 0
    first = pages[0]
    whole = [page for page in pages if not page.get(_SUBFILE_TAG, 0) & 1]
    if _DNG_TAG in first or first.get(262) in _RAW_PHOTOMETRIC or first.get(_SUBFILE_TAG, 0) & 1:
        return StillHeader("raw", max(1, first.get(256, 0)), max(1, first.get(257, 0)))
    return StillHeader(
        "tiff",
        first.get(256, 0),
        first.get(257, 0),
        _checked_orientation(first.get(_ORIENTATION_TAG)),
        num_pages=max(1, len(whole)),
        most_pixels=max(page.get(256, 0) * page.get(257, 0) for page in pages),
        unsupported=_tiff_problem(first),
    )


def _sample_format(stream: _LimitedStream, entries: bytes, order: str) -> dict[int, int]:
    """Return what kind of numbers the first colour is in, where each colour has its own."""
    for start in range(0, len(entries) - 11, 12):
        tag, kind, count, value = struct.unpack_from(f"{order}HHII", entries, start)
        if tag == _FORMAT_TAG and kind == 3 and count > 2:
            stream.seek(value)
            data = stream.read(2)
            return {tag: struct.unpack(f"{order}H", data)[0] if len(data) == 2 else 1}
    return {}


def _tiff_problem(tags: dict[int, int]) -> str | None:
    """Return why a whole TIFF is not read: OpenCV gives other pixels for it, or none."""
    if tags.get(259, 1) not in _TIFF_COMPRESSIONS:
        return f"a TIFF of the compression {tags[259]}"
    if tags.get(_FORMAT_TAG, 1) not in (1, 4):
        return "a TIFF of floating-point or signed numbers"
    if tags.get(262) in _LAB_PHOTOMETRIC:
        return "a TIFF in Lab"
    if tags.get(277, 1) == 1 and tags.get(258, 1) not in (1, 8, 16):
        return f"a TIFF of {tags[258]} bits"
    return None


_MAX_PAGES = 1000
_SUBFILE_TAG, _FORMAT_TAG, _DNG_TAG = 254, 339, 50706
_RAW_PHOTOMETRIC = frozenset({32803, 34892})
"""Colour filter array, linear raw (DNG 1.4)."""
_LAB_PHOTOMETRIC = frozenset({8, 9, 10})
"""CIE, ICC and ITU: OpenCV gives other colours for them."""
_TIFF_COMPRESSIONS = frozenset({1, 2, 3, 4, 5, 7, 8, 32773, 32946})
"""None, fax, LZW, JPEG, Deflate, PackBits."""


def _tiff_tags(entries: bytes, order: str) -> dict[int, int]:
    # TIFF 6.0, section 2: tag, type (3: 16 bit, 4: 32 bit), count, value.
    tags: dict[int, int] = {}
    for start in range(0, len(entries) - 11, 12):
        tag, kind = struct.unpack_from(f"{order}HH", entries, start)
        value = 0  # another type, which these tags do not have in valid files
        if kind == 1 and tag == _DNG_TAG:
            value = 1
        if kind in (3, 4):
            layout = f"{order}{'H' if kind == 3 else 'I'}"
            (value,) = struct.unpack_from(layout, entries, start + 8)
        # If a tag occurs twice the first one counts, as in libtiff.
        tags.setdefault(tag, value)
    return tags


def _exif_orientation(segment: bytes) -> int:
    return _tiff_orientation(segment[6:]) if segment[:6] == b"Exif\0\0" else _UPRIGHT


def _tiff_orientation(data: bytes) -> int:
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None or len(data) < 10:
        return _UPRIGHT
    (offset,) = struct.unpack_from(f"{order}I", data, 4)
    if offset + 2 > len(data):
        return _UPRIGHT
    (count,) = struct.unpack_from(f"{order}H", data, offset)
    tags = _tiff_tags(data[offset + 2 : offset + 2 + 12 * count], order)
    return _checked_orientation(tags.get(_ORIENTATION_TAG))


def _checked_orientation(found: int | None) -> int:
    return found if found is not None and 1 <= found <= 8 else _UPRIGHT


_READERS: dict[str, Callable[[_LimitedStream], StillHeader]] = {
    "jpeg": _read_jpeg,
    "png": _read_png,
    "gif": _read_gif,
    "bmp": _read_bmp,
    "webp": _read_webp,
    "tiff": _read_tiff,
}
