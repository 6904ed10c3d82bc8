"""PQ and HLG come out as the ordinary picture that they were made of; nothing else changes."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from deepfake.config import MediaLimits
from deepfake.errors import UnsupportedMediaError
from deepfake.media import open_video, probe_media, read_image
from deepfake.media.heif_colour import primary_colours
from deepfake.media.tone_map import HLG, PQ, to_sdr
from tests.media_factory import write_clip
from tests.sample_data import face_close_up

LIMITS = MediaLimits()
FACE = face_close_up(256)
# ITU-R BT.2087-0: linear BT.709 to linear BT.2020.
TO_BT2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
LUMINANCE = np.array([0.2627, 0.6780, 0.0593])
TOLERANCE = 5.0
"""Levels of 255 by which a picture may differ on average: its lights are compressed."""


def light_of(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return candela per square metre in BT.2020, with white at 203."""
    signal = pixels / 255.0
    linear = np.where(signal <= 0.04045, signal / 12.92, ((signal + 0.055) / 1.055) ** 2.4)
    return 203 * linear @ TO_BT2020.T


def pq_signal(light: NDArray[np.float64]) -> NDArray[np.float64]:
    root = np.clip(light / 10_000, 0, 1) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * root) / (1 + 18.6875 * root)) ** 78.84375


def hlg_signal(light: NDArray[np.float64]) -> NDArray[np.float64]:
    display = light / 1000
    luminance = np.maximum(display @ LUMINANCE, 1e-9)[..., None]
    scene = display * luminance ** (1 / 1.2 - 1)
    bright = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), bright)


SIGNALS = {PQ: pq_signal, HLG: hlg_signal}


def hdr_frame(signal: NDArray[np.float64], *, transfer: int) -> Any:
    """Return a frame in 10 bits of BT.2020 YCbCr (BT.2100-2, table 6)."""
    luma = signal @ LUMINANCE
    differences = ((signal[..., 2] - luma) / 1.8814, (signal[..., 0] - luma) / 1.4746)
    height, width = luma.shape
    halved = [d.reshape(height // 2, 2, width // 2, 2).mean((1, 3)) for d in differences]
    planes = [876 * luma + 64, *(896 * half + 512 for half in halved)]
    frame: Any = av.VideoFrame(width, height, "yuv420p10le")
    for plane, values in zip(frame.planes, planes, strict=True):
        rows = np.zeros((values.shape[0], plane.line_size // 2), np.uint16)
        rows[:, : values.shape[1]] = np.round(values)
        plane.update(rows.tobytes())
    frame.color_primaries, frame.color_trc, frame.colorspace = 9, transfer, 9
    frame.color_range = 1
    return frame


def write_hdr(path: Path, signal: NDArray[np.float64], *, transfer: int, more: str = "") -> Path:
    name = {PQ: "smpte2084", HLG: "arib-std-b67"}[transfer]
    colours = f"colorprim=bt2020:transfer={name}:colormatrix=bt2020nc:range=limited"
    options = {"x265-params": f"log-level=none:crf=8:{colours}{more}"}
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx265", rate=Fraction(25), options=options)
        stream.height, stream.width = signal.shape[:2]
        stream.pix_fmt = "yuv420p10le"
        for _ in range(4):
            container.mux(stream.encode(hdr_frame(signal, transfer=transfer)))
        container.mux(stream.encode(None))
    return path


def difference(found: NDArray[np.uint8], wanted: NDArray[np.uint8] = FACE) -> float:
    return float(np.abs(found.astype(int) - wanted).mean())


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_a_face_in_hdr_is_shown_as_in_an_ordinary_video(tmp_path: Path, transfer: int) -> None:
    path = write_hdr(tmp_path / "a.mp4", SIGNALS[transfer](light_of(FACE)), transfer=transfer)
    with open_video(path, limits=LIMITS, decoder="auto") as video:
        assert video.decoder == "pyav"
        frames = list(video.read([0, 3]))
    assert all(difference(frame.pixels) < TOLERANCE for frame in frames)


def test_without_tone_mapping_it_would_be_another_picture(tmp_path: Path) -> None:
    """Or else the tests above would prove nothing."""
    path = write_hdr(tmp_path / "a.mp4", pq_signal(light_of(FACE)), transfer=PQ)
    with av.open(str(path)) as container:
        plain = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert difference(plain) > 5 * TOLERANCE


def test_the_screen_that_it_was_made_on_does_not_make_it_darker(tmp_path: Path) -> None:
    screen = ":master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)"
    path = write_hdr(
        tmp_path / "a.mp4",
        pq_signal(light_of(FACE)),
        transfer=PQ,
        more=f"{screen}L(10000000,1)",
    )
    with open_video(path, limits=LIMITS) as video:
        assert difference(next(video.read([1])).pixels) < TOLERANCE


def test_lights_brighter_than_white_keep_their_shades() -> None:
    light = np.linspace(0, 1000, 256)[None, :, None] * np.ones((1, 1, 3))
    signal = np.round(65535 * pq_signal(light)).astype(np.uint16)
    shown = to_sdr(signal, transfer=PQ, peak=1000.0)[0, :, 0].astype(int)
    assert (np.diff(shown) >= 0).all()
    assert shown[-1] == 255
    assert 200 < shown[52] < 240  # 203: white of an ordinary picture
    # BT.2390 leaves what is darker than its knee (92 of 1000) as it is.
    assert shown[20] == pytest.approx(255 * ((20 / 255 * 1000) / 203) ** (1 / 2.2), abs=4)


def test_a_grey_stays_grey() -> None:
    signal = np.full((2, 2, 3), 30_000, np.uint16)
    for transfer in (PQ, HLG):
        shown = to_sdr(signal, transfer=transfer, peak=1000.0)
        assert np.ptp(shown) <= 1


def test_an_ordinary_video_is_not_touched(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", num_frames=3)
    with av.open(str(path)) as container:
        wanted = next(container.decode(video=0)).to_ndarray(format="rgb24")
    with open_video(path, limits=LIMITS) as video:
        assert np.array_equal(next(video.read([0])).pixels, wanted)


def as_pq_still(path: Path) -> Path:
    """Write a picture whose file says that it is in PQ."""
    signal = np.round(255 * pq_signal(light_of(FACE))).astype(np.uint8)
    Image.fromarray(signal).save(path, quality=98, subsampling="4:4:4")
    data = path.read_bytes()
    at = data.index(b"colrnclx") + 8
    path.write_bytes(data[:at] + b"\0\x09\0\x10" + data[at + 4 :])
    return path


def test_a_still_in_pq_is_shown_as_an_ordinary_one(tmp_path: Path) -> None:
    path = as_pq_still(tmp_path / "a.avif")
    assert primary_colours(path) == (9, PQ)
    assert difference(read_image(path, limits=LIMITS).pixels) < TOLERANCE


def test_an_ordinary_still_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "a.avif"
    Image.fromarray(FACE).save(path, quality=98, subsampling="4:4:4")
    assert primary_colours(path) in {(1, 13), (2, 2), None}
    with Image.open(path) as image:
        assert np.array_equal(read_image(path, limits=LIMITS).pixels, np.asarray(image))


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3])
def test_colours_of_a_damaged_file_are_unknown_or_true(tmp_path: Path, share: float) -> None:
    path = as_pq_still(tmp_path / "a.avif")
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    assert primary_colours(path) in {None, (9, PQ)}


@pytest.mark.parametrize(("compatible", "is_read"), [(0, False), (4, True)])
def test_colours_of_dolby_vision_alone_are_refused(
    tmp_path: Path, compatible: int, is_read: bool
) -> None:
    path = write_clip(tmp_path / "a.mp4")
    data = path.read_bytes()
    at = data.index(b"udta")
    # In the place of something that no player needs.
    box = b"dvcC" + bytes((1, 0, 5 << 1, 0x25, compatible << 4))
    path.write_bytes(data[:at] + box + data[at + len(box) :])
    if is_read:
        assert probe_media(path, limits=LIMITS).width == 160
        return
    with pytest.raises(UnsupportedMediaError, match="profile 5"):
        probe_media(path, limits=LIMITS)
