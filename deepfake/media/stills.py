"""Read and write stills; OpenCV reads most, through bytes in memory so that any name works."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from deepfake.config import MediaLimits
from deepfake.errors import DecodeError, MediaError, ProbeError, UnsupportedMediaError
from deepfake.media.boxes import is_heif_still
from deepfake.media.files import check_pixels, check_regular_file, read_error, read_head
from deepfake.media.headers import StillHeader, read_still_header, still_codec
from deepfake.media.jpeg_stream import is_jpeg_stream
from deepfake.media.jxl_header import read_jxl_header
from deepfake.media.orientation import exif_orientation
from deepfake.media.pillow_stills import PILLOW_CODECS, pillow_pixels, pillow_size
from deepfake.media.raw_photos import has_raw_magic, raw_header, raw_pixels
from deepfake.types import Frame, Kind, MediaInfo

__all__ = ["MAX_PAGES", "probe_still", "read_image", "read_pages", "still_header", "write_image"]

MAX_PAGES = 16
"""Pages of a TIFF that are looked at."""


def still_header(path: Path) -> StillHeader | None:
    """Read the header of a still; None if the file's content is not a still.

    Raises:
        UnreadableMediaError: The system refuses to read it.
        ProbeError: The header is damaged or cut off.
    """
    head = read_head(path, num_bytes=16)
    codec = still_codec(head)
    try:
        if has_raw_magic(head):
            return raw_header(path)
        if head[4:8] == b"ftyp" and is_heif_still(path):
            return StillHeader("heif", *pillow_size(path, codec="heif"))
        if codec == "jxl":
            return read_jxl_header(path)
        if codec is None or (codec == "jpeg" and is_jpeg_stream(path)):
            return None
        with path.open("rb") as stream:
            header = read_still_header(stream, codec=codec)
        return raw_header(path) if header.codec == "raw" else header
    except MediaError:
        raise
    except OSError as error:
        raise read_error(path, error) from error
    except (ValueError, OverflowError) as error:
        name = (codec or "").upper()
        raise ProbeError(f"a damaged {name} picture: {error}", path=path) from error


def probe_still(path: Path, *, limits: MediaLimits) -> MediaInfo | None:
    """Describe a still by its header; None if the content is not a still.

    A file that is not a still is a video (animated GIF, PNG and WebP included) or unsupported;
    `open_video` finds out which.

    Args:
        path: The file; links are followed.
        limits: Files that exceed or declare more are rejected.

    Raises:
        EmptyMediaError: The file has no bytes.
        UnsupportedMediaError: A folder, a special file, or a picture that is not read whole.
        MediaTooLargeError: It is over a limit.
        UnreadableMediaError: It does not exist, or the system refuses to read it.
        ProbeError: The header is damaged or cut off.
    """
    check_regular_file(path, limits=limits)
    header = still_header(path)
    if header is None:
        return None
    _check_header(header, limits=limits, path=path)
    if header.is_animated:
        return None
    orientation = exif_orientation(header.orientation)
    width, height = orientation.sized(header.width, header.height)
    return MediaInfo(
        kind=Kind.IMAGE,
        codec=header.codec,
        container=header.codec,
        width=width,
        height=height,
        rotation=90 * orientation.turns,
        num_frames=header.num_pages,
    )


def read_image(path: Path, *, limits: MediaLimits) -> Frame:
    """Read a still and rotate it upright by its EXIF orientation.

    Grey becomes three equal channels, 16 bits become 8, transparency is dropped. Of an animation
    the first picture is read.

    Args:
        path: A picture, recognised by its content.
        limits: Pictures that exceed these are rejected before decoding.

    Returns:
        The picture; `pixels` (H, W, 3) RGB uint8.

    Raises:
        EmptyMediaError: The file has no bytes.
        UnsupportedMediaError: It is not a supported still.
        MediaTooLargeError: It is over a limit.
        UnreadableMediaError: The system refuses to read it.
        ProbeError: The header is damaged.
        DecodeError: The pixels are damaged or cut off.
    """
    check_regular_file(path, limits=limits)
    header = still_header(path)
    if header is None:
        raise UnsupportedMediaError(
            "not a picture of a supported format (JPEG, PNG, HEIC and so on)", path=path
        )
    _check_header(header, limits=limits, path=path)
    return Frame(pixels=_pixels(path, header), pts_seconds=0.0, frame_index=0)


def _pixels(path: Path, header: StillHeader) -> NDArray[np.uint8]:
    try:
        if header.codec == "raw":
            return raw_pixels(path)
        if header.codec in PILLOW_CODECS:
            return pillow_pixels(path, codec=header.codec, orientation=header.orientation)
        data = path.read_bytes()
    except OSError as error:
        raise read_error(path, error) from error
    return _decode(data, header=header, path=path)


def read_pages(path: Path, *, limits: MediaLimits) -> Iterator[Frame]:
    """Yield the pages of a still: those of a TIFF, at most 16, else the one picture.

    Pages that are damaged are left out, unless it is the first.

    Args:
        path: As for `read_image`, with the same errors.
        limits: As for `read_image`.
    """
    yield read_image(path, limits=limits)
    header = still_header(path)
    if header is None or header.num_pages == 1:
        return
    data = np.frombuffer(path.read_bytes(), np.uint8)
    for page in range(1, min(header.num_pages, MAX_PAGES)):
        try:
            is_decoded, found = cv2.imdecodemulti(data, cv2.IMREAD_COLOR, range=(page, page + 1))
        except cv2.error:
            continue
        if is_decoded and found:
            pixels = cv2.cvtColor(found[0], cv2.COLOR_BGR2RGB)
            yield Frame(pixels=pixels, pts_seconds=0.0, frame_index=page)


def write_image(path: Path, pixels: NDArray[np.uint8]) -> Path:
    """Write a still in the format of the file name's suffix.

    Args:
        path: Ends in `.png`, `.jpg`, `.webp`, `.bmp` or `.tiff`.
        pixels: (H, W, 3) RGB uint8.

    Raises:
        UnsupportedMediaError: OpenCV cannot encode such pixels in that format.
        UnreadableMediaError: Writing is denied.
    """
    try:
        is_encoded, encoded = cv2.imencode(path.suffix, cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    except cv2.error as error:
        raise UnsupportedMediaError(
            f"cannot encode {pixels.shape} {pixels.dtype} as {path.suffix!r}", path=path
        ) from error
    if not is_encoded:
        raise UnsupportedMediaError(f"cannot encode as {path.suffix!r}", path=path)
    try:
        path.write_bytes(encoded.tobytes())
    except OSError as error:
        raise read_error(path, error, verb="written") from error
    return path


def _check_header(header: StillHeader, *, limits: MediaLimits, path: Path) -> None:
    check_pixels(header.width, header.height, limits=limits, path=path)
    check_pixels(header.most_pixels, 1, limits=limits, path=path)
    if header.unsupported:
        message = f"{header.unsupported} is not read: export it as JPEG, PNG or an 8-bit TIFF"
        raise UnsupportedMediaError(message, path=path)


_END_MARK = b"\xff\xd9"
_PADDING = b"\x55\xaa\x33\xcc" * 16


def _without_end_mark(data: bytes, flags: int) -> NDArray[np.uint8] | None:
    """Decode a JPEG that lacks its end mark; None where pixels are missing too.

    What follows the last pixel changes nothing. Where pixels are missing it is taken for some.
    """
    first, second = (
        cv2.imdecode(np.frombuffer(data + end, np.uint8), flags)
        for end in (_END_MARK, _PADDING + _END_MARK)
    )
    if first is None or second is None or not np.array_equal(first, second):
        return None
    whole: NDArray[np.uint8] = first
    return whole


def _decode(data: bytes, *, header: StillHeader, path: Path) -> NDArray[np.uint8]:
    # The orientation of the header is applied here, not by OpenCV.
    # (Its TIFF reader rotates pictures regardless of the flag.)
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
        if bgr is None and header.codec == "jpeg":
            bgr = _without_end_mark(data, flags)
        if bgr is None:
            raise DecodeError(
                f"the pixels of the {header.codec.upper()} picture are damaged or cut off",
                path=path,
            )
        cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB, dst=bgr)
    except cv2.error as error:
        raise DecodeError(f"OpenCV cannot decode the picture ({error.err})", path=path) from error
    return bgr if header.codec == "tiff" else exif_orientation(header.orientation).apply(bgr)
