"""The bad and odd files of sound, as kinds of the folder, with the statuses of their rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.torture.bad_file import Kind, Outside
from tests.torture.sounds import SOUNDS, SoundKind

__all__ = ["SOUND_KINDS"]

_WITH_PICTURES = {
    # Their header says what is in them, though no sample or no picture of a face is.
    "late.mp4": "no_face",
    "no-samples.wav": "no_picture",
    "no-sound.mp4": "no_face",
    "picture.flac": "ok",
    "silent.mp4": "no_face",
}
"""Statuses of files of which the sound does not decide."""


def _kind(sound: SoundKind) -> Kind:
    outcome = sound.outcome
    said = str(outcome.status) if isinstance(outcome, type) else "no_picture"
    return Kind(f"sounds/{sound.name}", _WITH_PICTURES.get(sound.name, said), _writer(sound))


def _writer(sound: SoundKind) -> Callable[[Path, Outside], object]:
    return lambda path, _: sound.write(path)


SOUND_KINDS = [_kind(sound) for sound in SOUNDS]
