"""Frames of a video by PyAV: exact, by presentation time, one thread."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from deepfake.config import MediaLimits
from deepfake.errors import DecodeError
from deepfake.media.containers import codec_max_pixels, open_container, translated, video_stream
from deepfake.media.damage import DamageWatch
from deepfake.media.files import check_pixels
from deepfake.media.packets import PacketIndex, index_packets, iter_packets

__all__ = ["PyavFrames"]

_SEEKING_FORMATS = frozenset({"mov", "matroska", "avi", "flv", "mpegts"})
"""Where frames keep their times after a seek; in an MPEG program stream they shift by one."""
_SKIPPING_CODECS = frozenset({"h264", "hevc"})
"""Decoders that can leave out frames to which no other frame refers: a third of the time."""
_MIN_FRAMES_SAVED = 4
"""A seek throws away the few frames that a decoder holds back; it has to save more than those."""


class PyavFrames:
    """The frames of one video file, found by index.

    Args:
        path: A regular file.
        limits: Bound the pixels of every frame.

    Attributes:
        index: The frames that there are.
        rotation: Degrees clockwise by which every frame is turned upright.
        size: Width and height of the first frame as stored, pixels.

    Raises:
        MediaError: It cannot be opened, or no frame of it can be decoded.
    """

    def __init__(self, path: Path, *, limits: MediaLimits) -> None:
        self._path = path
        self._limits = limits
        self._position = -1  # the frame that was decoded last
        self._pending: tuple[int, Any] | None = None
        self._wanted: frozenset[int] | None = None
        self._skipped_to = self._stale_to = -1
        self._reformatter = VideoReformatter()
        self.rotation = 0
        self.size = (0, 0)
        self._open()
        try:
            with translated(path, doing="reading the packets"):
                self.index = index_packets(self.container, self.stream)
            with translated(path, doing="decoding the first frame"):
                self._check_first_frame()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self.container.close()

    def read(self, indices: Sequence[int]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Yield (index, RGB pixels) for ascending indices; damaged frames are left out."""
        self._wanted = frozenset(indices)
        self._stale_to = self._skipped_to
        with translated(self._path, doing="decoding the video"):
            for target in indices:
                frame = self._frame_at(target)
                if frame is not None:
                    yield target, self._to_rgb(frame)

    def _open(self) -> None:
        self.container = open_container(self._path, limits=self._limits)
        try:
            self.stream = video_stream(self.container, limits=self._limits, path=self._path)
            context = self.stream.codec_context
            context.thread_count = 1
            context.options = {**context.options, "max_pixels": codec_max_pixels(self._limits)}
        except BaseException:
            self.container.close()
            raise

    def _check_first_frame(self) -> None:
        """Decode the first frame; trust the packets' times only if it stands among them."""
        self._rewind()
        first = next(self._decoded, None)
        if first is None:
            raise DecodeError("no frame of the video can be decoded", path=self._path)
        check_pixels(first.width, first.height, limits=self._limits, path=self._path)
        self.rotation, self.size = _clockwise(first), (int(first.width), int(first.height))
        at = self.index.frame_of(first.pts)
        if at is None:
            self._rewind()
            self.index = _counted_index([f.pts for f in self._decoded], stream=self.stream)
            self._rewind()
        else:
            # Frames that lean on something before the start of the file are never shown.
            self.index = self.index.starting_at(at)
            self._pending = (0, first)

    def _rewind(self) -> None:
        # Not every format can seek to its very start; opening it anew always works.
        self.container.close()
        self._open()
        self._restart(())

    def _restart(self, packets: Sequence[Any]) -> None:
        self._position = -1
        self._pending = None
        self._skipped_to = self._stale_to = -1
        self._decoded = self._decode(chain(packets, iter_packets(self.container, self.stream)))
        self._counted = itertools.count()

    def _next_frame(self) -> tuple[int, Any] | None:
        """Return the next frame in the order shown and its index, None at the end."""
        for frame in self._decoded:
            number = next(self._counted)
            found = self.index.frame_of(frame.pts) if self.index.has_packet_times else number
            if found is not None:
                return found, frame
        return None

    def _frame_at(self, target: int) -> Any | None:
        self._approach(target)
        while True:
            item = self._pending or self._next_frame()
            self._pending = None
            if item is None:
                return None
            if item[0] > target:  # the target is missing; the next one may be this
                self._pending = item
                return None
            self._position = item[0]
            if item[0] == target:
                return item[1]

    def _approach(self, target: int) -> None:
        """Seek if the target lies behind, or if a key frame before it saves decoding."""
        # What was passed over for an earlier call is gone, even ahead of the last frame.
        is_behind = target <= max(self._position, self._stale_to)
        next_frame = self._pending[0] if self._pending else self._position + 1
        key = self.index.key_before(target) if self._can_seek else None
        if key is not None and (is_behind or key - next_frame >= _MIN_FRAMES_SAVED):
            self._seek(key, target=target)
        elif is_behind:
            self._rewind()

    @property
    def _can_seek(self) -> bool:
        formats = set(self.container.format.name.split(","))
        return self.index.has_packet_times and bool(formats & _SEEKING_FORMATS)

    def _seek(self, key: int, *, target: int) -> None:
        # Some formats seek by pts, some by dts: where the first lands too late, try the second.
        for offset in (int(self.index.pts[key]), int(self.index.dts[key])):
            try:
                self.container.seek(offset, stream=self.stream, backward=True)
            except (av.error.FFmpegError, OSError):
                continue
            landed = self._packets_to_key()
            if landed and landed[-1].pts is not None and landed[-1].pts <= self.index.pts[target]:
                self._restart(landed[-1:])
                return
        self._rewind()

    def _packets_to_key(self) -> list[Any]:
        landed = []
        for packet in iter_packets(self.container, self.stream):
            landed.append(packet)
            if packet.is_keyframe and packet.size:
                return landed
        return []

    def _decode(self, packets: Iterable[Any]) -> Iterator[Any]:
        """Yield frames in the order shown, without those that could not be decoded whole."""
        can_skip = self.stream.codec_context.codec.canonical_name in _SKIPPING_CODECS
        watch = DamageWatch()
        for packet in packets:
            if can_skip and self.index.has_packet_times:
                self._choose_skipping(packet)
            watch.feed(packet)
            try:
                frames = packet.decode()
            except (av.error.FFmpegError, ValueError):
                watch.fail(packet)
                continue
            yield from filter(watch.is_whole, frames)

    def _choose_skipping(self, packet: Any) -> None:
        """Let the decoder pass over a frame that nobody wants and no other frame leans on."""
        index = self.index.frame_of(packet.pts) if packet.size else None
        is_needed = index is None or self._wanted is None or index in self._wanted
        self.stream.codec_context.skip_frame = "DEFAULT" if is_needed else "NONREF"
        if index is not None and not is_needed:
            self._skipped_to = max(self._skipped_to, index)

    def _to_rgb(self, frame: Any) -> NDArray[np.uint8]:
        check_pixels(frame.width, frame.height, limits=self._limits, path=self._path)
        rgb: Any = self._reformatter.reformat(frame, format="rgb24", threads=1).to_ndarray()
        upright: NDArray[np.uint8] = np.rot90(rgb, k=-self.rotation // 90)
        return np.ascontiguousarray(upright)


def _clockwise(frame: Any) -> int:
    # FFmpeg gives the display matrix's angle counterclockwise, and any angle is possible.
    return -round(int(frame.rotation) / 90) * 90 % 360


def _counted_index(times: list[int | None], *, stream: Any) -> PacketIndex:
    pts = np.array([-1 if t is None else t for t in times], np.int64)
    step = 1
    time_base = stream.time_base
    if None in times or (np.diff(pts) <= 0).any():
        # No usable times at all: what is left is the rate.
        rate = stream.average_rate or stream.guessed_rate or 25
        pts, time_base = np.arange(len(times), dtype=np.int64), 1 / rate
    elif len(times) > 1:
        step = int(np.median(np.diff(pts)))
    is_key = np.zeros(len(times), bool)
    return PacketIndex(pts, is_key, pts, time_base, step, has_packet_times=False)
