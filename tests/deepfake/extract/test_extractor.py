"""Extracting one file: its crops do not depend on other files, and errors are outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from deepfake.config import (
    CropConfig,
    DecoderName,
    ExtractConfig,
    MediaLimits,
    SamplingConfig,
)
from deepfake.extract.extractor import (
    ExtractedMedium,
    Extractor,
    ExtractorSetup,
    ExtractRequest,
    create_extractor,
    extract_medium,
)
from deepfake.extract.faces import crop_face
from deepfake.media import decode_crop, open_video, write_image, write_video
from deepfake.storage import StorePath, sha256_of, to_uri
from deepfake.types import Kind, Status
from tests.sample_data import astronaut, crowd, face_close_up

_CONFIG = ExtractConfig(
    sampling=SamplingConfig(num_frames=8), crop=CropConfig(size=96, codec="png")
)


@pytest.fixture(scope="module")
def extractor() -> Extractor:
    return create_extractor(ExtractorSetup(_CONFIG))


def _request(path: Path) -> ExtractRequest:
    return ExtractRequest(to_uri(path), sha256_of(path))


def _extract(extractor: Extractor, path: Path) -> ExtractedMedium:
    return extract_medium(extractor, _request(path))


def _moved(portrait: NDArray[np.uint8], shift: int) -> NDArray[np.uint8]:
    return np.asarray(np.roll(portrait, shift, axis=1))


def _nobody(like: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.GaussianBlur(like[::-1], (0, 0), 25), np.uint8)


def _write_clip(path: Path, frames: Sequence[NDArray[np.uint8]]) -> Path:
    return write_video(path, frames, fps=25, crf=10, options={"g": "10"})


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    portrait = face_close_up(160)
    frames = [_moved(portrait, i // 2) for i in range(40)]
    return _write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", frames)


def _plain(medium: ExtractedMedium) -> Any:
    return (medium.crops, medium.kind, medium.frame_wh, medium.outcome.status)


def test_a_still(extractor: Extractor, tmp_path: Path) -> None:
    pixels = astronaut()
    medium = _extract(extractor, write_image(tmp_path / "a.png", pixels))
    (crop,) = medium.crops
    assert (medium.kind, medium.frame_wh) == (Kind.IMAGE, (512, 512))
    outcome = medium.outcome
    assert (outcome.status, outcome.num_faces, outcome.is_partial) == (Status.OK, 1, False)
    assert (outcome.frames_wanted, outcome.frames_read) == (1, 1)
    assert (crop.frame_index, crop.pts_seconds, crop.track_id) == (0, 0.0, 0)
    expected = crop_face(pixels, crop.face, config=CropConfig(size=96)).pixels
    assert (decode_crop(crop.encoded) == expected).all()
    assert outcome.details["codec"] == "png"
    assert outcome.seconds is not None
    assert outcome.seconds > 0


def test_a_clip(extractor: Extractor, clip: Path) -> None:
    medium = _extract(extractor, clip)
    outcome = medium.outcome
    assert (outcome.status, outcome.frames_wanted, outcome.frames_read) == (Status.OK, 8, 8)
    assert outcome.message is None
    assert [crop.frame_index for crop in medium.crops] == [2, 7, 12, 17, 22, 27, 32, 37]
    assert {crop.track_id for crop in medium.crops} == {0}
    assert medium.crops[3].pts_seconds == pytest.approx(17 / 25)
    assert medium.frame_wh == (160, 160)
    assert outcome.details["fps"] == 25.0
    with open_video(clip, limits=_CONFIG.limits) as reader:
        (frame,) = reader.read([17])
    expected = crop_face(frame.pixels, medium.crops[3].face, config=CropConfig(size=96)).pixels
    assert (decode_crop(medium.crops[3].encoded) == expected).all()


def test_a_file_is_the_same_alone_and_after_others(
    extractor: Extractor, clip: Path, tmp_path: Path
) -> None:
    alone = _extract(Extractor(_CONFIG), clip)
    _extract(extractor, write_image(tmp_path / "crowd.png", crowd(rows=2, columns=3)))
    (tmp_path / "broken.mp4").write_bytes(clip.read_bytes()[:500])
    assert _extract(extractor, tmp_path / "broken.mp4").outcome.status is not Status.OK
    assert _plain(_extract(extractor, clip)) == _plain(alone)


def test_both_decoders_give_the_same_crops(clip: Path) -> None:
    pytest.importorskip("decord")
    found = [_extract(Extractor(_CONFIG, decoder=name), clip) for name in ("pyav", "decord")]
    assert _plain(found[0]) == _plain(found[1])


TURNS = [90, 180, 270]


@pytest.mark.parametrize("degrees", TURNS)
def test_a_still_that_is_turned_gives_the_crop_that_it_has_upright(
    extractor: Extractor, tmp_path: Path, degrees: int
) -> None:
    pixels = face_close_up()[:, 20:236]
    upright = _extract(extractor, write_image(tmp_path / "up.png", pixels))
    turned = np.ascontiguousarray(np.rot90(pixels, k=degrees // 90))
    medium = _extract(extractor, write_image(tmp_path / "turned.png", turned))
    assert (upright.turned_degrees, medium.turned_degrees) == (0, degrees)
    assert medium.crops == upright.crops
    assert medium.frame_wh == upright.frame_wh == (216, 256)
    assert medium.outcome.details["width"] == turned.shape[1]
    assert str(medium.outcome.message).startswith(f"turned clockwise by {degrees} degrees")
    assert upright.outcome.message is None


@pytest.mark.parametrize("degrees", TURNS)
def test_a_clip_that_is_turned_gives_as_many_faces_as_upright(
    extractor: Extractor, tmp_path: Path, degrees: int
) -> None:
    frames = [_moved(face_close_up(160), i // 2) for i in range(40)]
    turned = [np.ascontiguousarray(np.rot90(frame, k=degrees // 90)) for frame in frames]
    upright = _extract(extractor, _write_clip(tmp_path / "up.mp4", frames))
    medium = _extract(extractor, _write_clip(tmp_path / "turned.mp4", turned))
    assert (medium.turned_degrees, medium.outcome.frames_read) == (degrees, 8)
    assert [crop.frame_index for crop in medium.crops] == [c.frame_index for c in upright.crops]
    for crop, other in zip(medium.crops, upright.crops, strict=True):
        np.testing.assert_allclose(crop.face.bbox_xyxy, other.face.bbox_xyxy, atol=6)


def test_turns_are_tried_only_where_no_upright_face_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extractor, tried = Extractor(_CONFIG), []
    detect = extractor._face_detector.detect
    monkeypatch.setattr(
        extractor._face_detector, "detect", lambda pixels: tried.append(1) or detect(pixels)
    )
    _extract(extractor, write_image(tmp_path / "a.png", face_close_up()))
    _extract(extractor, _write_clip(tmp_path / "a.mp4", [face_close_up(160)] * 20))
    assert tried == []
    nobody = _extract(extractor, write_image(tmp_path / "b.png", _nobody(face_close_up(160))))
    assert (nobody.outcome.status, len(tried)) == (Status.NO_FACE, 3)
    clip = _write_clip(tmp_path / "b.mp4", [_nobody(face_close_up(160))] * 40)
    assert _extract(extractor, clip).outcome.status is Status.NO_FACE
    assert len(tried) == 3 + 3 * 3, "a few frames of a clip stand for all"


def test_no_face_is_a_status_without_crops(extractor: Extractor, tmp_path: Path) -> None:
    nobody = _nobody(face_close_up(160))
    still = _extract(extractor, write_image(tmp_path / "a.png", nobody))
    assert (still.outcome.status, still.crops) == (Status.NO_FACE, ())
    assert still.outcome.message == "no face was found in 1 frame"
    moving = _extract(extractor, _write_clip(tmp_path / "a.mp4", [nobody] * 40))
    assert (moving.outcome.status, moving.outcome.num_faces) == (Status.NO_FACE, 0)
    assert (moving.outcome.frames_wanted, moving.outcome.frames_read) == (8, 8)


def test_twenty_faces(extractor: Extractor, tmp_path: Path) -> None:
    medium = _extract(extractor, write_image(tmp_path / "many.png", crowd()))
    assert medium.outcome.num_faces == len(medium.crops) == 20
    assert sorted(crop.track_id for crop in medium.crops) == list(range(20))


def test_crops_of_a_file_are_limited(tmp_path: Path) -> None:
    config = _CONFIG.model_copy(update={"max_crops": 6, "sampling": SamplingConfig(num_frames=3)})
    path = _write_clip(tmp_path / "many.mp4", [crowd(rows=2, columns=3)] * 12)
    medium = _extract(Extractor(config), path)
    counts = np.bincount([crop.frame_index for crop in medium.crops])
    assert set(counts[counts > 0]) == {2}
    assert len(medium.crops) == 6


@pytest.mark.parametrize(
    "is_face",
    [lambda i: i % 2 == 0, lambda i: i < 60, lambda i: i >= 60, lambda i: i % 40 < 20],
    ids=["every other frame", "first half", "second half", "in turns"],
)
def test_where_sampled_frames_show_no_face_others_are_taken(tmp_path: Path, is_face: Any) -> None:
    portrait = face_close_up(160)
    nobody = _nobody(portrait)
    frames = [portrait if is_face(i) else nobody for i in range(120)]
    config = _CONFIG.model_copy(update={"sampling": SamplingConfig(num_frames=32)})
    medium = _extract(Extractor(config), _write_clip(tmp_path / "half.mp4", frames))
    found = [crop.frame_index for crop in medium.crops]
    assert found == sorted(set(found))
    assert all(is_face(i) for i in found)
    assert 30 <= len(found) <= 32
    assert (medium.outcome.frames_wanted, medium.outcome.is_partial) == (32, False)


def test_looking_further_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One face in a long clip, or none, must not cost the whole clip."""
    nobody = _nobody(face_close_up(160))
    extractor = Extractor(_CONFIG)
    looked: list[int] = []
    search = extractor._face_detector.search
    monkeypatch.setattr(
        extractor._face_detector, "search", lambda view: (looked.append(1), search(view))[1]
    )
    _extract(extractor, _write_clip(tmp_path / "none.mp4", [nobody] * 100))
    assert len(looked) == 16 + 9, "and three frames in three turns"
    looked.clear()
    frames = [nobody] * 100
    frames[56] = face_close_up(160)
    medium = _extract(extractor, _write_clip(tmp_path / "one.mp4", frames))
    assert [crop.frame_index for crop in medium.crops] == [56]
    assert len(looked) == 24


def test_a_clip_shorter_than_the_sample(tmp_path: Path) -> None:
    portrait = face_close_up(160)
    medium = _extract(Extractor(_CONFIG), _write_clip(tmp_path / "s.mp4", [portrait] * 3))
    assert [crop.frame_index for crop in medium.crops] == [0, 1, 2]
    assert (medium.outcome.frames_wanted, medium.outcome.is_partial) == (3, False)


def test_frames_that_cannot_be_decoded(
    extractor: Extractor, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of them still make a file, less do not; either way the row says how many."""
    from deepfake.media.video import VideoReader

    read = VideoReader._iter_frames
    for lost, status in ((4, Status.OK), (5, Status.DECODE_ERROR)):
        monkeypatch.setattr(
            VideoReader, "_iter_frames", lambda self, wanted, lost=lost: read(self, wanted[lost:])
        )
        medium = _extract(extractor, clip)
        outcome = medium.outcome
        assert outcome.status is status
        assert (outcome.frames_read, outcome.is_partial) == (8 - lost, True)
        assert f"{8 - lost} of 8 frames could be decoded" in str(outcome.message)
        kept = 8 - lost if status is Status.OK else 0
        assert outcome.num_faces == len(medium.crops) == kept


def test_a_cut_in_the_film_ends_a_track(extractor: Extractor, tmp_path: Path) -> None:
    portrait = face_close_up(160)
    tinted = np.ascontiguousarray(portrait[..., [1, 2, 0]])
    frames = [portrait] * 20 + [tinted] * 20
    medium = _extract(extractor, _write_clip(tmp_path / "cut.mp4", frames))
    assert len(medium.crops) == 8
    assert [crop.track_id for crop in medium.crops] == [0] * 4 + [1] * 4


@pytest.mark.parametrize(
    ("content", "status"),
    [(b"", Status.EMPTY), (b"only text\n" * 50, Status.UNSUPPORTED)],
)
def test_a_failure_is_a_row(
    extractor: Extractor, tmp_path: Path, content: bytes, status: Status
) -> None:
    path = tmp_path / "x.mp4"
    path.write_bytes(content)
    medium = _extract(extractor, path)
    assert (medium.outcome.status, medium.crops, medium.kind) == (status, (), None)
    assert medium.outcome.error_type
    assert medium.outcome.message


def test_a_file_that_is_gone(extractor: Extractor, tmp_path: Path) -> None:
    medium = extractor.extract(ExtractRequest(to_uri(tmp_path / "gone.mp4"), "0" * 64))
    assert medium.outcome.status is Status.VANISHED
    assert "gone" in str(medium.outcome.message)


def test_an_uri_of_another_scheme(extractor: Extractor) -> None:
    medium = extractor.extract(ExtractRequest("ftp://host/x.mp4", "0" * 64))
    assert (medium.outcome.status, medium.outcome.error_type) == (Status.ERROR, "ConfigError")


@pytest.mark.parametrize("decoder", ["pyav", "decord"])
def test_a_medium_in_a_store_is_the_file_that_lies_here(
    clip: Path, bucket: StorePath, tmp_path: Path, decoder: DecoderName
) -> None:
    if decoder == "decord":
        pytest.importorskip("decord")
    extractor = Extractor(_CONFIG, decoder=decoder)
    still = write_image(tmp_path / "a.png", astronaut())
    for path in (clip, still):
        (bucket / path.name).put(path)
        there = extractor.extract(ExtractRequest((bucket / path.name).uri, sha256_of(path)))
        assert _plain(there) == _plain(_extract(extractor, path))
        assert there.outcome.uri == (bucket / path.name).uri
    gone = extractor.extract(ExtractRequest((bucket / "gone.mp4").uri, "0" * 64))
    assert gone.outcome.status is Status.VANISHED
    small = Extractor(_CONFIG.model_copy(update={"limits": MediaLimits(max_bytes=10)}))
    large = small.extract(ExtractRequest((bucket / clip.name).uri, "0" * 64))
    assert large.outcome.status is Status.TOO_LARGE
