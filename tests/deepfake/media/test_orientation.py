"""Display matrices and pixels that are not square: every frame as a player shows it."""

from __future__ import annotations

import re
import struct
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from deepfake.config import MediaLimits
from deepfake.errors import MediaTooLargeError
from deepfake.media import open_video, probe_media
from deepfake.media.orientation import exif_orientation, matrix_orientation
from tests.media_factory import frame_number, index_frame, write_clip

LIMITS = MediaLimits()
# (a, b, c, d) of tkhd, and the array's operation that a player performs.
MATRICES = {
    "as it is": ((1, 0, 0, 1), lambda p: p),
    "90": ((0, 1, -1, 0), lambda p: np.rot90(p, -1)),
    "180": ((-1, 0, 0, -1), lambda p: np.rot90(p, 2)),
    "270": ((0, -1, 1, 0), lambda p: np.rot90(p, 1)),
    "left to right": ((-1, 0, 0, 1), lambda p: p[:, ::-1]),
    "top to bottom": ((1, 0, 0, -1), lambda p: p[::-1]),
    "transposed": ((0, 1, 1, 0), lambda p: p.transpose(1, 0, 2)),
    "transversed": ((0, -1, -1, 0), lambda p: np.rot90(p, 2).transpose(1, 0, 2)),
}


def set_matrix(path: Path, values: tuple[int, int, int, int]) -> Path:
    """Write a matrix into an mp4's track header (ISO 14496-12, 8.3.2)."""
    a, b, c, d = (value << 16 for value in values)
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


def first_frame(path: Path) -> NDArray[np.int64]:
    with open_video(path, limits=LIMITS) as video:
        return next(iter(video.read([5]))).pixels.astype(np.int64)


@pytest.mark.parametrize("name", MATRICES)
def test_a_display_matrix_is_applied(tmp_path: Path, name: str) -> None:
    values, shown = MATRICES[name]
    plain = first_frame(write_clip(tmp_path / "plain.mp4"))
    path = set_matrix(write_clip(tmp_path / "turned.mp4"), values)
    found = first_frame(path)
    assert np.array_equal(found, shown(plain))
    info = probe_media(path, limits=LIMITS)
    assert (info.height, info.width) == found.shape[:2]


def test_matrices_and_exif_agree_on_all_eight() -> None:
    picture = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    found = set()
    for (a, b, c, d), shown in MATRICES.values():
        data = np.array([a, b, 0, c, d, 0, 0, 0, 1], np.int32) * 65536
        orientation = matrix_orientation(data.tobytes())
        assert np.array_equal(orientation.apply(picture), shown(picture))
        found.add(orientation)
    assert found == {exif_orientation(tag) for tag in range(1, 9)}


@pytest.mark.parametrize("data", [None, b"", b"\0" * 36, b"\xff" * 8])
def test_a_matrix_that_says_nothing_leaves_the_picture(data: bytes | None) -> None:
    assert matrix_orientation(data) == exif_orientation(1)


def test_an_angle_between_is_the_nearest_quarter() -> None:
    for degrees, turns in ((10, 0), (80, 1), (-100, 3), (179, 2)):
        cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        data = (np.array([cosine, sine, 0, -sine, cosine, 0, 0, 0, 1]) * 65536).astype(np.int32)
        assert matrix_orientation(data.tobytes()).turns == turns


def write_anamorphic(path: Path, aspect: Fraction, *, codec: str = "libx264") -> Path:
    """Write a clip whose pixels are not square; shown, it has the size of an index frame."""
    width, height = (round(160 / aspect), 96) if aspect > 1 else (160, round(96 * aspect))
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options={"g": "12"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.sample_aspect_ratio = aspect
        for index in range(24):
            stored = cv2.resize(index_frame(index), (width, height), interpolation=cv2.INTER_AREA)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(stored, format="rgb24")))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("name", "aspect", "codec"),
    [
        ("a.mp4", Fraction(2), "libx264"),
        ("a.mkv", Fraction(4, 3), "libx264"),
        ("a.ts", Fraction(1, 2), "libx264"),
        ("a.avi", Fraction(2), "mpeg4"),
    ],
)
def test_pixels_that_are_not_square_are_stretched(
    tmp_path: Path, name: str, aspect: Fraction, codec: str
) -> None:
    path = write_anamorphic(tmp_path / name, aspect, codec=codec)
    with open_video(path, limits=LIMITS) as video:
        assert video.info.width / video.info.height == pytest.approx(160 / 96, rel=0.02)
        for frame in video.read([0, 5, 13, 23]):
            assert (frame.height, frame.width) == (video.info.height, video.info.width)
            assert frame_number(frame.pixels) == frame.frame_index


def test_a_turned_frame_is_stretched_before_it_is_turned(tmp_path: Path) -> None:
    path = set_matrix(write_anamorphic(tmp_path / "a.mp4", Fraction(2)), (0, 1, -1, 0))
    assert first_frame(path).shape[:2] == (160, 96)


@pytest.mark.parametrize("aspect", [Fraction(101, 100), Fraction(1, 50), Fraction(60)])
def test_nearly_square_and_absurd_pixels_stay_as_they_are(tmp_path: Path, aspect: Fraction) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        stream.codec_context.sample_aspect_ratio = aspect
        container.mux(stream.encode(av.VideoFrame.from_ndarray(index_frame(0), format="rgb24")))
        container.mux(stream.encode(None))
    info = probe_media(path, limits=LIMITS)
    assert (info.width, info.height) == (160, 96)


def test_the_limit_of_pixels_holds_for_the_stretched_picture(tmp_path: Path) -> None:
    path = write_anamorphic(tmp_path / "a.mp4", Fraction(2))
    with pytest.raises(MediaTooLargeError):
        probe_media(path, limits=MediaLimits(max_pixels=100 * 96))


def orientation_message(codec: str, *, quarter_turns: int, is_mirrored: bool = False) -> bytes:
    """Return a unit that says how pictures are turned to the left (H.264 and H.265, D.2.27)."""
    # Not cancelled, mirrored, not upside down, the angle; it lasts (ue(1) and u(1)).
    bits = f"0{int(is_mirrored)}0{quarter_turns << 14:016b}" + {"h264": "0100", "hevc": "1"}[codec]
    bits += "1"
    bits += "0" * (-len(bits) % 8)
    message = int(bits, 2).to_bytes(len(bits) // 8, "big")
    raw = bytes((47, len(message))) + message + b"\x80"
    head = {"h264": b"\6", "hevc": bytes((39 << 1, 1))}[codec]
    # A byte of 3 breaks up what would look like the start of a unit.
    return b"\0\0\0\1" + head + re.sub(rb"\0\0(?=[\0-\3])", b"\0\0\3", raw)


def with_messages(path: Path, codec: str, messages: dict[int, bytes]) -> Path:
    """Put a message before the frames with the given numbers in decoding order."""
    data = path.read_bytes()
    starts = [m.start() for m in re.finditer(b"\0\0\1", data)]
    is_slice = {"h264": lambda b: b & 31 in (1, 5), "hevc": lambda b: (b >> 1) & 63 < 32}[codec]
    slices = [at for at in starts if is_slice(data[at + 3])]
    for number in sorted(messages, reverse=True):
        at = slices[number] - (data[slices[number] - 1] == 0)
        data = data[:at] + messages[number] + data[at:]
    path.write_bytes(data)
    return path


def write_turning_clip(path: Path) -> tuple[Path, str]:
    """Write a clip of three groups of pictures: upright, to the left, mirrored."""
    codec = path.suffix[1:]
    encoder, options = {
        "h264": ("libx264", {}),
        "hevc": ("libx265", {"x265-params": "log-level=none:bframes=0:keyint=8:no-open-gop=1"}),
    }[codec]
    write_clip(path, codec=encoder, num_frames=24, key_every=8, options=options)
    messages = {
        8: orientation_message(codec, quarter_turns=1),
        16: orientation_message(codec, quarter_turns=0, is_mirrored=True),
    }
    return with_messages(path, codec, messages), codec


SHOWN = [lambda p: p, lambda p: np.rot90(p, 1), lambda p: p[:, ::-1]]


@pytest.mark.parametrize("name", ["a.h264", "a.hevc"])
@pytest.mark.parametrize("wanted", [list(range(24)), [5, 13, 20], [20], [15, 16]])
def test_what_the_stream_says_of_turning_lasts(
    tmp_path: Path, name: str, wanted: list[int]
) -> None:
    """It stands before a key frame alone, and holds for those that follow."""
    path, _ = write_turning_clip(tmp_path / name)
    with open_video(path, limits=LIMITS) as video:
        found = {frame.frame_index: frame.pixels for frame in video.read(wanted)}
    assert sorted(found) == wanted
    for index, pixels in found.items():
        upright = index_frame(index).astype(int)
        shown = SHOWN[index // 8](upright)
        assert pixels.shape == shown.shape
        assert np.abs(pixels - shown).mean() < 12


def test_a_group_of_pictures_without_a_word_is_upright(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.h264", num_frames=24, key_every=8)
    with_messages(path, "h264", {0: orientation_message("h264", quarter_turns=2)})
    with open_video(path, limits=LIMITS) as video:
        assert video.info.rotation == 180
        numbers = [frame_number(frame.pixels) for frame in video.read([9, 23])]
    assert numbers == [9, 23]
