"""Decode frames of a video with PyAV: exact by presentation time, in one thread."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence, Set
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
from av.video.frame import PictureType
from numpy.typing import NDArray

from deepfake.config import MediaLimits
from deepfake.errors import DecodeError
from deepfake.media.containers import (
    codec_max_pixels,
    open_container,
    translate_ffmpeg_errors,
    video_stream,
)
from deepfake.media.damage import DamageWatch
from deepfake.media.files import check_frames, check_pixels
from deepfake.media.frame_data import frame_data
from deepfake.media.frame_pixels import FramePixels, square_size
from deepfake.media.orientation import Orientation, matrix_orientation
from deepfake.media.packets import counted_index, index_packets, iter_packets
from deepfake.media.tone_map import is_hdr

__all__ = ["PyavFrames"]

_SEEKING_FORMATS = frozenset({"mov", "matroska", "avi", "flv", "mpegts"})
"""Where frames keep their times after a seek; in an MPEG program stream they shift by one."""
_SKIPPING_CODECS = frozenset({"h264", "hevc"})
"""Decoders that can leave out frames to which no other frame refers: a third of the time."""
_HELD_BACK = 4
"""Frames that decoders hold back for B-frames, give or take."""
_DOUBTED_SHARE = 0.5
"""Share of frames that are marked as key frames above which the first ones are checked."""
_CHECKED_KEYS = 4


class PyavFrames:
    """Decodes the frames of one video file by index.

    Args:
        path: A regular file.
        limits: Bound the pixels of every frame, and how many there are.

    Attributes:
        index: The frames that there are.
        orientation: How the first frame is turned and mirrored for display; each frame by its own.
        stored_size: Width and height of the first frame as stored, pixels.
        size: Width and height of the first frame as shown, pixels.
        are_keys_true: Whether the container marks key frames as such, and no others.
        is_hdr: Whether the first frame is in PQ or HLG.

    Raises:
        MediaError: It cannot be opened, or no frame of it can be decoded.
    """

    def __init__(self, path: Path, *, limits: MediaLimits) -> None:
        self._path = path
        self._limits = limits
        self._position = -1  # the frame that was decoded last
        self._pending: tuple[int, Any] | None = None
        self._wanted: frozenset[int] | None = None
        self._due: set[int] | None = None
        self._is_drained = False
        self._may_drain = True
        self._false_keys: set[int] = set()
        self.are_keys_true = True
        self.is_hdr = False
        self._is_start_doubtful = False
        self._read_to = -1  # the last key frame whose packet was read
        self._skipped_to = self._stale_to = -1
        self._pixels = FramePixels(path, limits=limits)
        self.orientation = Orientation()
        self.stored_size = self.size = (0, 0)
        self._open()
        try:
            with translate_ffmpeg_errors(path, doing="reading the packets"):
                self.index = index_packets(self.container, self.stream, limits=limits, path=path)
            with translate_ffmpeg_errors(path, doing="decoding the first frame"):
                self._check_first_frame()
                self._check_keys()
        except BaseException:
            self.close()
            raise

    @property
    def start_seconds(self) -> float:
        """Time of the first frame, seconds after the start of the file; sound has the same."""
        stream, index = self.stream, self.index
        # AVI stores the decoding order alone: with B-frames its first time is late by the delay.
        is_late = not index.has_packet_times and "avi" in self.container.format.name
        seconds = index.pts[0] * index.time_base
        if is_late or not index.has_stream_times:
            seconds = (stream.start_time or 0) * stream.time_base
        return max(0.0, float(seconds) - (self.container.start_time or 0) / float(av.time_base))

    def close(self) -> None:
        """Close the file."""
        self.container.close()

    def read(self, indices: Sequence[int]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Yield (index, RGB pixels) for ascending indices; damaged frames are left out."""
        for target, shown in self._shown_at(indices):
            yield target, self._pixels.rgb(*shown, pixel_aspect=self._aspect)

    def read_grey(
        self, indices: Sequence[int], *, in_colour: Set[int]
    ) -> Iterator[tuple[int, NDArray[np.uint8], NDArray[np.uint8] | None]]:
        """Yield (index, luminance, RGB pixels where asked for) for ascending indices."""
        for target, shown in self._shown_at(indices):
            aspect, is_shown = self._aspect, target in in_colour
            rgb = self._pixels.rgb(*shown, pixel_aspect=aspect) if is_shown else None
            yield target, self._pixels.grey(*shown, pixel_aspect=aspect), rgb

    def _shown_at(self, indices: Sequence[int]) -> Iterator[tuple[int, Any]]:
        """Yield (index, frame and how it is turned) for ascending indices."""
        self._wanted = frozenset(indices)
        self._stale_to = self._skipped_to
        runs = self._runs(indices)
        with translate_ffmpeg_errors(self._path, doing="decoding the video"):
            for number, run in enumerate(runs, 1):
                # After the last run the caller may read on, so the decoder keeps its state.
                pays = number < len(runs) or self._is_near_key(run)
                self._due = set(run) if self._may_drain and pays else None
                for target in run:
                    shown = self._frame_at(target)
                    if shown is not None:
                        yield target, shown

    def _is_near_key(self, run: Sequence[int]) -> bool:
        """Return whether decoding the end of a run again is cheap."""
        key = self.index.key_before(run[-1]) if run else None
        return key is not None and run[-1] - key < _HELD_BACK

    def _runs(self, indices: Sequence[int]) -> list[list[int]]:
        """Divide the indices into runs decoded in one go; between runs seeking saves decoding."""
        at = np.asarray(indices, np.int64)
        pays = self.index.keys_before(at)[1:] > at[:-1] + 1
        return [run.tolist() for run in np.split(at, np.flatnonzero(pays) + 1)]

    def _open(self) -> None:
        self.container = open_container(self._path, limits=self._limits)
        try:
            self.stream = video_stream(self.container, limits=self._limits, path=self._path)
            context = self.stream.codec_context
            context.thread_count = 1
            context.options = {**context.options, "max_pixels": codec_max_pixels(self._limits)}
            for other in self.container.streams:  # their packets are skipped
                if other is not self.stream:
                    other.discard = av.stream.Discard.all
        except BaseException:
            self.container.close()
            raise

    def _check_first_frame(self) -> None:
        """Decode the first frame; use the packets' times only if its time is among them."""
        self._rewind()
        shown = next(self._decoded, None)
        if shown is None:
            raise DecodeError("no frame of the video can be decoded", path=self._path)
        first, self.orientation = shown
        check_pixels(first.width, first.height, limits=self._limits, path=self._path)
        self.is_hdr = is_hdr(first)
        self.stored_size = (int(first.width), int(first.height))
        self.size = self.orientation.sized(*square_size(first, pixel_aspect=self._aspect))
        check_pixels(*self.size, limits=self._limits, path=self._path)
        self._may_drain = not first.interlaced_frame
        at = self.index.frame_of(first.pts)
        if at is None:
            self._rewind()
            self.index = counted_index(self._count_frames(), stream=self.stream)
            self._rewind()
        else:
            # Frames that depend on data before the start of the file are never shown.
            self.index = self.index.starting_at(at)
            self._pending = (0, shown)

    def _check_keys(self) -> None:
        """Find the key frames by decoding where too many packets are marked as such.

        Some containers mark none, which FFmpeg takes for all, or all: decoding from such a mark
        gives grey pictures, or none.
        """
        marked = self.index.is_key.mean() if self.index.num_frames > 1 else 0.0
        if marked <= _DOUBTED_SHARE or self.stream.codec_context.codec.intra_only:
            return
        self._rewind()
        first = list(itertools.islice(iter(self._next_frame, None), _CHECKED_KEYS))
        is_false = any(self.index.is_key[at] and not _is_key(shown[0]) for at, shown in first)
        self._rewind()
        if is_false:
            self._distrust_keys()

    def _distrust_keys(self) -> None:
        """Replace the container's marks by what the decoder says, key frames alone decoded."""
        self.are_keys_true = False
        is_key = np.zeros(self.index.num_frames, bool)
        self._rewind()
        context = self.stream.codec_context
        context.skip_frame = "NONKEY"
        for packet in iter_packets(self.container, self.stream):
            with suppress(av.error.FFmpegError, ValueError):
                found = [self.index.frame_of(f.pts) for f in packet.decode() if _is_key(f)]
                is_key[[at for at in found if at is not None]] = True
        context.skip_frame = "DEFAULT"
        self.index = self.index.with_keys(is_key)
        # The first key frame may be one that an edit list hides.
        self._false_keys.clear()
        self._reopen()
        self._restart(())

    def _count_frames(self) -> list[int | None]:
        """Decode all frames and return their times."""
        times: list[int | None] = []
        for frame, _ in self._decoded:
            times.append(frame.pts)
            check_frames(len(times), limits=self._limits, path=self._path)
        return times

    def _rewind(self) -> None:
        """Go to the position before the first packet."""
        if not (self._can_seek and self.index.num_frames and self._seek_to_start()):
            # Not every format can seek to its start; opening the file again always works.
            self._reopen()
            self._restart(())

    def _reopen(self) -> None:
        self.container.close()
        self._open()

    def _seek_to_start(self) -> bool:
        start, start_byte = self.index.dts.min(initial=self.index.pts[0]), self.index.start_byte
        with suppress(av.error.FFmpegError, OSError):
            self.container.seek(int(start), stream=self.stream, backward=True)
            first = next(iter_packets(self.container, self.stream), None)
            if first is not None and first.pos is not None and first.pos == start_byte:
                self._restart((first,))
                return True
        return False

    def _restart(self, packets: Sequence[Any]) -> None:
        self._position = self._read_to = -1
        self._pending = None
        self._is_drained = False
        self._lasting = Orientation()
        self._skipped_to = self._stale_to = -1
        self._decoded = self._decode(chain(packets, iter_packets(self.container, self.stream)))
        self._counted = itertools.count()

    def _next_frame(self) -> tuple[int, Any] | None:
        """Return the next frame in presentation order with its index, None at the end."""
        for shown in self._decoded:
            number = next(self._counted)
            found = self.index.frame_of(shown[0].pts) if self.index.has_packet_times else number
            if found is not None:
                return found, shown
        return None

    def _frame_at(self, target: int) -> Any | None:
        self._approach(target)
        frame = self._advance(target)
        if frame is None and self._is_drained:
            self._due = None  # once more, without draining
            self._approach(target)
            frame = self._advance(target)
        if frame is None and self._is_start_doubtful and self.are_keys_true:
            self._due = None
            self._distrust_keys()
            self._approach(target)
            frame = self._advance(target)
        return frame

    def _advance(self, target: int) -> Any | None:
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
        """Seek if the target was passed, or if starting at a later key frame saves decoding."""
        # Frames skipped for an earlier call are gone, even those after the last frame read.
        is_behind = self._is_drained or target <= max(self._position, self._stale_to)
        next_frame = self._pending[0] if self._pending else self._position + 1
        key = self.index.key_before(target)
        if key is not None and (is_behind or key > next_frame):
            self._seek_key(key)
        elif is_behind:
            self._rewind()

    @property
    def _aspect(self) -> Any:
        return self.stream.sample_aspect_ratio

    @property
    def _can_seek(self) -> bool:
        formats = set(self.container.format.name.split(","))
        return self.index.has_packet_times and bool(formats & _SEEKING_FORMATS)

    def _seek_key(self, key: int) -> None:
        """Seek to a key frame, or to the one before if it cannot be decoded on its own.

        Containers mark some frames as key frames that are not: with gradual refresh, decoding has
        to start at the mark before. Where the decoder gives another kind of frame, the marks are
        wrong altogether.
        """
        self._is_start_doubtful = False
        if key not in self._false_keys:
            self._go_to_key(key)
            self._pending = next((f for f in iter(self._next_frame, None) if f[0] >= key), None)
            if self._pending is not None and self._pending[0] == key:
                if _is_key(self._pending[1][0]) or not self.are_keys_true:
                    return
                self._due = None
                self._distrust_keys()
                self._approach_again(key)
                return
            self._false_keys.add(key)
            self._due = None
        self._is_start_doubtful = True
        earlier = self.index.key_before(key - 1)
        if earlier is None:
            self._rewind()
        else:
            self._go_to_key(earlier)

    def _approach_again(self, frame_index: int) -> None:
        """Go to where decoding starts for a frame, after the key frames were found anew."""
        key = self.index.key_before(frame_index)
        if key is None:
            self._rewind()
        else:
            self._go_to_key(key)

    def _go_to_key(self, key: int) -> None:
        """Go to the packet of a key frame without decoding anything."""
        if self._can_seek:
            # Some formats seek by pts, others by dts: if the first lands too late, try the second.
            for offset in (int(self.index.pts[key]), int(self.index.dts[key])):
                with suppress(av.error.FFmpegError, OSError):
                    self.container.seek(offset, stream=self.stream, backward=True)
                    if self._skip_packets_to(key, until=int(self.index.pts[key])):
                        return
        elif key > self._read_to:
            self.stream.codec_context.flush_buffers()
            if self._skip_packets_to(key):
                return
        self._reopen()
        if not self._skip_packets_to(key):
            self._rewind()

    def _skip_packets_to(self, key: int, *, until: int | None = None) -> bool:
        """Skip packets up to a key frame without decoding; return False if it was not found.

        Reading stops at a key frame with a time later than `until`.
        """
        for packet in iter_packets(self.container, self.stream):
            if packet.is_keyframe and packet.size and packet.pts is not None:
                if packet.is_discard:
                    continue
                if packet.pts == self.index.pts[key]:
                    self._restart((packet,))
                    return True
                if until is not None and packet.pts > until:
                    return False
        return False

    def _decode(self, packets: Iterable[Any]) -> Iterator[Any]:
        """Yield frames in presentation order, without damaged ones."""
        can_skip = self.stream.codec_context.codec.canonical_name in _SKIPPING_CODECS
        watch = DamageWatch(is_marked=self.are_keys_true)
        for packet in packets:
            if self.index.has_packet_times:
                self._register(packet, can_skip=can_skip)
            watch.feed(packet)
            try:
                frames = packet.decode()
            except (av.error.FFmpegError, ValueError):
                watch.fail(packet)
                frames = []
            yield from (shown for shown in self._oriented(frames) if watch.is_intact(shown[0]))
            if self._due is not None and not self._due:
                rest = self._oriented(self._drain())
                yield from (shown for shown in rest if watch.is_intact(shown[0]))
                self._is_drained = True
                return

    def _oriented(self, frames: Iterable[Any]) -> Iterator[tuple[Any, Orientation]]:
        """Yield frames, each with how it is turned.

        What the stream says of it holds until the next key frame or until it says otherwise
        (ITU-T H.264, D.2.27); FFmpeg gives it only with the frame at which it is said.
        """
        for frame in frames:
            if frame.key_frame:
                self._lasting = Orientation()
            data = frame_data(frame, "DISPLAYMATRIX")
            if data is not None:
                self._lasting = matrix_orientation(data)
            yield frame, self._lasting

    def _register(self, packet: Any, *, can_skip: bool) -> None:
        """Register the frame that is fed to the decoder next.

        The decoder may skip a frame that is not wanted and that no other frame depends on.
        """
        is_shown = packet.size and not packet.is_discard
        index = self.index.frame_of(packet.pts) if is_shown else None
        is_wanted = index is None or self._wanted is None or index in self._wanted
        is_needed = is_wanted or packet.is_keyframe
        if can_skip:
            self.stream.codec_context.skip_frame = "DEFAULT" if is_needed else "NONREF"
        if index is None:
            return
        if packet.is_keyframe:
            self._read_to = max(self._read_to, index)
        if self._due is not None:
            self._due.discard(index)
        if can_skip and not is_needed:
            self._skipped_to = max(self._skipped_to, index)

    def _drain(self) -> list[Any]:
        """Return the frames that the decoder still holds, without feeding it further packets."""
        try:
            frames: list[Any] = self.stream.codec_context.decode(None)
        except (av.error.FFmpegError, ValueError):
            return []
        # The two fields of an interlaced frame may be in two packets.
        self._may_drain = not any(frame.interlaced_frame for frame in frames)
        return frames if self._may_drain else []


def _is_key(frame: Any) -> bool:
    """Return whether decoding can start at a decoded frame."""
    return bool(frame.key_frame) or frame.pict_type == PictureType.I
