"""Animated WebP is a video; an animated JPEG XL is refused, a still one read as browsers do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from deepfake.config import MediaLimits
from deepfake.errors import (
    DecodeError,
    EmptyMediaError,
    MediaError,
    MediaTooLargeError,
    UnsupportedMediaError,
)
from deepfake.media import open_video, probe_media, read_image, read_tags
from deepfake.media.jxl_header import read_jxl_header
from deepfake.types import Kind
from tests.media_factory import frame_number, index_frame, noise_picture

LIMITS = MediaLimits()
DURATIONS = [80, 40, 200, 80, 5, 80]


def write_webp(path: Path, *, count: int = 6, durations: list[int] | None = None) -> Path:
    frames = [Image.fromarray(index_frame(i)) for i in range(count)]
    shown = durations or DURATIONS[:count]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=shown, lossless=True)
    return path


def test_an_animated_webp_is_a_video_with_the_times_of_its_frames(tmp_path: Path) -> None:
    path = write_webp(tmp_path / "a.webp")
    info = probe_media(path, limits=LIMITS)
    assert (info.kind, info.num_frames, info.width, info.height) == (Kind.VIDEO, 6, 160, 96)
    # Browsers show a frame that is to last 10 ms or less for 100.
    assert info.duration_seconds == pytest.approx(0.58)
    with open_video(path, limits=LIMITS) as video:
        assert video.pts_seconds == pytest.approx([0, 0.08, 0.12, 0.32, 0.40, 0.50])
        for wanted in ([0, 3, 5], [1, 2], [5]):
            found = list(video.read(wanted))
            assert [frame.frame_index for frame in found] == wanted
            assert [frame_number(frame.pixels) for frame in found] == wanted


def test_an_animated_webp_is_bound_by_the_limits(tmp_path: Path) -> None:
    path = write_webp(tmp_path / "a.webp")
    for limits in (MediaLimits(max_pixels=1000), MediaLimits(max_frames=5)):
        with pytest.raises(MediaTooLargeError):
            probe_media(path, limits=limits)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_what_is_whole_of_a_cut_animation_is_read(tmp_path: Path, share: float) -> None:
    path = write_webp(tmp_path / "a.webp")
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    try:
        with open_video(path, limits=LIMITS) as video:
            found = list(video.read(range(video.info.num_frames)))
    except MediaError:
        return
    assert all(frame_number(frame.pixels) == frame.frame_index for frame in found)


def test_an_animation_without_frames_is_empty(tmp_path: Path) -> None:
    data = write_webp(tmp_path / "a.webp").read_bytes()
    (tmp_path / "a.webp").write_bytes(data[: data.index(b"ANMF")])
    with pytest.raises(EmptyMediaError):
        probe_media(tmp_path / "a.webp", limits=LIMITS)


def test_tags_of_an_animation_are_read(tmp_path: Path) -> None:
    frames = [Image.fromarray(index_frame(i)) for i in range(2)]
    exif = Image.Exif()
    exif[0x0110] = "camera"
    frames[0].save(tmp_path / "a.webp", save_all=True, append_images=frames[1:], exif=exif)
    assert read_tags(tmp_path / "a.webp", limits=LIMITS) == {"camera_model": "camera"}


def test_decord_is_not_asked_for_an_animation(tmp_path: Path) -> None:
    path = write_webp(tmp_path / "a.webp")
    with open_video(path, limits=LIMITS, decoder="auto") as video:
        assert video.decoder == "pillow"
    with pytest.raises(DecodeError):
        open_video(path, limits=LIMITS, decoder="decord")


PICTURE = noise_picture(3, width=320, height=200)
pillow_jxl = pytest.importorskip("pillow_jxl")


def test_a_picture_that_viewers_replace_by_an_animation_is_not_judged(tmp_path: Path) -> None:
    """An animated PNG of one frame, and a still for programs that show no animations."""
    path = tmp_path / "a.png"
    Image.fromarray(index_frame(5)).save(
        path,
        save_all=True,
        default_image=True,
        append_images=[Image.fromarray(index_frame(9))],
        duration=80,
    )
    assert probe_media(path, limits=LIMITS).kind is Kind.VIDEO
    with open_video(path, limits=LIMITS) as video:
        assert [frame_number(frame.pixels) for frame in video.read([0])] == [9]


def write_jxl(path: Path, *, orientation: int = 1, is_animated: bool = False) -> Path:
    """Write the header of a JPEG XL picture of 256 x 200 (ISO/IEC 18181-1, annex D)."""
    size = "1" + _bits(200 // 8 - 1, 5) + _bits(0, 3) + _bits(256 // 8 - 1, 5)
    # Not all is as usual; the orientation follows, no other size, no preview.
    metadata = "0" + "1" + _bits(orientation - 1, 3) + "0" + "0"
    bits = size + metadata + str(int(is_animated)) + 64 * "0"
    data = bytes(int(bits[at : at + 8][::-1], 2) for at in range(0, len(bits) - 7, 8))
    path.write_bytes(b"\xff\x0a" + data)
    return path


def _bits(value: int, count: int) -> str:
    """Return a number of so many bits, the lowest first."""
    return f"{value:0{count}b}"[::-1]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_header_of_a_jpeg_xl_is_read(tmp_path: Path, orientation: int) -> None:
    header = read_jxl_header(write_jxl(tmp_path / "a.jxl", orientation=orientation))
    assert (header.width, header.height, header.orientation) == (256, 200, orientation)
    assert header.unsupported is None


def test_an_animated_jpeg_xl_is_unsupported(tmp_path: Path) -> None:
    path = write_jxl(tmp_path / "a.jxl", is_animated=True)
    for read in (probe_media, read_image):
        with pytest.raises(UnsupportedMediaError, match="animated JPEG XL"):
            read(path, limits=LIMITS)


@pytest.mark.parametrize(
    "size", [(1, 1), (8, 8), (256, 256), (257, 33), (1920, 1080), (640, 800), (12_000, 8)]
)
def test_the_size_of_a_jpeg_xl_is_known_before_it_is_decoded(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    Image.new("RGB", size).save(tmp_path / "a.jxl", effort=1)
    header = read_jxl_header(tmp_path / "a.jxl")
    assert (header.width, header.height) == size


def test_a_jpeg_xl_that_declares_too_much_is_not_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.fromarray(PICTURE).save(tmp_path / "a.jxl")
    monkeypatch.setattr("PIL.Image.open", lambda *_, **__: pytest.fail("it was decoded"))
    with pytest.raises(MediaTooLargeError):
        read_image(tmp_path / "a.jxl", limits=MediaLimits(max_pixels=1000))


def turned(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.rot90(pixels, -1)


@pytest.mark.filterwarnings("ignore:Using JPEG reconstruction")
@pytest.mark.parametrize("is_transcoded", [True, False])
def test_a_jpeg_xl_is_turned_by_its_own_header_alone(tmp_path: Path, is_transcoded: bool) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(PICTURE).save(tmp_path / "a.jpg", exif=exif, quality=95)
    with Image.open(tmp_path / "a.jpg") as image:
        stored = np.asarray(image)
        # Only of a JPEG that is kept whole the orientation is taken over into the header.
        image.save(
            tmp_path / "a.jxl", lossless_jpeg=is_transcoded, lossless=True, exif=exif.tobytes()
        )
    found = read_image(tmp_path / "a.jxl", limits=LIMITS).pixels
    info = probe_media(tmp_path / "a.jxl", limits=LIMITS)
    wanted = turned(stored) if is_transcoded else stored
    assert (info.height, info.width) == found.shape[:2] == wanted.shape[:2]
    assert np.abs(found.astype(int) - wanted).mean() < 2
