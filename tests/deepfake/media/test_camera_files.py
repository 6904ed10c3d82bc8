"""What cameras, phones and scanners write: read whole, or refused by name, never in silence."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from deepfake.config import MediaLimits
from deepfake.errors import DecodeError, MediaError, MediaTooLargeError, UnsupportedMediaError
from deepfake.media import open_video, probe_media, read_image
from deepfake.media.stills import read_pages
from deepfake.types import Kind
from tests.media_factory import noise_picture, write_clip

LIMITS = MediaLimits()
PICTURE = noise_picture(3, width=320, height=200)


def encoded(suffix: str = ".jpg", seed: int = 3) -> bytes:
    return bytes(cv2.imencode(suffix, noise_picture(seed, width=320, height=200))[1])


def write_tiff(path: Path, *tags: tuple[int, int, int, int], data: bytes) -> Path:
    """Write a TIFF of one directory; the pixels' place is filled in."""
    values = {256: (4, 1, 320), 257: (4, 1, 200), 259: (3, 1, 1), 262: (3, 1, 1), 277: (3, 1, 1)}
    values |= {258: (3, 1, 8), 278: (4, 1, 200), 279: (4, 1, len(data))}
    values |= {tag: (kind, count, value) for tag, kind, count, value in tags}
    values[273] = (4, 1, 8 + 2 + 12 * (len(values) + 1) + 4)
    entries = b"".join(struct.pack("<HHII", tag, *values[tag]) for tag in sorted(values))
    path.write_bytes(b"II*\0" + struct.pack("<IH", 8, len(values)) + entries + bytes(4) + data)
    return path


GREY = PICTURE[:, :, 0].tobytes()


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ([(259, 3, 1, 34933)], "compression 34933"),  # PNG
        ([(259, 3, 1, 34712)], "compression 34712"),  # JPEG 2000
        ([(259, 3, 1, 50000)], "compression 50000"),  # Zstandard
        ([(258, 3, 1, 32), (339, 3, 1, 3)], "floating-point"),
        ([(258, 3, 1, 16), (339, 3, 1, 2)], "signed"),
        ([(262, 3, 1, 8)], "Lab"),
        ([(258, 3, 1, 12)], "12 bits"),
        ([(258, 3, 1, 4)], "4 bits"),
        ([(50706, 1, 4, 0x401)], "raw photograph"),
        ([(262, 3, 1, 32803)], "raw photograph"),
        ([(254, 4, 1, 1)], "raw photograph"),
    ],
)
def test_a_tiff_that_is_not_read_whole_is_refused_by_name(
    tmp_path: Path, tags: list[tuple[int, int, int, int]], reason: str
) -> None:
    path = write_tiff(tmp_path / "a.tif", *tags, data=GREY * 4)
    for read in (probe_media, read_image):
        with pytest.raises(UnsupportedMediaError, match=reason):
            read(path, limits=LIMITS)


def test_an_ordinary_tiff_is_read(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", data=GREY)
    assert np.array_equal(read_image(path, limits=LIMITS).pixels[:, :, 0], PICTURE[:, :, 0])


def test_all_pages_of_a_tiff_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    pages = [Image.fromarray(noise_picture(seed)) for seed in range(3)]
    pages[0].save(path, save_all=True, append_images=pages[1:])
    assert probe_media(path, limits=LIMITS).num_frames == 3
    read = list(read_pages(path, limits=LIMITS))
    assert [page.frame_index for page in read] == [0, 1, 2]
    assert all(np.array_equal(p.pixels, noise_picture(i)) for i, p in enumerate(read))


def test_a_later_page_is_bound_by_the_limits_too(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    small, large = Image.new("RGB", (8, 8)), Image.new("RGB", (300, 300))
    small.save(path, save_all=True, append_images=[large])
    with pytest.raises(MediaTooLargeError):
        probe_media(path, limits=MediaLimits(max_pixels=1000))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("is_progressive", [0, 1])
def test_a_jpeg_without_its_end_mark_is_whole(
    tmp_path: Path, seed: int, is_progressive: int
) -> None:
    picture = noise_picture(seed, width=320, height=200)
    data = bytes(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_PROGRESSIVE, is_progressive])[1])
    whole, cut = tmp_path / "whole.jpg", tmp_path / "cut.jpg"
    whole.write_bytes(data)
    cut.write_bytes(data[:-2])
    found = [read_image(path, limits=LIMITS).pixels for path in (whole, cut)]
    assert np.array_equal(*found)


@pytest.mark.parametrize("num_lost", [40, 200, 2000])
def test_a_jpeg_without_its_last_pixels_is_damaged(tmp_path: Path, num_lost: int) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(encoded()[:-num_lost])
    with pytest.raises(DecodeError):
        read_image(path, limits=LIMITS)


@pytest.mark.parametrize(("marker", "bits"), [(0xC1, 12), (0xC3, 8), (0xC7, 8)])
def test_a_jpeg_of_another_process_is_unsupported(tmp_path: Path, marker: int, bits: int) -> None:
    data = bytearray(encoded())
    at = data.index(b"\xff\xc0")
    data[at + 1], data[at + 4] = marker, bits
    (tmp_path / "a.jpg").write_bytes(data)
    with pytest.raises(UnsupportedMediaError):
        probe_media(tmp_path / "a.jpg", limits=LIMITS)


def test_a_motion_jpeg_stream_is_a_video(tmp_path: Path) -> None:
    path = tmp_path / "cam.jpg"
    path.write_bytes(b"".join(encoded(seed=seed) for seed in range(12)))
    info = probe_media(path, limits=LIMITS)
    assert (info.kind, info.num_frames) == (Kind.VIDEO, 12)
    with open_video(path, limits=LIMITS) as video:
        assert len(list(video.read([0, 5, 11]))) == 3


def test_a_still_with_another_picture_behind_it_is_a_still(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(encoded() + encoded(seed=4))
    assert probe_media(path, limits=LIMITS).kind is Kind.IMAGE


def test_a_still_with_previews_behind_it_is_a_still(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    previews = [bytes(cv2.imencode(".jpg", noise_picture(s, width=64))[1]) for s in range(3)]
    path.write_bytes(encoded() + b"".join(previews))
    assert probe_media(path, limits=LIMITS).kind is Kind.IMAGE


def test_a_stream_of_photographs_with_metadata_is_a_video(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = "maker"
    Image.fromarray(PICTURE).save(tmp_path / "a.jpg", exif=exif)
    data = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(4 * data)
    with open_video(tmp_path / "a.jpg", limits=LIMITS) as video:
        assert len(list(video.read([0, 3]))) == 2


def test_of_a_picture_with_a_gain_map_the_ordinary_picture_is_read(tmp_path: Path) -> None:
    """Ultra HDR: the map is a second, smaller picture behind it, which an MPF segment names."""
    path = tmp_path / "a.jpg"
    shown, gains = Image.fromarray(PICTURE), Image.fromarray(noise_picture(9, width=80, height=50))
    shown.save(path, format="MPO", save_all=True, append_images=[gains], quality=95)
    info = probe_media(path, limits=LIMITS)
    assert (info.kind, info.width, info.height) == (Kind.IMAGE, 320, 200)
    found = read_image(path, limits=LIMITS).pixels.astype(int)
    assert np.abs(found - PICTURE).mean() < 3


@pytest.mark.parametrize(
    ("suffix", "name"), [(".jp2", "JPEG 2000"), (".j2k", "JPEG 2000"), (".tif", "BigTIFF")]
)
def test_pictures_that_are_not_read_are_refused_by_name(
    tmp_path: Path, suffix: str, name: str
) -> None:
    path = tmp_path / f"a{suffix}"
    options = {"big_tiff": True} if suffix == ".tif" else {}
    Image.fromarray(PICTURE).save(path, **options)
    with pytest.raises(UnsupportedMediaError, match=name):
        probe_media(path, limits=LIMITS)


def write_masked_bmp(path: Path, *, red: int, blue: int) -> Path:
    """Write a BMP that says which bits are which colour."""
    header = struct.pack("<IiiHHIIiiII", 40, 320, -200, 1, 32, 3, 0, 0, 0, 0, 0)
    masks = struct.pack("<III", red, 0xFF00, blue)
    pixels = np.zeros((200, 320, 4), np.uint8)
    pixels[:, :, :3] = PICTURE[:, :, ::-1]
    path.write_bytes(b"BM" + struct.pack("<IHHI", 0, 0, 0, 66) + header + masks + pixels.tobytes())
    return path


def test_a_bmp_of_unusual_masks_is_unsupported(tmp_path: Path) -> None:
    usual = write_masked_bmp(tmp_path / "a.bmp", red=0xFF0000, blue=0xFF)
    assert np.array_equal(read_image(usual, limits=LIMITS).pixels, PICTURE)
    for red, blue in ((0xFF, 0xFF0000), (0x3FF00000, 0x3FF)):
        with pytest.raises(UnsupportedMediaError, match="masks"):
            probe_media(write_masked_bmp(usual, red=red, blue=blue), limits=LIMITS)


@pytest.mark.parametrize(("numbers", "is_read"), [(1, True), (2, False), (3, False)])
def test_the_numbers_of_each_colour_of_a_tiff_are_looked_at(
    tmp_path: Path, numbers: int, is_read: bool
) -> None:
    path = tmp_path / "a.tif"
    plain = Image.fromarray(PICTURE)
    plain.save(path, tiffinfo={339: (numbers,) * 3})
    if is_read:
        assert np.array_equal(read_image(path, limits=LIMITS).pixels, PICTURE)
        return
    with pytest.raises(UnsupportedMediaError, match="floating-point or signed"):
        probe_media(path, limits=LIMITS)


def test_a_video_of_an_unknown_codec_is_unsupported(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4")
    data = path.read_bytes()
    at = data.index(b"avc1", data.index(b"stsd"))
    path.write_bytes(data[:at] + b"zzzz" + data[at + 4 :])
    with pytest.raises(UnsupportedMediaError, match="no decoder"):
        probe_media(path, limits=LIMITS)


def test_an_archive_of_photographs_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for seed in range(4):
            archive.writestr(f"{seed}.jpg", encoded(seed=seed))
    with pytest.raises(UnsupportedMediaError):
        probe_media(path, limits=LIMITS)


def test_of_a_video_with_transparency_the_colours_are_judged(tmp_path: Path) -> None:
    pytest.importorskip("PIL._avif")
    frames = [Image.fromarray(np.roll(PICTURE, 8 * i, axis=1)).convert("RGBA") for i in range(4)]
    for frame in frames:
        frame.putalpha(Image.linear_gradient("L").resize(frame.size))
    frames[0].save(tmp_path / "a.avif", save_all=True, append_images=frames[1:], duration=80)
    with open_video(tmp_path / "a.avif", limits=LIMITS) as video:
        shown = next(video.read([0])).pixels.astype(int)
    assert np.abs(shown - PICTURE).mean() < 12


def test_an_icon_is_unsupported(tmp_path: Path) -> None:
    Image.fromarray(PICTURE).resize((64, 64)).save(tmp_path / "favicon.ico")
    with pytest.raises(UnsupportedMediaError, match="icon"):
        probe_media(tmp_path / "favicon.ico", limits=LIMITS)


def test_encrypted_videos_are_unsupported(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4")
    data = path.read_bytes()
    at = data.index(b"stsd")
    entry = data.index(b"avc1", at)
    path.write_bytes(data[:entry] + b"encv" + data[entry + 4 :])
    with pytest.raises(UnsupportedMediaError, match="encrypted"):
        probe_media(path, limits=LIMITS)


def _write_modern(path: Path) -> Path:
    if path.suffix == ".jxl":
        pytest.importorskip("pillow_jxl")
    elif path.suffix == ".heic":
        pytest.importorskip("pillow_heif").register_heif_opener()
    Image.fromarray(PICTURE).save(path, quality=95)
    return path


@pytest.mark.parametrize("suffix", [".avif", ".heic", ".jxl"])
def test_pictures_of_phones_are_read(tmp_path: Path, suffix: str) -> None:
    path = _write_modern(tmp_path / f"a{suffix}")
    info = probe_media(path, limits=LIMITS)
    assert (info.kind, info.width, info.height) == (Kind.IMAGE, 320, 200)
    found = read_image(path, limits=LIMITS).pixels.astype(int)
    assert np.abs(found - PICTURE).mean() < 8
    with pytest.raises(MediaTooLargeError):
        probe_media(path, limits=MediaLimits(max_pixels=1000))


@pytest.mark.parametrize("brand", [b"mif2", b"MiHB", b"hevc", b"avio", b"isom"])
@pytest.mark.parametrize("suffix", [".avif", ".heic"])
def test_a_picture_is_one_whatever_its_brand(tmp_path: Path, suffix: str, brand: bytes) -> None:
    path = _write_modern(tmp_path / f"a{suffix}")
    data = path.read_bytes()
    path.write_bytes(data[:8] + brand + data[12:])
    try:
        assert probe_media(path, limits=LIMITS).kind is Kind.IMAGE
    except MediaError as error:
        assert isinstance(error, (UnsupportedMediaError, DecodeError))


@pytest.mark.parametrize("suffix", [".avif", ".heic", ".jxl"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_damaged_picture_of_a_phone_is_an_error(
    tmp_path: Path, suffix: str, share: float
) -> None:
    path = _write_modern(tmp_path / f"a{suffix}")
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(MediaError):
        read_image(path, limits=LIMITS)
