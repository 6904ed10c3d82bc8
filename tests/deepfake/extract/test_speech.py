"""Speech is found, pauses are cut out, and windows have one length."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from deepfake.config import MediaLimits, SpeechConfig
from deepfake.extract.speech import FoundSpeech, find_speech
from deepfake.media.sound import SAMPLE_RATE, SoundPiece, open_sound
from tests.sound_factory import make_vowels

_CONFIG = SpeechConfig()


def _silence(seconds: float) -> np.ndarray:
    noise = np.random.default_rng(1).standard_normal(round(seconds * SAMPLE_RATE))
    return np.asarray(1e-4 * noise, np.float32)


def _find(
    parts: Sequence[np.ndarray], *, config: SpeechConfig = _CONFIG, begin: float = 0.0
) -> FoundSpeech:
    """Find speech in parts that follow each other, handed over in pieces of a second."""
    sound = np.concatenate(parts)
    pieces = [
        SoundPiece(sound[at : at + SAMPLE_RATE], begin + at / SAMPLE_RATE)
        for at in range(0, len(sound), SAMPLE_RATE)
    ]
    return find_speech(pieces, config=config)


def test_pauses_are_cut_out_and_times_are_those_of_the_file() -> None:
    found = _find(
        [_silence(3), make_vowels(5), _silence(4), make_vowels(3, seed=1), _silence(2)], begin=10
    )
    assert found.sound_seconds == pytest.approx(17.0)
    assert found.speech_seconds == pytest.approx(8.0, abs=0.6)
    assert all(len(window.samples) == 4 * SAMPLE_RATE for window in found.windows)
    first, last = found.windows[0], found.windows[-1]
    assert first.pts_seconds == pytest.approx(13.0, abs=0.15)
    assert last.end_seconds == pytest.approx(25.0, abs=0.3)
    for window in found.windows:
        frames = window.samples.reshape(-1, 320)
        quiet = np.sqrt(np.square(frames).mean(axis=1)) < 1e-3
        assert quiet.mean() < 0.1, "the pause of four seconds is not in a window"


def test_a_pause_within_a_sentence_stays() -> None:
    found = _find([make_vowels(2), _silence(0.2), make_vowels(2, seed=1)])
    assert found.speech_seconds == pytest.approx(4.2, abs=0.3)


@pytest.mark.parametrize("level", [1e-3, 0.02, 1.0])
def test_how_loud_a_recording_is_does_not_matter(level: float) -> None:
    parts = [_silence(2), make_vowels(5), _silence(2)]
    found = _find([level * part for part in parts])
    assert found.speech_seconds == pytest.approx(_find(parts).speech_seconds, abs=0.3)
    assert float(np.abs(found.windows[0].samples).max()) <= 0.5 * level + 1e-6, "as loud as it was"


def test_too_little_speech_gives_no_window() -> None:
    found = _find([_silence(5), make_vowels(1.2), _silence(5)])
    assert found.windows == ()
    assert 0.5 < found.speech_seconds < 2.0


@pytest.mark.parametrize("sound", ["nothing", "silence", "zeros", "hum"])
def test_what_is_no_speech_gives_none(sound: str) -> None:
    time = np.arange(6 * SAMPLE_RATE) / SAMPLE_RATE
    parts = {
        "nothing": np.empty(0, np.float32),
        "silence": _silence(6),
        "zeros": np.zeros(6 * SAMPLE_RATE, np.float32),
        "hum": np.asarray(0.3 * np.sin(2 * np.pi * 50 * time), np.float32),
    }
    found = _find([parts[sound]])
    assert found.windows == ()
    assert found.speech_seconds < 2.0


def test_speech_shorter_than_a_window_is_repeated() -> None:
    found = _find([make_vowels(2.5)])
    (window,) = found.windows
    size = round(window.speech_seconds * SAMPLE_RATE)
    assert 2.0 < window.speech_seconds < 3.0
    np.testing.assert_array_equal(window.samples[size : 2 * size][:100], window.samples[:100])


def test_of_long_speech_windows_are_spread_over_all_of_it() -> None:
    found = _find([make_vowels(60)], config=SpeechConfig(max_windows=5))
    begins = [window.pts_seconds for window in found.windows]
    assert len(begins) == 5
    assert begins[0] < 1.0 and begins[-1] > 54.0
    assert begins == sorted(begins)


def test_no_more_sound_is_listened_to_than_asked_for() -> None:
    found = _find([make_vowels(30)], config=SpeechConfig(max_sound_seconds=10))
    assert found.sound_seconds == 10.0
    assert found.windows[-1].end_seconds <= 10.0


def test_sound_around_a_gap_is_not_joined() -> None:
    speech = make_vowels(5)
    pieces = [SoundPiece(speech, 0.0), SoundPiece(speech, 100.0)]
    found = find_speech(pieces, config=_CONFIG)
    assert found.sound_seconds == 10.0
    assert found.windows[0].pts_seconds < 1.0 and found.windows[-1].end_seconds > 104.0


@pytest.mark.shared_data
def test_people_who_read_a_sentence_are_heard(shared_data: Path) -> None:
    paths = sorted((shared_data / "videos" / "generated" / "real").glob("grid*"))
    assert len(paths) >= 5
    for path in paths:
        reader = open_sound(path, limits=MediaLimits())
        assert reader is not None
        with reader:
            found = find_speech(reader.read(), config=SpeechConfig(min_speech_seconds=0.5))
        # GRID's sentences take a bit over a second and a half of three seconds.
        assert 0.9 < found.speech_seconds < 2.9, path.name
