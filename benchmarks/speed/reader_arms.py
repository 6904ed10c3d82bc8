"""Arms that only decode: the sampled frames as full-size RGB, by PyAV, decord, and ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from benchmarks.speed.clips import Clip
from benchmarks.speed.timer import Work
from deepfake.config import MediaLimits
from deepfake.media import open_video

__all__ = ["READERS", "create_reader", "read_by_decord", "read_by_ours", "read_by_pyav"]

_MIN_FRAMES_SAVED = 4
"""A seek throws away what the decoder holds; it has to save more frames than that."""

Pixels = NDArray[np.uint8]
Reader = Callable[[Clip], Iterator[Pixels]]


def read_by_pyav(clip: Clip) -> Iterator[Pixels]:
    """Yield the sampled frames by plain PyAV, which seeks where a key frame saves decoding."""
    with av.open(str(clip.path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        decoded: Iterator[Any] = container.decode(stream)
        position = 0  # the frame that comes next
        for index, pts, key, key_pts in zip(
            clip.indices, clip.pts, clip.keys, clip.key_pts, strict=True
        ):
            if key - position >= _MIN_FRAMES_SAVED:
                container.seek(key_pts, stream=stream)
                decoded = container.decode(stream)
            found = next((f for f in decoded if f.pts is not None and f.pts >= pts), None)
            if found is not None and found.pts == pts:
                yield found.to_ndarray(format="rgb24", threads=1)
            position = index + 1


def read_by_decord(clip: Clip) -> Iterator[Pixels]:
    """Yield the sampled frames by decord.

    Raises:
        ImportError: It is not installed; it has no wheel for ARM.
    """
    import decord

    # It decodes ahead in a thread of its own, which ends with the reader, so with this generator
    # and not in the time of the next arm.
    reader = decord.VideoReader(str(clip.path), num_threads=1)
    for index in clip.indices:
        yield reader[index].asnumpy()


def read_by_ours(clip: Clip) -> Iterator[Pixels]:
    """Yield the sampled frames by this project's reader, which indexes all packets first."""
    with open_video(clip.path, limits=MediaLimits()) as reader:
        for frame in reader.read(clip.indices):
            yield frame.pixels


READERS: dict[str, Reader] = {
    "floor_pyav": read_by_pyav,
    "floor_decord": read_by_decord,
    "ours_decode": read_by_ours,
}
"""By the name of the arm."""


def create_reader(name: str) -> Callable[[Clip], Work]:
    """Return the arm that opens a clip, reads its sampled frames and closes it."""
    reader = READERS[name]

    def run(clip: Clip) -> Work:
        frames = sum(pixels.ndim == 3 for pixels in reader(clip))
        if frames != len(clip.indices):
            raise RuntimeError(f"{frames} of {len(clip.indices)} frames were found")
        return Work(frames=frames)

    return run
