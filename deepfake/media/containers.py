"""Open a container with FFmpeg, without letting it open other files or hosts.

An untrusted media file may be a playlist that refers to other files or hosts. FFmpeg is restricted
to local files and to the formats below, which contain their pictures themselves.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import av.error

from deepfake.config import MediaLimits
from deepfake.errors import (
    DecodeError,
    EmptyMediaError,
    MediaError,
    ProbeError,
    SoundOnlyError,
    UnsupportedMediaError,
)
from deepfake.media.boxes import video_problem
from deepfake.media.files import check_pixels, read_error, read_head

__all__ = [
    "ALLOWED_FORMATS",
    "REFUSED_FORMATS",
    "codec_max_pixels",
    "has_picture",
    "open_container",
    "translate_ffmpeg_errors",
    "video_stream",
]

ALLOWED_FORMATS = (
    "mov",  # and mp4, m4v, 3gp
    "matroska",  # and webm
    "avi",
    "flv",
    "mpegts",
    "mpeg",
    "mpegvideo",
    "asf",  # and wmv
    "ogg",
    "gif",
    "apng",
    "ivf",
    "nut",
    "mxf",
    "rm",
    "dv",
    "m4v",
    "h264",
    "hevc",
    "obu",
    # Sound only.
    "mp3",
    "wav",
    "flac",
    "aac",
    "ac3",
    "eac3",
    "aiff",
    "caf",
    "au",
    "w64",
    "amr",
)

REFUSED_FORMATS = frozenset(
    {"hls", "dash", "concat", "sdp", "rtsp", "rtp", "sap", "imf", "image2", "image2pipe", "lavfi"}
    | {"hds", "smoothstreaming", "webm_dash_manifest", "vobsub", "alias_pix", "tty", "concatf"}
)
"""Formats that refer to other files or streams; checked again after opening."""

_PLAYLISTS = (
    (b"#EXTM3U", "an HLS or M3U playlist"),
    (b"ffconcat version", "an FFmpeg concat list"),
    (b"v=0", "an SDP session description"),
    (b"[playlist]", "a PLS playlist"),
)
_CONTAINER_MAGICS = (
    (4, b"ftyp"),
    (4, b"moov"),
    (4, b"mdat"),
    (4, b"wide"),
    (4, b"free"),
    (0, b"\x1aE\xdf\xa3"),
    (0, b"FLV"),
    (0, b"OggS"),
    (0, b"GIF8"),
    (0, b"\x89PNG"),
    (0, b"\x00\x00\x01"),
    (0, b"\x30\x26\xb2\x75"),
    (8, b"AVI "),
    (0, b"DKIF"),
)

_UNREAD_STILLS = (
    (b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000 picture"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 picture"),
    (b"II+\0", "a BigTIFF"),
    (b"MM\0+", "a BigTIFF"),
    (b"8BPS", "a Photoshop document"),
)

# Raised by PyAV on damaged input beside FFmpeg's own errors.
_NATIVE_ERRORS = (OSError, EOFError, ValueError, RuntimeError, TypeError, LookupError)


@contextmanager
def translate_ffmpeg_errors(path: Path, *, doing: str) -> Iterator[None]:
    """Translate errors of FFmpeg inside the block into this project's errors.

    Args:
        path: The file concerned.
        doing: What is being done, for the message: `decoding the video`.

    Raises:
        UnreadableMediaError: The system refused to read the file.
        DecodeError: Any other error of FFmpeg.
    """
    try:
        yield
    except MediaError:
        raise
    except PermissionError as error:
        raise read_error(path, error) from error
    except (av.error.FFmpegError, *_NATIVE_ERRORS) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DecodeError(f"FFmpeg failed while {doing} ({reason})", path=path) from error


def open_container(path: Path, *, limits: MediaLimits) -> Any:
    """Open a local file with FFmpeg; the caller closes it.

    Args:
        path: A regular file, checked before.
        limits: Limit the memory that FFmpeg allocates for a picture while it probes the streams.

    Returns:
        A `av.container.InputContainer`.

    Raises:
        UnsupportedMediaError: Text, a playlist, or an unsupported format.
        UnreadableMediaError: The system refused.
        ProbeError: A known format, damaged or cut off.
    """
    head = read_head(path)
    if problem := _unread_still(head) or video_problem(path):
        raise UnsupportedMediaError(problem, path=path)
    # FFmpeg itself takes a stream of JPEG pictures for a single one, and an archive for a stream.
    forced = "mjpeg" if head.startswith(b"\xff\xd8\xff") else None
    options = {
        "protocol_whitelist": "file",
        "format_whitelist": ",".join((*ALLOWED_FORMATS, *filter(None, (forced,)))),
        "max_pixels": codec_max_pixels(limits),
    }
    try:
        # With an explicit protocol no file name is taken for a URL: `concat:a|b` is a file.
        container = av.open(
            f"file:{os.path.abspath(path)}",  # noqa: PTH100 - links are kept as they are
            options=options,
            format=forced,
            metadata_errors="replace",
        )
    except (av.error.FFmpegError, *_NATIVE_ERRORS) as error:
        raise _open_error(error, head=head, path=path) from error
    if REFUSED_FORMATS & set(container.format.name.split(",")):
        container.close()
        raise UnsupportedMediaError(f"the format {container.format.name!r} is refused", path=path)
    return container


def _unread_still(head: bytes) -> str | None:
    """Return what a picture is that no decoder here reads whole; None for anything else."""
    if head[:4] in (b"\0\0\1\0", b"\0\0\2\0") and head[4:5] > b"\0" and head[5:6] == b"\0":
        return "an icon or a cursor (ICO)"
    return next((name for magic, name in _UNREAD_STILLS if head.startswith(magic)), None)


def codec_max_pixels(limits: MediaLimits) -> str:
    """Return the pixel limit for FFmpeg's buffers; larger than ours, since it pads pictures."""
    return str(min(2 * limits.max_pixels + (1 << 16), (1 << 31) - 1))


def video_stream(container: Any, *, limits: MediaLimits, path: Path) -> Any:
    """Return the video stream that a player would show.

    Raises:
        ProbeError: The file has no stream.
        SoundOnlyError: It has sound alone.
        UnsupportedMediaError: It has no video stream, or there is no decoder for it.
        MediaTooLargeError: It declares too many pixels.
    """
    if len(container.streams) == 0:
        raise ProbeError("a damaged or cut-off media file (no stream is left in it)", path=path)
    streams = [s for s in container.streams.video if not _is_cover(s)]
    if not streams:
        found = sorted({str(s.type) for s in container.streams})
        name = container.format.name
        if "audio" in found:
            raise SoundOnlyError(f"sound only in the {name} file", path=path)
        raise UnsupportedMediaError(
            f"no video stream (found: {found}) in the {name} file", path=path
        )
    best = container.streams.best("video")
    stream = best if best is not None and not _is_cover(best) else streams[0]
    stream = _coloured(stream, streams)
    if stream.codec_context is None:
        raise UnsupportedMediaError("no decoder for the video's codec", path=path)
    check_pixels(stream.width or 0, stream.height or 0, limits=limits, path=path)
    return stream


def _coloured(stream: Any, streams: list[Any]) -> Any:
    """Return a stream, or where it is grey one of the same size with colours.

    Of an animated AVIF with transparency that is a stream of its own, which FFmpeg may choose.
    """
    if not _pixel_format(stream).startswith("gray"):
        return stream
    size = (stream.width, stream.height)
    others = [s for s in streams if _pixel_format(s) and (s.width, s.height) == size]
    return next((s for s in others if not _pixel_format(s).startswith("gray")), stream)


def _pixel_format(stream: Any) -> str:
    """Return the format of a stream's pixels; nothing where no decoder is known for it."""
    context = stream.codec_context
    return "" if context is None else str(context.pix_fmt or "")


def has_picture(container: Any) -> bool:
    """Return whether a container has a video stream; the cover of a song is none."""
    return any(not _is_cover(stream) for stream in container.streams.video)


def _is_cover(stream: Any) -> bool:
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _open_error(error: Exception, *, head: bytes, path: Path) -> MediaError:
    if isinstance(error, (PermissionError, FileNotFoundError)):
        return read_error(path, error)
    reason = getattr(error, "strerror", None) or str(error)
    playlist = _playlist_name(head)
    if playlist is not None:
        return UnsupportedMediaError(f"{playlist}, which may name other files", path=path)
    if _is_text(head):
        return UnsupportedMediaError("a text file, not a picture, video or sound", path=path)
    if not head.strip(b"\0"):
        return EmptyMediaError(f"the first {len(head)} bytes are all zero", path=path)
    if any(head[at : at + len(magic)] == magic for at, magic in _CONTAINER_MAGICS):
        return ProbeError(f"a damaged or cut-off media file ({reason})", path=path)
    return UnsupportedMediaError(
        f"not a picture, video or sound of a known format ({reason})", path=path
    )


def _playlist_name(head: bytes) -> str | None:
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if b"<MPD" in start[:1024]:
        return "a DASH manifest"
    return next((name for magic, name in _PLAYLISTS if start.startswith(magic)), None)


def _is_text(head: bytes) -> bool:
    # A character may be cut at the end of what was read, hence "ignore" for the last few bytes.
    if b"\0" in head:
        return False
    try:
        head[: max(len(head) - 3, 1)].decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start > 0 and error.reason == "unexpected end of data"
    return True
