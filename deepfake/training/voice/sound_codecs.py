"""Draw the codec that a window of sound goes through, and how it is set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from deepfake.media.sound_compression import available_sound_codecs, pass_through_codec

__all__ = [
    "CodecSetup",
    "available_sound_codecs",
    "draw_codec",
    "pass_through_codec",
]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CodecSetup:
    """A codec and what it is asked for.

    Attributes:
        codec: Of `available_sound_codecs`.
        bit_rate: Bits a second; None where the codec has only one.
        rate: Samples a second that it works at; None where it has only one.
    """

    codec: str
    bit_rate: int | None = None
    rate: int | None = None


_BIT_RATES = {
    "aac": (16_000, 24_000, 32_000, 48_000, 64_000),
    "amr_nb": (4_750, 5_900, 7_400, 10_200, 12_200),
    "mp3": (16_000, 24_000, 32_000, 48_000, 64_000, 96_000, 128_000),
    "opus": (8_000, 12_000, 16_000, 24_000, 32_000, 48_000),
    "sbc": (64_000, 96_000, 128_000),
}
_RATES = {
    "aac": (16_000, 22_050, 44_100),
    "mp3": (16_000, 22_050, 24_000, 44_100),
    "opus": (8_000, 16_000, 48_000),
}


def draw_codec(rng: np.random.Generator) -> CodecSetup:
    """Return one of the codecs that there are here, each equally often, with a setup drawn for it.

    Args:
        rng: Three numbers are drawn, whatever the codec.
    """
    places = rng.random(3)
    codec = _chosen(available_sound_codecs(), places[0])
    bit_rates, rates = _BIT_RATES.get(codec), _RATES.get(codec)
    return CodecSetup(
        codec=codec,
        bit_rate=_chosen(bit_rates, places[1]) if bit_rates else None,
        rate=_chosen(rates, places[2]) if rates else None,
    )


def _chosen(values: Sequence[T], place: float) -> T:
    """Return the value at a place between 0, inclusive, and 1, exclusive."""
    return values[int(place * len(values))]
