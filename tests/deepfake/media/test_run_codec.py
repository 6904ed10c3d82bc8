"""Runs of mouths as bytes, and back."""

from __future__ import annotations

from dataclasses import asdict, replace

import cv2
import numpy as np
import pytest

from deepfake.errors import DecodeError, UnsupportedMediaError
from deepfake.media.run_codec import decode_run, encode_run, round_trip_run, store_run
from deepfake.types import MouthRun
from tests.sound_factory import make_speech


def _run(num_mouths: int = 6, size: int = 64) -> MouthRun:
    rng = np.random.default_rng(0)
    coarse = rng.integers(40, 200, (num_mouths, 8, 8), dtype=np.uint8)
    return MouthRun(
        mouths=np.stack([cv2.resize(one, (size, size)) for one in coarse]),
        samples=make_speech(1.0),
        sound_span=(100, 15_000),
        pts_seconds=1.25,
        end_seconds=1.25 + num_mouths / 25,
        track_id=1,
        run_index=2,
        face_px=80.5,
        speech_seconds=0.2,
    )


def test_a_run_is_nearly_what_it_was_and_the_same_each_time() -> None:
    run = _run()
    stored = store_run(run)
    again = decode_run(memoryview(stored.encoded), record=asdict(stored))
    assert np.abs(again.mouths.astype(int) - run.mouths).mean() < 2
    np.testing.assert_allclose(again.samples, run.samples, atol=1 / 32_000)
    passed = round_trip_run(run)
    np.testing.assert_array_equal(passed.mouths, again.mouths)
    np.testing.assert_array_equal(passed.samples, again.samples)
    own = replace(again, mouths=run.mouths, samples=run.samples)
    assert own.sound_span == run.sound_span
    assert (own.pts_seconds, own.track_id, own.face_px) == (1.25, 1, 80.5)


def test_damaged_bytes_are_an_error() -> None:
    stored = store_run(_run())
    record = asdict(stored)
    for bad in (b"", b"abc", stored.encoded[:50], b"\xff\xff\xff\x7f" + stored.encoded[4:]):
        with pytest.raises(DecodeError):
            decode_run(bad, record=record)
    with pytest.raises(DecodeError, match="7 mouths were expected"):
        decode_run(stored.encoded, record={**record, "num_mouths": 7})
    with pytest.raises(DecodeError, match="no span"):
        decode_run(stored.encoded, record={**record, "sound_span": (0, 99_999)})


def test_what_no_jpeg_can_hold_is_refused() -> None:
    with pytest.raises(UnsupportedMediaError):
        encode_run(replace(_run(), mouths=np.zeros((300, 256, 256), np.uint8)))
    with pytest.raises(UnsupportedMediaError):
        encode_run(replace(_run(), samples=np.zeros(0, np.float32), sound_span=(0, 0)))
