"""The dataclasses validate their fields; errors can be sent between processes."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest

from deepfake import errors
from deepfake.errors import (
    ConfigError,
    DeepfakeError,
    MediaError,
    ShardError,
    SoundOnlyError,
    UnknownModelError,
    UnreadableMediaError,
)
from deepfake.types import EXPECTED_STATUSES, Face, FaceTrack, Frame, Kind, MediaInfo, Status

_POINTS = ((0.0, 0.0),) * 5
_NAN = float("nan")
_ERRORS = [error for name in errors.__all__ if isinstance(error := getattr(errors, name), type)]


@pytest.mark.parametrize("kind", _ERRORS)
def test_an_error_crosses_processes_whole(kind: type[DeepfakeError]) -> None:
    error = kind("what was wrong", path="/a/b", hint="do this")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert (again.message, again.path, again.hint) == ("what was wrong", "/a/b", "do this")
    assert str(again) == "what was wrong: /a/b"


@pytest.mark.parametrize("kind", _ERRORS)
def test_every_error_is_ours_and_a_builtin_too(kind: type[DeepfakeError]) -> None:
    assert issubclass(kind, DeepfakeError)
    builtin = (ValueError, RuntimeError, OSError, LookupError)
    assert kind is DeepfakeError or issubclass(kind, builtin)


def test_errors_can_be_caught_by_their_kin() -> None:
    assert issubclass(UnreadableMediaError, OSError)
    assert issubclass(UnknownModelError, LookupError)
    assert issubclass(ShardError, ValueError)
    assert str(ConfigError("only this")) == "only this"


def test_every_media_error_has_a_status_of_its_own_kind() -> None:
    kinds = [kind for kind in _ERRORS if issubclass(kind, MediaError)]
    assert SoundOnlyError.status is Status.NO_PICTURE, "whose voice may be judged all the same"
    statuses = {kind.status for kind in kinds if kind is not SoundOnlyError}
    assert not statuses & EXPECTED_STATUSES
    assert {Status.EMPTY, Status.UNSUPPORTED, Status.TOO_LARGE, Status.UNREADABLE} <= statuses


def test_the_statuses_are_those_of_the_contract() -> None:
    assert {str(status) for status in Status} == {
        *("ok", "no_face", "empty", "unsupported", "decode_error", "too_large", "timeout"),
        *("crashed", "out_of_memory", "unreadable", "missing", "vanished", "error"),
        *("no_picture", "no_speech"),
    }
    expected = {"ok", "no_face", "no_picture", "no_speech", "missing"}
    assert {str(status) for status in EXPECTED_STATUSES} == expected


@pytest.mark.parametrize(
    ("box", "points", "confidence"),
    [
        ((0, 0, 0, 10), _POINTS, 0.5),
        ((0, 10, 10, 0), _POINTS, 0.5),
        ((0, 0, _NAN, 10), _POINTS, 0.5),
        ((0, 0, 10, 10), _POINTS[:4], 0.5),
        ((0, 0, 10, 10), _POINTS, 1.5),
        ((0, 0, 10, 10), _POINTS, _NAN),
    ],
)
def test_an_impossible_face_is_refused(box: Any, points: Any, confidence: float) -> None:
    with pytest.raises(ValueError, match=r"box|landmarks|confidence"):
        Face(box, points, confidence)


def test_geometry_of_a_face() -> None:
    face = Face((-10.0, 20.0, 30.0, 120.0), _POINTS, 1.0)
    assert (face.size_px, face.center_xy) == (100.0, (10.0, 70.0))
    with pytest.raises(FrozenInstanceError):
        face.confidence = 0.5  # type: ignore[misc]


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
    ],
)
def test_a_frame_is_rgb_of_eight_bits(pixels: np.ndarray) -> None:
    with pytest.raises(ValueError, match="uint8"):
        Frame(pixels, pts_seconds=0.0, frame_index=0)


def test_a_frame_knows_its_size() -> None:
    frame = Frame(np.zeros((2, 5, 3), np.uint8), pts_seconds=0.0, frame_index=0)
    assert (frame.width, frame.height) == (5, 2)


def test_an_impossible_medium_is_refused() -> None:
    for bad in ({"width": 0}, {"num_frames": -1}, {"duration_seconds": -0.1}):
        with pytest.raises(ValueError, match="must"):
            MediaInfo(
                **{
                    "kind": Kind.VIDEO,
                    "codec": "x",
                    "container": "y",
                    "width": 1,
                    "height": 1,
                    **bad,
                }
            )  # type: ignore[arg-type]


def test_a_track_of_uneven_lists_is_refused() -> None:
    with pytest.raises(ValueError, match="one length"):
        FaceTrack(track_id=0, faces=(), frame_indices=(1,), pts_seconds=())
