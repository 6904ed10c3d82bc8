"""Fakes made of real speech: copies by vocoders and other means of synthesis.

What is said, and by whom, is that of the original; only what synthesis leaves behind differs. So
that is what a detector learns, and not voices, rooms or texts.

Source: the idea is that of Wang and Yamagishi, Spoofed training data for speech spoofing
countermeasure can be efficiently created using neural vocoders, ICASSP 2023.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from deepfake.errors import ConfigError
from deepfake.media.sound import Samples
from deepfake.training.voice.phase_copies import (
    griffin_lim,
    mel_griffin_lim,
    phase_vocoder,
    random_phase,
)
from deepfake.training.voice.upsampled_copies import bandwidth_extension, zero_insertion
from deepfake.training.voice.vocoder_copies import has_world, lpc_vocoder, world_vocoder

__all__ = [
    "COPY_KINDS",
    "available_copy_kinds",
    "reject_unavailable_copies",
    "synthesise_copy",
]

_SYNTHESIS: dict[str, Callable[..., Samples]] = {
    "bandwidth_extension": bandwidth_extension,
    "griffin_lim": griffin_lim,
    "lpc": lpc_vocoder,
    "mel_griffin_lim": mel_griffin_lim,
    "phase_vocoder": phase_vocoder,
    "random_phase": random_phase,
    "world": world_vocoder,
    "zero_insertion": zero_insertion,
}

_FULL_SCALE = 32_767
"""Of 16 bits, as windows are stored: finer steps would tell copies from originals."""

COPY_KINDS = tuple(_SYNTHESIS)
"""Kinds of copies, in alphabetical order; `world` needs the package pyworld."""


def available_copy_kinds() -> tuple[str, ...]:
    """Return the kinds of `COPY_KINDS` that can be made with what is installed."""
    return tuple(kind for kind in COPY_KINDS if kind != "world" or has_world())


def reject_unavailable_copies(kinds: Sequence[str]) -> None:
    """Reject kinds of copies that do not exist, or that need a package which is not installed.

    Raises:
        ConfigError: One of them cannot be made.
    """
    for kind in kinds:
        if kind not in COPY_KINDS:
            raise ConfigError(f"no kind of copy {kind!r}; there are {', '.join(COPY_KINDS)}")
        if kind not in available_copy_kinds():
            raise ConfigError(
                f"copies of the kind {kind!r} need a package that is not installed",
                hint="Install pyworld, or leave the kind out of copy_kinds.",
            )


def synthesise_copy(samples: Samples, *, kind: str, rng: np.random.Generator) -> Samples:
    """Return a copy of speech, as long and as loud as the original, rounded to 16 bits as that is.

    Args:
        samples: Shape (N,), float32, -1 to 1, at `SAMPLE_RATE`; is not changed.
        kind: One of `COPY_KINDS`.
        rng: Of all that is random.

    Returns:
        Shape (N,), float32, -1 to 1; silence for silence.

    Raises:
        ConfigError: The kind is unknown, or needs a package that is not installed.
    """
    if kind not in _SYNTHESIS:
        raise ConfigError(f"no kind of copy {kind!r}; there are {', '.join(COPY_KINDS)}")
    copy = _SYNTHESIS[kind](samples, rng=rng)
    wanted, found = (float(np.square(sound, dtype=np.float64).sum()) for sound in (samples, copy))
    if not wanted or not found:
        return np.zeros_like(samples)
    leveled = (copy * np.sqrt(wanted / found)).clip(-1.0, 1.0)
    return np.asarray(np.rint(leveled * _FULL_SCALE) / _FULL_SCALE, np.float32)
