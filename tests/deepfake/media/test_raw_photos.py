"""Raw photographs are developed upright, within the limits, or refused by name."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from deepfake.config import MediaLimits
from deepfake.errors import DecodeError, MediaError, MediaTooLargeError, UnsupportedMediaError
from deepfake.media import probe_media, raw_photos, read_image
from deepfake.types import Kind
from tests.media_factory import write_dng
from tests.sample_data import face_close_up

LIMITS = MediaLimits()
FACE = cv2.resize(face_close_up(256), (320, 200), interpolation=cv2.INTER_AREA)
pytest.importorskip("rawpy")


def likeness(found: NDArray[np.uint8], wanted: NDArray[np.uint8]) -> float:
    """Return how well the brightness of two pictures agrees, 1.0 for all of it."""
    grey = [cv2.cvtColor(p, cv2.COLOR_RGB2GRAY).ravel().astype(float) for p in (found, wanted)]
    return float(np.corrcoef(*grey)[0, 1])


def test_a_dng_is_developed(tmp_path: Path) -> None:
    path = write_dng(tmp_path / "a.dng", FACE)
    info = probe_media(path, limits=LIMITS)
    assert (info.kind, info.codec, info.width, info.height) == (Kind.IMAGE, "raw", 320, 200)
    found = read_image(path, limits=LIMITS).pixels
    assert found.shape == (200, 320, 3)
    assert likeness(found, FACE) > 0.97
    # Colours too: red skin is red.
    assert found[:, :, 0].mean() > found[:, :, 2].mean()


def test_the_photograph_of_a_monochrome_camera_has_three_equal_channels(tmp_path: Path) -> None:
    path = write_dng(tmp_path / "a.dng", FACE, is_monochrome=True)
    found = read_image(path, limits=LIMITS).pixels
    assert found.shape == (200, 320, 3)
    assert (found == found[:, :, :1]).all()
    assert likeness(found, FACE) > 0.97


@pytest.mark.parametrize(("orientation", "turns"), [(1, 0), (3, 2), (6, -1), (8, 1)])
def test_a_dng_is_upright(tmp_path: Path, orientation: int, turns: int) -> None:
    path = write_dng(tmp_path / "a.dng", FACE, orientation=orientation)
    found = read_image(path, limits=LIMITS).pixels
    info = probe_media(path, limits=LIMITS)
    assert (info.height, info.width) == found.shape[:2]
    assert likeness(found, np.ascontiguousarray(np.rot90(FACE, turns))) > 0.97


def test_a_dng_over_the_limit_is_too_large(tmp_path: Path) -> None:
    path = write_dng(tmp_path / "a.dng", FACE)
    with pytest.raises(MediaTooLargeError):
        read_image(path, limits=MediaLimits(max_pixels=1000))


def test_a_huge_photograph_is_read_at_half_of_its_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raw_photos, "_HALVED_PIXELS", 1000)
    path = write_dng(tmp_path / "a.dng", FACE, orientation=6)
    found = read_image(path, limits=LIMITS).pixels
    info = probe_media(path, limits=LIMITS)
    assert (info.width, info.height) == (100, 160)
    assert found.shape[:2] == (160, 100)


@pytest.mark.parametrize("share", [0.01, 0.3, 0.9])
def test_a_cut_photograph_is_an_error(tmp_path: Path, share: float) -> None:
    path = write_dng(tmp_path / "a.dng", FACE)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises((DecodeError, UnsupportedMediaError)):
        read_image(path, limits=LIMITS)


@pytest.mark.parametrize(
    "head",
    [
        b"FUJIFILMCCD-RAW 0201FF383501",
        b"IIRO\x08\0\0\0",
        b"IIU\0\x08\0\0\0",
        b"\0\0\0\x18ftypcrx \0\0\0\1",
        b"II*\0\x10\0\0\0CR\x02\0",
    ],
)
def test_what_only_begins_as_a_raw_photograph_is_refused(tmp_path: Path, head: bytes) -> None:
    path = tmp_path / "a.raw"
    path.write_bytes(head + np.random.default_rng(0).bytes(4000))
    with pytest.raises((UnsupportedMediaError, DecodeError), match="raw photograph"):
        probe_media(path, limits=LIMITS)


def test_a_tiff_that_begins_with_a_thumbnail_is_no_crash(tmp_path: Path) -> None:
    data = write_dng(tmp_path / "a.dng", FACE).read_bytes()
    tag = struct.pack("<HHI", 262, 3, 1)
    at = data.index(tag)
    (tmp_path / "b.dng").write_bytes(data[: at + 8] + struct.pack("<I", 2) + data[at + 12 :])
    try:
        assert read_image(tmp_path / "b.dng", limits=LIMITS).pixels.size
    except MediaError as error:
        assert error.message
