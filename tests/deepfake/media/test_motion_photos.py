"""The video behind a still is found, whatever the metadata say of it."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from PIL import Image

from deepfake.config import MediaLimits
from deepfake.media import motion_video, open_video, probe_media, read_image
from deepfake.types import Kind
from tests.media_factory import (
    MOTION_PHOTOS,
    frame_number,
    index_frame,
    noise_picture,
    write_clip,
    write_motion_photo,
)

LIMITS = MediaLimits()


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "clip.mp4", num_frames=20)


@pytest.mark.parametrize("maker", MOTION_PHOTOS)
def test_the_video_is_found_and_the_still_is_a_still(
    tmp_path: Path, clip: Path, maker: str
) -> None:
    path = write_motion_photo(tmp_path / "photo", index_frame(7), clip, maker=maker)
    assert probe_media(path, limits=LIMITS).kind is Kind.IMAGE
    assert frame_number(read_image(path, limits=LIMITS).pixels) == 7
    with motion_video(path, limits=LIMITS) as video:
        assert video is not None
        with open_video(video, limits=LIMITS) as reader:
            assert reader.info.num_frames == 20
            assert [frame_number(frame.pixels) for frame in reader.read([0, 11, 19])] == [0, 11, 19]


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".heic", ".avif", ".webp"])
def test_a_photograph_alone_has_no_video(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    if suffix == ".heic":
        pytest.importorskip("pillow_heif").register_heif_opener()
    Image.fromarray(noise_picture(1)).save(path)
    with motion_video(path, limits=LIMITS) as video:
        assert video is None


def test_a_word_in_the_metadata_is_no_video(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0131] = "\0\0\0\x18ftypmp42"
    Image.fromarray(noise_picture(1)).save(tmp_path / "a.jpg", exif=exif)
    with motion_video(tmp_path / "a.jpg", limits=LIMITS) as video:
        assert video is None


@pytest.mark.parametrize("size", [0, 4, 17, 1 << 30])
def test_a_box_of_an_impossible_size_is_no_video(tmp_path: Path, size: int) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(noise_picture(1)).save(path)
    path.write_bytes(path.read_bytes() + struct.pack(">I", size) + b"ftypmp42" + bytes(99))
    with motion_video(path, limits=LIMITS) as video:
        assert video is None


def test_a_video_over_the_limit_is_not_copied(tmp_path: Path, clip: Path) -> None:
    path = write_motion_photo(tmp_path / "a.jpg", index_frame(7), clip, maker="samsung.jpg")
    with motion_video(path, limits=MediaLimits(max_bytes=1000)) as video:
        assert video is None


def test_nothing_is_left_of_the_copy(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_motion_photo(tmp_path / "a.jpg", index_frame(7), clip, maker="samsung.jpg")
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    before = len(list(Path("/proc/self/fd").iterdir()))
    with motion_video(path, limits=LIMITS) as video:
        assert video is not None and video.exists()
        assert not any((tmp_path / "tmp").iterdir())
    assert len(list(Path("/proc/self/fd").iterdir())) == before
