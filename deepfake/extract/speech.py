"""Find speech in sound, and cut it into windows without pauses.

Pauses are cut out before anything is learnt: how long the silence at the beginning is tells fakes
of ASVspoof 2019 from reals at an equal error rate of 15 %.

Source: Müller et al., "Speech is Silver, Silence is Golden: What do ASVspoof-trained Models Really
Learn?", 2021 ASVspoof workshop, table 2.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import webrtcvad
from numpy.typing import NDArray
from scipy.signal import butter, lfilter

from deepfake.config import SpeechConfig
from deepfake.media.sound import SAMPLE_RATE, Samples, SoundPiece

__all__ = ["FoundSpeech", "SpeechWindow", "find_speech", "find_speech_spans"]

_FRAME_SAMPLES = SAMPLE_RATE * 30 // 1000
"""30 ms, the longest that the detector takes; shorter ones cost more and tell no more."""
_LOUD_SHARE = 0.95
"""The level of a recording is that of its frames at this quantile."""
_LEVEL = 0.1
"""Effective value, of full scale, that recordings are brought to before speech is looked for."""
_MAX_GAIN = 100.0
_HIGH_PASS = butter(2, 100.0, "highpass", fs=SAMPLE_RATE)
"""The detector takes mains hum for a voice."""


@dataclass(frozen=True, slots=True)
class SpeechWindow:
    """Some seconds of speech, without the pauses in it.

    Attributes:
        samples: Shape (N,), float32, -1 to 1, at `SAMPLE_RATE`, as loud as they were.
        pts_seconds: Where it begins in the file, seconds.
        end_seconds: Where it ends; over N samples later where a pause was cut out.
        speech_seconds: Of it; less than it is long where speech was repeated to fill it.
    """

    samples: Samples
    pts_seconds: float
    end_seconds: float
    speech_seconds: float


@dataclass(frozen=True, slots=True)
class FoundSpeech:
    """What was found in a file's sound.

    Attributes:
        windows: Ascending in time; none where there is too little speech.
        speech_seconds: Speech found in all.
        sound_seconds: Sound that was listened to.
    """

    windows: tuple[SpeechWindow, ...]
    speech_seconds: float
    sound_seconds: float


@dataclass(frozen=True, slots=True)
class _Speech:
    """All speech of a file, one segment behind the other.

    Attributes:
        samples: Shape (N,).
        times: Where in the file each sample was, seconds, shape (N,), float64.
    """

    samples: Samples
    times: NDArray[np.float64]


def find_speech(pieces: Iterable[SoundPiece], *, config: SpeechConfig) -> FoundSpeech:
    """Find the speech in a file's sound, and cut it into windows of one length.

    The last window reaches back where less is left. Where a file has less than a window, its speech
    is repeated to fill one.

    Args:
        pieces: From `SoundReader.read`; no more than `max_sound_seconds` are taken.
        config: What counts as speech, and how long windows are.
    """
    runs = list(_join_pieces(pieces, max_samples=round(config.max_sound_seconds * SAMPLE_RATE)))
    sound_seconds = sum(len(run.samples) for run in runs) / SAMPLE_RATE
    speech = _concatenate(_segments_of(runs, config=config))
    speech_seconds = len(speech.samples) / SAMPLE_RATE
    if speech_seconds < config.min_speech_seconds:
        return FoundSpeech((), speech_seconds, sound_seconds)
    return FoundSpeech(tuple(_windows(speech, config=config)), speech_seconds, sound_seconds)


def find_speech_spans(
    pieces: Iterable[SoundPiece], *, config: SpeechConfig
) -> list[tuple[float, float]]:
    """Find the speech in a file's sound: begin and end of each segment, seconds, ascending.

    Args:
        pieces: From `SoundReader.read`; no more than `max_sound_seconds` are taken.
        config: What counts as speech.
    """
    runs = list(_join_pieces(pieces, max_samples=round(config.max_sound_seconds * SAMPLE_RATE)))
    return [(s.pts_seconds, s.end_seconds) for s in _segments_of(runs, config=config)]


def _segments_of(runs: Sequence[SoundPiece], *, config: SpeechConfig) -> list[SoundPiece]:
    gain = _gain(runs)
    return [s for run in runs for s in _segments(run, gain=gain, config=config)]


def _join_pieces(pieces: Iterable[SoundPiece], *, max_samples: int) -> Iterator[SoundPiece]:
    """Yield sound without gaps, as long as it goes."""
    held: list[SoundPiece] = []
    left = max_samples
    for piece in pieces:
        if held and abs(piece.pts_seconds - held[-1].end_seconds) > 1 / SAMPLE_RATE:
            yield _join(held)
            held = []
        held.append(SoundPiece(piece.samples[:left], piece.pts_seconds))
        left -= len(held[-1].samples)
        if left == 0:
            break
    if held:
        yield _join(held)


def _join(pieces: Sequence[SoundPiece]) -> SoundPiece:
    return SoundPiece(np.concatenate([p.samples for p in pieces]), pieces[0].pts_seconds)


def _gain(runs: Sequence[SoundPiece]) -> float:
    """Return the factor that brings a recording to the level that speech is looked for at."""
    powers = [np.square(_frames(run.samples)).mean(axis=1) for run in runs]
    level = float(np.sqrt(np.quantile(np.concatenate([*powers, np.zeros(1)]), _LOUD_SHARE)))
    return min(_LEVEL / level, _MAX_GAIN) if level > 0 else 1.0


def _frames(samples: NDArray[Any]) -> NDArray[Any]:
    """Return whole frames, shape (F, `_FRAME_SAMPLES`); what is left over is dropped."""
    num = len(samples) // _FRAME_SAMPLES
    return samples[: num * _FRAME_SAMPLES].reshape(num, _FRAME_SAMPLES)


def _segments(run: SoundPiece, *, gain: float, config: SpeechConfig) -> Iterator[SoundPiece]:
    """Yield the segments of a run that are speech."""
    detector = webrtcvad.Vad(config.aggressiveness)
    loud = _frames(lfilter(*_HIGH_PASS, run.samples * gain)).clip(-1.0, 1.0)
    coded = (loud * np.iinfo(np.int16).max).astype(np.int16)
    is_speech = np.array([detector.is_speech(f.tobytes(), SAMPLE_RATE) for f in coded], np.bool_)
    for first, end in _runs(is_speech, config=config):
        begin = first * _FRAME_SAMPLES
        samples = run.samples[begin : end * _FRAME_SAMPLES]
        yield SoundPiece(samples, run.pts_seconds + begin / SAMPLE_RATE)


def _runs(is_speech: NDArray[np.bool_], *, config: SpeechConfig) -> list[tuple[int, int]]:
    """Return first and end of each run of speech, frames; short pauses are closed first."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], is_speech, [False]]).astype(np.int8)))
    joined: list[tuple[int, int]] = []
    for first, end in edges.reshape(-1, 2).tolist():
        if joined and _seconds(first - joined[-1][1]) <= config.max_pause_seconds:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((first, end))
    return [(first, end) for first, end in joined if _seconds(end - first) >= _shortest(config)]


def _shortest(config: SpeechConfig) -> float:
    return max(config.min_segment_seconds, _seconds(1))


def _seconds(num_frames: int) -> float:
    return num_frames * _FRAME_SAMPLES / SAMPLE_RATE


def _concatenate(segments: Sequence[SoundPiece]) -> _Speech:
    if not segments:
        return _Speech(np.empty(0, np.float32), np.empty(0))
    times = [s.pts_seconds + np.arange(len(s.samples)) / SAMPLE_RATE for s in segments]
    return _Speech(np.concatenate([s.samples for s in segments]), np.concatenate(times))


def _windows(speech: _Speech, *, config: SpeechConfig) -> Iterator[SpeechWindow]:
    size, num = round(config.window_seconds * SAMPLE_RATE), len(speech.samples)
    begins = [*range(0, max(num - size, 0), size), max(num - size, 0)]
    if len(begins) > config.max_windows:
        chosen = np.linspace(0, len(begins) - 1, config.max_windows).round().astype(int)
        begins = [begins[at] for at in chosen]
    for begin in begins:
        end = min(begin + size, num)
        yield SpeechWindow(
            samples=np.resize(speech.samples[begin:end], size),
            pts_seconds=float(speech.times[begin]),
            end_seconds=float(speech.times[end - 1]) + 1 / SAMPLE_RATE,
            speech_seconds=(end - begin) / SAMPLE_RATE,
        )
