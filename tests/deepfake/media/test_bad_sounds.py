"""Whatever a file of sound holds, reading it ends: with its sound, without, or with an error."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from deepfake.config import MediaLimits, SpeechConfig
from deepfake.errors import MediaError
from deepfake.extract.speech import FoundSpeech, find_speech
from deepfake.media.sound import SAMPLE_RATE, SoundPiece, open_sound
from tests.command_line import product_environment
from tests.paths import CHECKOUT
from tests.sound_factory import dominant_hz
from tests.torture.sounds import SECONDS, SOUNDS, SoundKind

_MAX_MEGABYTES = 64
_BY_NAME = {kind.name: kind for kind in SOUNDS}
_REFUSED = [kind for kind in SOUNDS if isinstance(kind.outcome, type)]
_HEARD = [kind for kind in SOUNDS if isinstance(kind.outcome, float)]
_WITHOUT = [kind for kind in SOUNDS if kind.outcome is None]


def _name_of(kind: SoundKind) -> str:
    return kind.name


def _write(name: str, folder: Path) -> Path:
    _BY_NAME[name].write(folder / name)
    return folder / name


def _read(path: Path) -> tuple[list[SoundPiece], int]:
    """Return the pieces of a file, and how many packets were left out."""
    reader = open_sound(path, limits=MediaLimits())
    assert reader is not None
    with reader:
        return list(reader.read()), reader.num_damaged


def _find(pieces: list[SoundPiece]) -> FoundSpeech:
    return find_speech(pieces, config=SpeechConfig())


@pytest.mark.parametrize("kind", _HEARD, ids=_name_of)
def test_what_can_be_heard_is_decoded(kind: SoundKind, tmp_path: Path) -> None:
    pieces, num_damaged = _read(_write(kind.name, tmp_path))
    samples = np.concatenate([piece.samples for piece in pieces])
    assert np.isfinite(samples).all()
    assert float(np.abs(samples).max()) <= 1.0
    assert len(samples) / SAMPLE_RATE == pytest.approx(kind.outcome, abs=kind.tolerance + 1e-3)
    assert (num_damaged > 0) == kind.has_damage
    found = _find(pieces)
    assert found.sound_seconds == pytest.approx(len(samples) / SAMPLE_RATE)
    assert found.speech_seconds <= found.sound_seconds
    if kind.hz is not None:
        # Of a tenth of a second frequencies are known to 10 Hz.
        assert dominant_hz(samples) == pytest.approx(
            kind.hz, abs=max(1.5, SAMPLE_RATE / len(samples))
        )


@pytest.mark.parametrize("kind", _REFUSED, ids=_name_of)
def test_what_cannot_be_read_is_an_error(kind: SoundKind, tmp_path: Path) -> None:
    path = _write(kind.name, tmp_path)
    with pytest.raises(MediaError) as raised:
        _read(path)
    assert raised.type is kind.outcome
    assert str(raised.value.path) == str(path)


@pytest.mark.parametrize("kind", _WITHOUT, ids=_name_of)
def test_files_without_sound_have_none(kind: SoundKind, tmp_path: Path) -> None:
    assert open_sound(_write(kind.name, tmp_path), limits=MediaLimits()) is None


@pytest.mark.parametrize("name", ["zeros.flac", "nan.wav", "constant.wav", "silent.mp4"])
def test_nobody_speaks_in_silence(name: str, tmp_path: Path) -> None:
    found = _find(_read(_write(name, tmp_path))[0])
    assert found.windows == ()
    assert found.speech_seconds == 0


def test_sound_that_begins_late_has_the_times_of_the_pictures(tmp_path: Path) -> None:
    pieces, _ = _read(_write("late.mp4", tmp_path))
    assert pieces[0].pts_seconds == pytest.approx(2.0, abs=0.05)
    assert pieces[-1].end_seconds == pytest.approx(2.0 + SECONDS, abs=0.05)


def test_a_declared_length_is_no_length(tmp_path: Path) -> None:
    reader = open_sound(_write("million-hours.mkv", tmp_path), limits=MediaLimits())
    assert reader is not None
    with reader:
        assert reader.info.duration_seconds_from_header == pytest.approx(3.6e9)
        assert sum(len(piece.samples) for piece in reader.read()) == SECONDS * SAMPLE_RATE


def test_a_gap_of_a_million_hours_is_not_filled(tmp_path: Path) -> None:
    pieces, _ = _read(_write("gap-of-million-hours.mkv", tmp_path))
    assert pieces[-1].pts_seconds == pytest.approx(3.6e9, abs=10)
    assert _find(pieces).sound_seconds == pytest.approx(SECONDS / 2, abs=0.05)


def test_rates_that_no_sound_has_are_named(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"sound of 1 samples a second; 1,000 to 1,000,000"):
        open_sound(_write("rate1.flac", tmp_path), limits=MediaLimits())


_CHILD = """
import sys
from pathlib import Path
import scipy.signal  # what the first file imports is no memory of a file
from deepfake.config import MediaLimits, SpeechConfig
from deepfake.errors import MediaError
from deepfake.extract.speech import find_speech
from deepfake.media.sound import open_sound

def peak():
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) // 1024

before = peak()
for path in map(Path, sys.argv[1:]):
    try:
        reader = open_sound(path, limits=MediaLimits())
        if reader is not None:
            with reader:
                find_speech(reader.read(), config=SpeechConfig())
    except MediaError:
        pass
    print(path.name, peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of memory from /proc")
def test_no_file_takes_much_memory(tmp_path: Path) -> None:
    paths = [str(_write(kind.name, tmp_path)) for kind in SOUNDS]
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, *paths],
        cwd=CHECKOUT,
        env=product_environment(PYTHONPATH=str(CHECKOUT)),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    peaks = {name: int(taken) for name, taken in (x.split() for x in done.stdout.splitlines())}
    assert len(peaks) == len(SOUNDS)
    assert max(peaks.values()) < _MAX_MEGABYTES, peaks
