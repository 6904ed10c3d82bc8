"""Reading metadata about a file's origin."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from deepfake.config import MediaLimits
from deepfake.errors import MediaError
from deepfake.media import read_tags
from tests.sample_data import write_face_clip

_LIMITS = MediaLimits()


def test_exif_of_a_picture(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0131] = "Maker\0", "Model 1", "Editor <script> 2.0"
    exif.get_ifd(0x8769)[0x9003] = "2026:01:02 03:04:05"
    Image.new("RGB", (32, 32)).save(path, exif=exif)
    assert read_tags(path, limits=_LIMITS) == {
        "camera_make": "Maker",
        "camera_model": "Model 1",
        "software": "Editor <script> 2.0",
        "taken_at": "2026:01:02 03:04:05",
    }


def test_what_generators_write_into_a_png(tmp_path: Path) -> None:
    path = tmp_path / "made.png"
    chunks = PngInfo()
    chunks.add_text("parameters", "a face, 30 steps " + "x" * 1000)
    Image.new("RGB", (32, 32)).save(path, pnginfo=chunks)
    (value,) = read_tags(path, limits=_LIMITS).values()
    assert value.startswith("a face, 30 steps") and len(value) == 300


def test_a_plain_picture_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / "plain.png"
    Image.new("RGB", (32, 32)).save(path)
    assert read_tags(path, limits=_LIMITS) == {}


def test_the_encoder_of_a_video(tmp_path: Path) -> None:
    found = read_tags(write_face_clip(tmp_path / "clip.mp4", num_frames=3), limits=_LIMITS)
    assert found["encoder"].startswith("Lav")


def test_the_tool_that_a_container_names(tmp_path: Path) -> None:
    path = tmp_path / "clip.mkv"
    with av.open(str(path), "w") as container:
        container.metadata["comment"] = "made with a tool"
        stream = container.add_stream("mpeg4", rate=5)
        stream.width = stream.height = 32
        frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert read_tags(path, limits=_LIMITS)["comment"] == "made with a tool"


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\xff\xd8\xff\xe1\xff\xff"])
def test_what_cannot_be_read_is_an_error_of_ours(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "odd.jpg"
    path.write_bytes(content)
    with pytest.raises(MediaError):
        read_tags(path, limits=_LIMITS)
