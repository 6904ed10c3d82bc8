"""Index the frames of a video stream: their times, and where decoding can start.

The index is built by reading all packets, without decoding, since headers are often wrong about
the number of frames, rate and duration.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av.error
import numpy as np
from numpy.typing import NDArray

from deepfake.config import MediaLimits
from deepfake.media.files import check_frames

__all__ = ["PacketIndex", "counted_index", "index_packets", "iter_packets"]


@dataclass(frozen=True, slots=True)
class PacketIndex:
    """The frames of a stream, in presentation order.

    Attributes:
        pts: Presentation times in units of `time_base`, strictly ascending, (N,) int64.
        is_key: Whether decoding can start at the frame, (N,) bool.
        dts: Decoding times, same units, (N,) int64; the pts if a packet has none.
        time_base: Seconds a unit.
        last_duration: Duration of the last frame, same units; 0 if unknown.
        has_packet_times: Whether the times come from the packets. If not, frames can only be found
            by counting them from the start, without seeking.
        has_stream_times: Whether `pts` are times of the stream; else frames are counted from 0.
        start_byte: Position of the first packet in the file; None if unknown.
        keys: Indices of the key frames, (K,) int64.
    """

    pts: NDArray[np.int64]
    is_key: NDArray[np.bool_]
    dts: NDArray[np.int64]
    time_base: Fraction
    last_duration: int = 0
    has_packet_times: bool = True
    has_stream_times: bool = True
    start_byte: int | None = None
    keys: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "keys", np.flatnonzero(self.is_key))

    @property
    def num_frames(self) -> int:
        """Frames in the stream."""
        return int(self.pts.size)

    @property
    def pts_seconds(self) -> NDArray[np.float64]:
        """Seconds after the first frame, (N,) float64."""
        if self.num_frames == 0:
            return np.zeros(0)
        seconds: NDArray[np.float64] = (self.pts - self.pts[0]) * float(self.time_base)
        return seconds

    def frame_of(self, pts: int | None) -> int | None:
        """Return the index of the frame shown at exactly `pts`, or None."""
        if pts is None or self.num_frames == 0:
            return None
        at = int(np.searchsorted(self.pts, pts))
        return at if at < self.num_frames and self.pts[at] == pts else None

    def key_before(self, frame_index: int) -> int | None:
        """Return the last key frame at or before `frame_index`, or None."""
        key = int(self.keys_before(np.array([frame_index]))[0])
        return key if key >= 0 else None

    def keys_before(self, frame_indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the last key frame at or before each of many frames, (M,) int64; -1 if none."""
        at = np.searchsorted(self.keys, frame_indices, side="right")
        found: NDArray[np.int64] = np.append(self.keys, -1)[at - 1]
        return found

    def with_keys(self, is_key: NDArray[np.bool_]) -> PacketIndex:
        """Return the index with other key frames.

        Args:
            is_key: Of each frame, (N,).
        """
        return replace(self, is_key=is_key)

    def starting_at(self, frame_index: int) -> PacketIndex:
        """Return the index without the frames before `frame_index`."""
        return replace(
            self,
            pts=self.pts[frame_index:],
            is_key=self.is_key[frame_index:],
            dts=self.dts[frame_index:],
        )


def iter_packets(container: Any, stream: Any) -> Iterator[Any]:
    """Yield the packets of a stream from the current position of the container.

    At the end of the file, or where it is damaged, the packets end. The last packet is the empty
    one that flushes a decoder.
    """
    packets = container.demux(stream)
    while True:
        try:
            yield next(packets)
        except StopIteration:
            return
        except (av.error.FFmpegError, OSError, ValueError, IndexError):
            # (PyAV 18 raises IndexError at the end if a stream appeared after opening.)
            return


def index_packets(container: Any, stream: Any, *, limits: MediaLimits, path: Path) -> PacketIndex:
    """Index a stream from its start by reading its packets.

    Args:
        container: Freshly opened.
        stream: Its video stream.
        limits: How many frames there may be.
        path: The file.

    Raises:
        MediaTooLargeError: There are more frames than allowed.
    """
    packets = _read_packets(container, stream, limits=limits, path=path)
    shown = packets.shown()
    pts, dts = np.frombuffer(packets.pts, np.int64)[shown], np.frombuffer(packets.dts, np.int64)
    order = np.argsort(pts, kind="stable")
    pts = pts[order]
    time_base = Fraction(stream.time_base)
    # AVI stores only the decoding order: with B-frames its presentation times are guesses.
    is_guessed = "avi" in container.format.name and stream.codec_context.has_b_frames
    if is_guessed or 0 in packets.has_pts[shown] or (np.diff(pts) <= 0).any():
        nothing = np.zeros(0, np.int64)
        return PacketIndex(nothing, nothing.astype(bool), nothing, time_base, 0, False)
    return PacketIndex(
        pts,
        np.frombuffer(packets.is_key, np.bool_)[shown][order],
        dts[shown][order],
        time_base,
        packets.durations[shown][int(order[-1])] if order.size else 0,
        start_byte=packets.start_byte,
    )


@dataclass(slots=True)
class _Packets:
    """Times and flags of a stream's packets, in file order; 26 bytes each.

    Ten hours of video have two million packets: half a gigabyte as Python integers.
    """

    pts: array[int] = field(default_factory=lambda: array("q"))
    has_pts: array[int] = field(default_factory=lambda: array("b"))
    dts: array[int] = field(default_factory=lambda: array("q"))
    durations: array[int] = field(default_factory=lambda: array("q"))
    is_key: array[int] = field(default_factory=lambda: array("b"))
    is_last_corrupt: bool = False
    is_key_discarded: bool = False
    start_byte: int | None = None

    def add(self, packet: Any) -> None:
        pts = packet.pts
        dts = packet.dts
        self.pts.append(0 if pts is None else pts)
        self.has_pts.append(pts is not None)
        self.dts.append(self.pts[-1] if dts is None else dts)
        self.durations.append(packet.duration or 0)
        self.is_key.append(packet.is_keyframe)
        self.is_last_corrupt = packet.is_corrupt

    def shown(self) -> slice:
        """Return the range of packets that become frames."""
        count = len(self.pts)
        # A packet that is cut off by the end of the file gives no frame.
        end = count - 1 if count > 1 and self.is_last_corrupt else count
        # Nothing can be decoded before the first key frame, if the container marks any; it may be
        # one that an edit list hides.
        keys = self.is_key[:end]
        if self.is_key_discarded:
            return slice(0, end)
        return slice(keys.index(1) if 1 in keys else 0, end)


def _read_packets(container: Any, stream: Any, *, limits: MediaLimits, path: Path) -> _Packets:
    found = _Packets()
    is_vp8 = stream.codec_context.name == "vp8"
    for packet in iter_packets(container, stream):
        if found.start_byte is None and packet.size:
            found.start_byte = packet.pos
        if packet.is_discard and packet.is_keyframe and not found.pts:
            found.is_key_discarded = True
        if packet.size == 0 or packet.is_discard:  # discarded by an edit list
            continue
        if is_vp8 and not memoryview(packet)[0] & 0x10:  # RFC 6386, 9.1: show_frame
            continue
        found.add(packet)
        check_frames(len(found.pts), limits=limits, path=path)
    return found


def counted_index(times: list[int | None], *, stream: Any) -> PacketIndex:
    """Return an index made of decoded frames, where packets say nothing of use.

    Args:
        times: Of the frames in order, in the stream's unit; None where a frame has none.
        stream: PyAV's stream.
    """
    pts = np.array([-1 if t is None else t for t in times], np.int64)
    step = 1
    time_base = stream.time_base
    is_counted = None in times or bool((np.diff(pts) <= 0).any())
    if is_counted:
        # No usable times at all: use the frame rate.
        rate = stream.average_rate or stream.guessed_rate or 25
        pts, time_base = np.arange(len(times), dtype=np.int64), 1 / Fraction(rate)
    elif len(times) > 1:
        step = int(np.median(np.diff(pts)))
    is_key = np.zeros(len(times), bool)
    return PacketIndex(
        pts,
        is_key,
        pts,
        time_base,
        step,
        has_packet_times=False,
        has_stream_times=not is_counted,
    )
