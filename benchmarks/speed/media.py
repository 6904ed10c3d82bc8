"""Write media for timing: a clip looped to two hours, and many short clips."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from deepfake.config import MediaLimits
from deepfake.corpora.demo import find_sources
from deepfake.media import read_image, write_video

__all__ = ["loop_clip", "make_short_clips"]

_FPS = 24
_SIDE_PX = 224
_ENCODER = {"preset": "veryfast", "threads": "1"}
_KINDS = frozenset({"video", "audio"})


def loop_clip(source: Path, target: Path, *, seconds: float, max_bytes: int) -> Path:
    """Write a clip over and over into one file; packets are copied, nothing is encoded.

    Args:
        source: A clip with or without sound, whose packets have times: no AVI.
        target: Where to; its ending names the container.
        seconds: How long the film is to be. The last repetition is a whole one.
        max_bytes: With more bytes to a second the film is shorter.

    Returns:
        `target`.

    Raises:
        ValueError: Not even one repetition fits, or the clip has no duration or no times.
    """
    period = _seconds_of(source)
    if period <= 0:
        raise ValueError(f"{source.name} has no duration, so it cannot be looped")
    count = min(-(-Fraction(seconds) // period), max_bytes // source.stat().st_size)
    if count < 1:
        raise ValueError(f"{source.name} alone has more than {max_bytes:,} bytes")
    with av.open(str(source)) as first, av.open(str(target), "w") as film:
        tracks = {
            stream.index: film.add_stream_from_template(stream)
            for stream in first.streams
            if stream.type in _KINDS
        }
        for repetition in range(int(count)):
            for packet in _packets_of(source, tracks):
                shift = round(repetition * period / packet.time_base)
                packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                packet.stream = tracks[packet.stream_index]
                film.mux_one(packet)
    return target


def make_short_clips(folder: Path, *, count: int, seconds: float = 0.5) -> list[Path]:
    """Write H.264 clips of one face, scikit-image's astronaut (NASA, public domain).

    A camera drifts over the portrait; where it starts, the light and the noise of its sensor are
    other ones in each clip, so that no two files are the same.

    Args:
        folder: Gets the files; it is made if it is not there.
        count: How many.
        seconds: Of each.

    Returns:
        The files, in the order of their names.

    Raises:
        DataError: The packages of the demonstration are not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    picture = read_image(find_sources()["scikit-image"], limits=MediaLimits()).pixels
    portrait = np.ascontiguousarray(picture[:400, 40:440])
    return [
        write_video(
            folder / f"clip-{number:05d}.mp4",
            _drifting(portrait, seed=number, num_frames=max(1, round(seconds * _FPS))),
            fps=_FPS,
            options=_ENCODER,
        )
        for number in range(count)
    ]


def _seconds_of(source: Path) -> Fraction:
    """Return when the last packet of any stream ends, counted from the first of all."""
    with av.open(str(source)) as container:
        packets = [p for p in container.demux() if p.pts is not None and p.stream.type in _KINDS]
        starts = [p.pts * p.time_base for p in packets]
        ends = [(p.pts + (p.duration or 0)) * p.time_base for p in packets]
    return Fraction(max(ends, default=0)) - Fraction(min(starts, default=0))


def _packets_of(source: Path, tracks: dict[int, Any]) -> list[Any]:
    with av.open(str(source)) as container:
        wanted = [s for s in container.streams if s.index in tracks]
        packets = [packet for packet in container.demux(wanted) if packet.size]
    if any(packet.pts is None for packet in packets):
        raise ValueError(f"{source.name} has packets without times, so it cannot be looped")
    for index in tracks:
        own = [packet for packet in packets if packet.stream_index == index]
        if any(packet.dts is None for packet in own):
            _fill_dts(own)
    return packets


def _fill_dts(packets: list[Any]) -> None:
    """Set the times of decoding, of which Matroska stores none: in order, and none too late."""
    ascending = sorted(packet.pts for packet in packets)
    late = max(dts - packet.pts for dts, packet in zip(ascending, packets, strict=True))
    for dts, packet in zip(ascending, packets, strict=True):
        packet.dts = dts - late


def _drifting(
    portrait: NDArray[np.uint8], *, seed: int, num_frames: int
) -> Iterator[NDArray[np.uint8]]:
    rng = np.random.default_rng(seed)
    side = int(rng.integers(300, 361))
    room = portrait.shape[0] - side
    start, drift = rng.uniform(0.2, 0.8, size=2) * room, rng.uniform(-0.5, 0.5, size=2)
    gain = rng.uniform(0.85, 1.1)
    noise = rng.integers(-4, 5, (_SIDE_PX, _SIDE_PX, 3), dtype=np.int16)
    for step in range(num_frames):
        top, left = np.clip(start + step * drift, 0, room).astype(int)
        window = portrait[top : top + side, left : left + side]
        view = cv2.resize(window, (_SIDE_PX, _SIDE_PX), interpolation=cv2.INTER_LINEAR)
        lit = cv2.convertScaleAbs(view, alpha=gain)
        shifted = np.roll(noise, 31 * step, axis=(0, 1))
        yield np.asarray(cv2.add(lit, shifted, dtype=cv2.CV_8U), np.uint8)
