"""Clips trimmed by an edit list: what it hides is decoded and not shown, and key frames count."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from deepfake.config import MediaLimits
from deepfake.media import open_video
from tests.media_factory import frame_number, write_clip

LIMITS = MediaLimits()


def trim(path: Path, *, first_frame: int, fps: int = 25) -> Path:
    """Let an mp4's edit list begin at a frame."""
    data = bytearray(path.read_bytes())
    at = data.index(b"mdhd")
    (timescale,) = struct.unpack_from(">I", data, at + 4 + 4 + 8)
    entry = data.index(b"elst") + 4 + 4
    assert struct.unpack_from(">I", data, entry)[0] == 1
    (start,) = struct.unpack_from(">i", data, entry + 8)
    struct.pack_into(">i", data, entry + 8, start + first_frame * timescale // fps)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("b_frames", [0, 2])
@pytest.mark.parametrize("first_frame", [3, 12, 17, 30])
def test_key_frames_are_used_as_in_the_whole_clip(
    tmp_path: Path, first_frame: int, b_frames: int
) -> None:
    path = write_clip(tmp_path / "a.mp4", key_every=12, b_frames=b_frames)
    trim(path, first_frame=first_frame)
    with open_video(path, limits=LIMITS) as video:
        count = video.info.num_frames
        assert abs(count - (48 - first_frame)) <= 1
        assert video.is_key.sum() >= (48 - first_frame) // 12
        frames = [(f.frame_index, frame_number(f.pixels)) for f in video.read(range(count))]
        offset = frames[0][1]
        assert frames == [(i, i + offset) for i in range(count)]
        again = [(f.frame_index, frame_number(f.pixels)) for f in video.read([0, 2, count - 3])]
        assert again == [(i, i + offset) for i in (0, 2, count - 3)]
    assert abs(offset - first_frame) <= 1
