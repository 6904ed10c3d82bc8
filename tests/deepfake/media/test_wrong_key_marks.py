"""Key frames that a container marks wrongly: only a decoded frame says whether it is one."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from deepfake.config import MediaLimits
from deepfake.media import open_video
from tests.media_factory import write_clip

LIMITS = MediaLimits()
KEY_EVERY = 12
WANTED = [7, 18, 31, 44]
QUIET = {"x265-params": "log-level=none"}


def mark_all(path: Path) -> Path:
    """Mark every frame as a key frame."""
    data = bytearray(path.read_bytes())
    if path.suffix == ".avi":
        at = data.rindex(b"idx1")
        (size,) = struct.unpack_from("<I", data, at + 4)
        for entry in range(at + 8, at + 8 + size, 16):
            data[entry + 4] |= 0x10  # AVIIF_KEYFRAME
    else:
        assert b"stss" in data
        data = bytearray(data.replace(b"stss", b"free"))  # without it all frames are key frames
    path.write_bytes(data)
    return path


def mark_one_more(path: Path, frame_index: int) -> Path:
    """Put one frame that is none among the key frames of an mp4: the table's last one moves."""
    data = bytearray(path.read_bytes())
    at = data.index(b"stss") + 8
    (count,) = struct.unpack_from(">I", data, at)
    struct.pack_into(">I", data, at + 4 * count, frame_index + 1)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("hevc.mp4", {"codec": "libx265", "options": QUIET}),
        ("hevc_b.mp4", {"codec": "libx265", "b_frames": 3, "options": QUIET}),
        ("mpeg4.mp4", {"codec": "mpeg4"}),
        ("mpeg4_b.mp4", {"codec": "mpeg4", "b_frames": 2}),
        ("mpeg2.mp4", {"codec": "mpeg2video"}),
        ("h264.mp4", {"b_frames": 2}),
        ("h263.3gp", {"codec": "h263", "size": (176, 144)}),
        ("h263.avi", {"codec": "h263", "size": (176, 144)}),
        ("wmv1.avi", {"codec": "wmv1"}),
        ("wmv2.avi", {"codec": "wmv2"}),
        ("msmpeg4.avi", {"codec": "msmpeg4"}),
        ("mpeg4.avi", {"codec": "mpeg4"}),
        ("h264.mov", {}),
    ],
)
def test_frames_are_those_of_one_pass_where_all_are_marked(
    tmp_path: Path, name: str, settings: dict[str, object]
) -> None:
    settings = {"key_every": KEY_EVERY, **settings}
    path = mark_all(write_clip(tmp_path / name, **settings))  # type: ignore[arg-type]
    with open_video(path, limits=LIMITS) as video:
        assert video.info.num_frames == 48
        assert 1 <= video.is_key.sum() <= 48 // KEY_EVERY + 1
        whole = {f.frame_index: f.pixels.astype(int) for f in video.read(range(48))}
    with open_video(path, limits=LIMITS) as video:
        some = {f.frame_index: f.pixels.astype(int) for f in video.read(WANTED)}
    assert list(whole) == list(range(48))
    assert {i: float(np.abs(whole[i] - some[i]).max()) for i in WANTED} == dict.fromkeys(WANTED, 0)


@pytest.mark.parametrize("codec", ["mpeg4", "libx265", "libx264"])
def test_one_wrong_mark_among_right_ones_does_no_harm(tmp_path: Path, codec: str) -> None:
    options = QUIET if codec == "libx265" else {}
    path = write_clip(tmp_path / "a.mp4", codec=codec, key_every=KEY_EVERY, options=options)
    with open_video(path, limits=LIMITS) as video:
        plain = {f.frame_index: f.pixels.astype(int) for f in video.read([41, 43, 47])}
    mark_one_more(path, 40)
    with open_video(path, limits=LIMITS) as video:
        found = {f.frame_index: f.pixels.astype(int) for f in video.read([41, 43, 47])}
    assert list(found) == [41, 43, 47]
    assert all(np.abs(plain[i] - found[i]).max() == 0 for i in plain)


@pytest.mark.parametrize("codec", ["mjpeg", "libx264"])
def test_clips_of_key_frames_alone_keep_their_marks(tmp_path: Path, codec: str) -> None:
    pixel_format = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    path = write_clip(tmp_path / "a.mov", codec=codec, key_every=1, pixel_format=pixel_format)
    with open_video(path, limits=LIMITS) as video:
        assert video.is_key.all()
