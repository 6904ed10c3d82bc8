"""The index of a video stream: which frames there are and when they are shown.

Headers lie about counts, rates and durations. The packets themselves are read, not decoded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import av.error
import numpy as np
from numpy.typing import NDArray

__all__ = ["PacketIndex", "index_packets", "iter_packets"]


@dataclass(frozen=True, slots=True)
class PacketIndex:
    """The frames of a stream in the order in which they are shown.

    Attributes:
        pts: Presentation times in units of `time_base`, strictly ascending, (N,) int64.
        is_key: Whether decoding can start at the frame, (N,) bool.
        dts: Decoding times, same units, (N,) int64; the pts where a packet has none.
        time_base: Seconds a unit.
        last_duration: How long the last frame is shown, same units; 0 where nothing says so.
        has_packet_times: Whether the times are those of the packets. Where they are not, frames
            are known by counting them from the start and seeking is of no use.
    """

    pts: NDArray[np.int64]
    is_key: NDArray[np.bool_]
    dts: NDArray[np.int64]
    time_base: Fraction
    last_duration: int = 0
    has_packet_times: bool = True

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
        """Return the last frame at or before `frame_index` where decoding can start, or None."""
        keys = np.flatnonzero(self.is_key[: frame_index + 1])
        return int(keys[-1]) if keys.size else None

    def starting_at(self, frame_index: int) -> PacketIndex:
        """Return the index without the frames before `frame_index`."""
        return replace(
            self,
            pts=self.pts[frame_index:],
            is_key=self.is_key[frame_index:],
            dts=self.dts[frame_index:],
        )


def iter_packets(container: Any, stream: Any) -> Iterator[Any]:
    """Yield the packets of a stream from where the container stands.

    Where the file breaks off or is damaged, the packets end: what came before stands. The last
    packet yielded is the empty one that flushes a decoder.
    """
    packets = container.demux(stream)
    while True:
        try:
            yield next(packets)
        except StopIteration:
            return
        except (av.error.FFmpegError, OSError, ValueError, IndexError):
            # (PyAV 18 raises IndexError at the end if a stream turned up on the way.)
            return


def index_packets(container: Any, stream: Any) -> PacketIndex:
    """Return the index of a stream, from its start, by reading its packets.

    Args:
        container: Freshly opened.
        stream: Its video stream.
    """
    kept = _shown(_rows(container, stream, codec=stream.codec_context.name))
    time_base = Fraction(stream.time_base)
    times = [row[0] for row in kept]
    # AVI stores the order of decoding alone: with B-frames its presentation times are guesses.
    is_guessed = "avi" in container.format.name and stream.codec_context.has_b_frames
    if is_guessed or any(t is None for t in times) or len(set(times)) < len(times):
        nothing = np.zeros(0, np.int64)
        return PacketIndex(nothing, nothing.astype(bool), nothing, time_base, 0, False)
    ordered = sorted(kept, key=lambda row: row[0])
    pts = np.array([row[0] for row in ordered], np.int64)
    dts = np.array([row[0] if row[1] is None else row[1] for row in ordered], np.int64)
    is_key = np.array([row[2] for row in ordered], bool)
    return PacketIndex(pts, is_key, dts, time_base, ordered[-1][3] if ordered else 0)


_Row = tuple[Any, Any, bool, int, bool]  # pts, dts, is_key, duration, is_corrupt


def _rows(container: Any, stream: Any, *, codec: str) -> Iterator[_Row]:
    for packet in iter_packets(container, stream):
        if packet.size == 0 or packet.is_discard:  # what an edit list cuts away is not shown
            continue
        if codec == "vp8" and not memoryview(packet)[0] & 0x10:  # RFC 6386, 9.1: show_frame
            continue
        duration = packet.duration or 0
        yield packet.pts, packet.dts, packet.is_keyframe, duration, packet.is_corrupt


def _shown(rows: Iterable[_Row]) -> list[_Row]:
    kept = list(rows)
    # A packet that the end of the file cut in two is no frame.
    if len(kept) > 1 and kept[-1][4]:
        kept.pop()
    # Nothing can be decoded before the first key frame, if the container marks any.
    first = next((i for i, row in enumerate(kept) if row[2]), 0)
    return kept[first:]
