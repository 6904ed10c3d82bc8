"""Damaged files raise nothing but a `MediaError`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from deepfake.config import MediaLimits
from deepfake.errors import MediaError
from deepfake.media import open_video, probe_media, quiet_native_logs, read_image
from tests.media_factory import frame_number, noise_picture, write_clip, write_still

LIMITS = MediaLimits(max_pixels=4_000_000)
CLIPS: dict[str, dict[str, object]] = {
    "b.mp4": {"b_frames": 2},
    "fast.mp4": {"is_faststart": True},
    "b.mkv": {"b_frames": 2},
    "s.ts": {},
    "m.avi": {"codec": "mpeg4"},
    "v.webm": {"codec": "libvpx"},
    "a.gif": {"codec": "gif", "fps": 20, "pixel_format": "rgb8"},
}
STILLS = ("s.png", "s.jpg", "s.webp", "s.bmp", "s.tiff", "s.gif")


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """Cut a file short, or flip bits of its first part or anywhere."""
    kind = rng.integers(3)
    if kind == 0:
        return data[: rng.integers(1, len(data))]
    changed = np.frombuffer(data, np.uint8).copy()
    reach = len(data) if kind == 1 else min(len(data), 1500)
    at = rng.integers(0, reach, size=rng.integers(1, 12))
    changed[at] ^= rng.integers(1, 256, size=at.size, dtype=np.uint8)
    return changed.tobytes()


def survives(use: Callable[[], object]) -> bool:
    try:
        use()
    except MediaError as error:
        assert error.message
        return False
    return True


def read_all(path: Path) -> int:
    with open_video(path, limits=LIMITS) as video:
        wanted = range(0, video.info.num_frames, 3)
        return sum(1 for _ in video.read(wanted))


@pytest.mark.parametrize("name", sorted(CLIPS))
def test_damaged_clips(tmp_path: Path, name: str) -> None:
    quiet_native_logs()
    whole = write_clip(tmp_path / name, num_frames=24, **CLIPS[name])  # type: ignore[arg-type]
    data = whole.read_bytes()
    rng = np.random.default_rng(len(name))
    path = tmp_path / f"damaged-{name}"
    outcomes = set()
    for _ in range(40):
        path.write_bytes(damaged(data, rng))
        outcomes.add(survives(lambda: probe_media(path, limits=LIMITS)))
        survives(lambda: read_all(path))
    assert outcomes == {True, False}


@pytest.mark.parametrize("name", STILLS)
def test_damaged_stills(tmp_path: Path, name: str) -> None:
    quiet_native_logs()
    data = write_still(tmp_path / name, noise_picture()).read_bytes()
    rng = np.random.default_rng(len(name))
    path = tmp_path / f"damaged-{name}"
    outcomes = set()
    for _ in range(80):
        path.write_bytes(damaged(data, rng))
        outcomes.add(survives(lambda: read_image(path, limits=LIMITS)))
        survives(lambda: probe_media(path, limits=LIMITS))
    # A checksum guards every byte of a PNG; of the others some damage passes unseen.
    assert outcomes == ({False} if name == "s.png" else {True, False})


def test_a_file_that_shrinks_while_it_is_read(tmp_path: Path) -> None:
    path = write_clip(
        tmp_path / "c.mp4",
        num_frames=80,
        size=(640, 384),
        key_every=1,
        is_faststart=True,
        options={"qp": "0"},
    )
    with open_video(path, limits=LIMITS) as video:
        with path.open("r+b") as stream:
            stream.truncate(path.stat().st_size // 3)
        got = list(video.read(range(80)))
    assert 0 < len(got) < 80
    assert all(f.frame_index == frame_number(f.pixels) for f in got)
