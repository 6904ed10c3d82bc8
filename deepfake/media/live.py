"""Read live frames from a camera, a network stream, or a file played at its own speed."""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any, Protocol

import av
import av.error
import cv2
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from deepfake.config import MediaLimits
from deepfake.errors import (
    DecodeError,
    MediaError,
    ProbeError,
    UnreadableMediaError,
    UnsupportedMediaError,
)
from deepfake.media.containers import codec_max_pixels, video_stream
from deepfake.media.files import check_pixels
from deepfake.media.sources import Source
from deepfake.media.stills import probe_still
from deepfake.media.video import open_video
from deepfake.types import Frame

__all__ = ["ArrivedFrame", "Stream", "open_stream"]

_OPEN_SECONDS, _READ_SECONDS = 10.0, 5.0
"""Timeouts of a network stream, for opening and for each read."""

_MAX_BEHIND_SECONDS = 0.5
"""If decoding a file is later than this, frames are skipped to catch up."""

_PROTOCOLS = {
    "rtsp": "rtsp,rtsps,rtp,srtp,udp,tcp,tls,crypto",
    "http": "http,https,tcp,tls,crypto",
}
_FORMATS = {
    "rtsp": "rtsp",
    "http": "mpjpeg,mjpeg,mpegts,flv,matroska,mov,h264,hevc,ogg",
}
"""No playlists: they refer to other addresses."""

_NATIVE_ERRORS = (av.error.FFmpegError, OSError, EOFError, ValueError, RuntimeError, LookupError)


@dataclass(frozen=True, slots=True)
class ArrivedFrame:
    """A frame and the time at which it became available.

    Attributes:
        frame: `frame_index` counts all frames of the source, also skipped ones.
        arrived_at: By `time.monotonic`, seconds: for a camera or a network stream when it was
            decoded, for a file played at its own speed when it was due.
    """

    frame: Frame
    arrived_at: float


class Stream(Protocol):
    """An open source of frames.

    Attributes:
        is_live: Whether it runs in real time and has no end.
    """

    is_live: bool

    def frames(self) -> Iterator[ArrivedFrame]:
        """Yield its frames; call it once. A live source ends only with an error.

        Raises:
            MediaError: The source was lost, or cannot be decoded.
        """
        ...

    def close(self) -> None:
        """Close it; not while another thread iterates over `frames`."""
        ...


def open_stream(
    source: Source, *, limits: MediaLimits, is_realtime: bool = True, stop: Event | None = None
) -> Stream:
    """Open a source of live frames.

    Args:
        source: The source.
        limits: Size limits of a frame and of a file.
        is_realtime: Whether a file is played at its own speed; else as fast as it is read.
        stop: Set it to stop waiting for the next frame of a file.

    Raises:
        MediaError: It does not exist, does not answer, or is not a video. The message shows only
            the host of an address.
    """
    if source.kind == "camera":
        return _Camera(source, limits=limits)
    if source.kind == "network":
        return _Network(source, limits=limits)
    return _File(source, limits=limits, is_realtime=is_realtime, stop=stop or Event())


class _Camera:
    """A camera of this machine, read with OpenCV."""

    is_live = True

    def __init__(self, source: Source, *, limits: MediaLimits) -> None:
        self._source, self._limits = source, limits
        backend = cv2.CAP_V4L2 if sys.platform == "linux" else cv2.CAP_ANY
        self._capture = cv2.VideoCapture(int(source.address), backend)
        if not self._capture.isOpened():
            self._capture.release()
            raise UnreadableMediaError(
                "no such camera, or it is in use", path=source.shown, hint=_camera_hint()
            )
        # Frames buffered by the driver are old; not every driver supports this setting.
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)

    def frames(self) -> Iterator[ArrivedFrame]:
        began = None
        for index in itertools.count():
            is_read, bgr = self._capture.read()
            if not is_read or bgr is None:
                raise DecodeError("the camera delivers no more pictures", path=self._source.shown)
            now = time.monotonic()
            began = now if began is None else began
            with _named(self._source):
                check_pixels(bgr.shape[1], bgr.shape[0], limits=self._limits, path=Path())
            pixels = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
            yield ArrivedFrame(Frame(pixels, now - began, index), now)

    def close(self) -> None:
        self._capture.release()


def _camera_hint() -> str:
    found = sorted(str(path) for path in Path("/dev").glob("video*"))
    return f"Found here: {', '.join(found)}." if found else "There is no /dev/video* here."


class _Network:
    """A network stream, read with PyAV. Times are those of arrival."""

    is_live = True

    def __init__(self, source: Source, *, limits: MediaLimits) -> None:
        self._source, self._limits = source, limits
        self._reformatter = VideoReformatter()
        scheme = source.address.split("://")[0].lower()
        family = "rtsp" if scheme.startswith("rtsp") else "http"
        options = {
            "protocol_whitelist": _PROTOCOLS[family],
            "format_whitelist": _FORMATS[family],
            "max_pixels": codec_max_pixels(limits),
            "fflags": "nobuffer",
            **({"rtsp_transport": "tcp"} if family == "rtsp" else {}),
        }
        self._container = self._open(options)
        try:
            with _named(source):
                self._stream = video_stream(self._container, limits=limits, path=Path())
        except MediaError:
            self._container.close()
            raise
        self._stream.codec_context.thread_count = 1  # more threads would delay frames
        self._stream.codec_context.flags |= av.codec.context.Flags.low_delay

    def _open(self, options: dict[str, str]) -> Any:
        try:
            return av.open(
                self._source.address,
                options=options,
                timeout=(_OPEN_SECONDS, _READ_SECONDS),
                metadata_errors="replace",
            )
        # Without the cause: FFmpeg's errors contain the whole address.
        except _NATIVE_ERRORS as error:
            raise _open_error(error, source=self._source) from None

    def frames(self) -> Iterator[ArrivedFrame]:
        began = None
        for index, picture in enumerate(self._pictures()):
            now = time.monotonic()
            began = now if began is None else began
            yield ArrivedFrame(Frame(self._to_rgb(picture), now - began, index), now)

    def _pictures(self) -> Iterator[Any]:
        reason = "the stream ended"
        try:
            for packet in self._container.demux(self._stream):
                yield from self._decoded(packet)
        except _NATIVE_ERRORS as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
        raise DecodeError(f"the stream was lost ({reason})", path=self._source.shown)

    def _decoded(self, packet: Any) -> list[Any]:
        try:
            frames: list[Any] = packet.decode()
        except (av.error.FFmpegError, ValueError):
            return []  # a damaged frame; the next may be whole
        return [frame for frame in frames if not frame.is_corrupt]

    def _to_rgb(self, picture: Any) -> NDArray[np.uint8]:
        with _named(self._source):
            check_pixels(picture.width, picture.height, limits=self._limits, path=Path())
        rgb: Any = self._reformatter.reformat(picture, format="rgb24", threads=1).to_ndarray()
        return np.asarray(rgb, np.uint8)

    def close(self) -> None:
        self._container.close()


@contextmanager
def _named(source: Source) -> Iterator[None]:
    """Put the name of the source into errors raised by checks on files."""
    try:
        yield
    except MediaError as error:
        raise type(error)(error.message, path=source.shown) from None


def _open_error(error: Exception, *, source: Source) -> MediaError:
    reason = getattr(error, "strerror", None) or type(error).__name__
    if isinstance(error, av.error.InvalidDataError):
        return UnsupportedMediaError(
            "not a supported video stream",
            path=source.shown,
            hint="Playlists (HLS) are not supported.",
        )
    hint = None
    if isinstance(error, av.error.HTTPUnauthorizedError):
        hint = "Name and password stand in the address: rtsp://NAME:PASSWORD@HOST/..., and what is "
        hint += "neither a letter nor a digit in them as %XX."
    return ProbeError(f"the stream cannot be opened ({reason})", path=source.shown, hint=hint)


class _File:
    """A video file, read with the decoder that scoring uses."""

    is_live = False

    def __init__(
        self, source: Source, *, limits: MediaLimits, is_realtime: bool, stop: Event
    ) -> None:
        path = Path(source.address)
        if not path.exists():
            raise UnreadableMediaError(
                "no such file",
                path=source.shown,
                hint="An address begins with rtsp:// or http://, a camera is a number.",
            )
        if path.is_file() and path.stat().st_size and probe_still(path, limits=limits) is not None:
            raise UnsupportedMediaError(
                "a picture, not a video", path=path, hint="Use: deepfake detect FILE"
            )
        self._reader = open_video(path, limits=limits)
        self._is_realtime, self._stop = is_realtime, stop

    def frames(self) -> Iterator[ArrivedFrame]:
        began = time.monotonic()
        at: int | None = 0
        while at is not None:
            at = yield from self._from(at, began=began)

    def _from(self, at: int, *, began: float) -> Generator[ArrivedFrame, None, int | None]:
        """Yield frames from an index on; return the index to continue at if they are late."""
        num_frames = self._reader.info.num_frames
        for frame in self._reader.read(range(at, num_frames)):
            due = began + frame.pts_seconds if self._is_realtime else time.monotonic()
            early = due - time.monotonic()
            if early > 0 and self._stop.wait(early):
                return None
            yield ArrivedFrame(frame, due)
            now = time.monotonic() - began
            if self._is_realtime and now - frame.pts_seconds > _MAX_BEHIND_SECONDS:
                later = int(np.searchsorted(self._reader.pts_seconds, now))
                if later > frame.frame_index + 1:
                    return later if later < num_frames else None
        return None

    def close(self) -> None:
        self._reader.close()
