"""Choose the clips to time and the frames that every reader takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import av
import numpy as np

from deepfake.config import MediaLimits, SamplingConfig
from deepfake.errors import DeepfakeError
from deepfake.extract.sampling import sample_indices
from deepfake.media import open_video

__all__ = ["NUM_FRAMES", "Clip", "find_clips", "plan_clip", "spread_items"]

NUM_FRAMES = 32
"""Sampled of each clip, whatever the strategy."""

Item = TypeVar("Item")

_EXTENSIONS = frozenset({".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi"})


@dataclass(frozen=True, slots=True)
class Clip:
    """A video and the frames that a uniform sample of it takes.

    Attributes:
        path: The file.
        name: Its path below the folder asked for, with slashes.
        width: Pixels, as shown.
        height: Pixels, as shown.
        num_frames: In the whole clip.
        duration_seconds: Of the whole clip.
        indices: The sampled frames, ascending.
        pts: Their presentation times, in the stream's own units.
        keys: For each of them the last frame at or before it where decoding can start.
        key_pts: The presentation times of those.
    """

    path: Path
    name: str
    width: int = 0
    height: int = 0
    num_frames: int = 0
    duration_seconds: float = 0.0
    indices: tuple[int, ...] = ()
    pts: tuple[int, ...] = ()
    keys: tuple[int, ...] = ()
    key_pts: tuple[int, ...] = ()

    @property
    def shorter_side(self) -> int:
        """The lines of an upright or lying picture, pixels."""
        return min(self.width, self.height)


def find_clips(folder: Path) -> tuple[list[Clip], dict[str, str]]:
    """Return the videos below a folder, sorted by name, and why others of their kind are left out.

    Raises:
        FileNotFoundError: There is no such folder, or no video in it.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {folder}: name one that holds videos.")
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in _EXTENSIONS)
    clips, left_out = [], {}
    for path in paths:
        name = path.relative_to(folder).as_posix()
        try:
            clips.append(plan_clip(path, name=name))
        except DeepfakeError as error:
            left_out[name] = error.message
    if not clips:
        raise FileNotFoundError(f"There is no video in {folder} that can be read.")
    return clips, left_out


def spread_items(items: Sequence[Item], *, count: int) -> list[Item]:
    """Return `count` of the items, evenly spread over their order; all where there are fewer.

    Example:
        >>> spread_items("abcdef", count=2)
        ['b', 'e']
    """
    if count >= len(items):
        return list(items)
    return [items[int((i + 0.5) * len(items) / count)] for i in range(count)]


def plan_clip(path: Path, *, name: str) -> Clip:
    """Choose the frames of a uniform sample, so that no reader has to while it is timed.

    Raises:
        MediaError: It is no video that can be read.
    """
    with open_video(path, limits=MediaLimits()) as reader:
        info = reader.info
        indices = sample_indices(
            reader.pts_seconds,
            config=SamplingConfig(num_frames=NUM_FRAMES),
            duration_seconds=info.duration_seconds,
        )
    pts, is_key = _packet_times(path, num_frames=info.num_frames)
    starts = np.flatnonzero(is_key)
    keys = [int(starts[starts <= i][-1]) if (starts <= i).any() else 0 for i in indices]
    return Clip(
        path=path,
        name=name,
        width=info.width,
        height=info.height,
        num_frames=info.num_frames,
        duration_seconds=info.duration_seconds,
        indices=tuple(indices.tolist()),
        pts=tuple(pts[i] for i in indices),
        keys=tuple(keys),
        key_pts=tuple(pts[i] for i in keys),
    )


def _packet_times(path: Path, *, num_frames: int) -> tuple[list[int], list[bool]]:
    with av.open(str(path)) as container:
        packets = [p for p in container.demux(container.streams.video[0]) if p.size]
        rows = sorted((p.pts, p.is_keyframe) for p in packets if p.pts is not None)
    # Frames that lean on something before the start of the file are never shown.
    shown = rows[-num_frames:]
    return [pts for pts, _ in shown], [is_key for _, is_key in shown]
