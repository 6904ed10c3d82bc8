"""Compare counted media with a reference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from deepfake.scoring.drift.counts import Counts
from deepfake.scoring.drift.reference import Histogram
from deepfake.scoring.drift.stability import chance_index, stability_index
from deepfake.types import Label

__all__ = ["DEFAULT_LIMIT", "Drift", "DriftedFeature", "compare", "is_moved"]

DEFAULT_LIMIT = 0.25
_SOME = 0.1
"""Under 0.1 nothing has moved, over 0.25 it has, between them somewhat.

Source: Siddiqi, Credit Risk Scorecards, Wiley 2006, chapter 9."""

_MIN_MEDIA = 30
_PSEUDO = 0.5
"""Added to each bin, so that an empty one has a share. Source: Jeffreys's prior."""

Level = Literal["stable", "some", "moved", "too_few"]


def is_moved(feature: Mapping[str, Any]) -> bool:
    """Return whether the record of a `DriftedFeature` is over the limit."""
    return bool(feature["level"] == "moved")


@dataclass(frozen=True, slots=True)
class DriftedFeature:
    """How far one feature of one kind has moved.

    Attributes:
        kind: Of the media.
        name: Of the feature.
        index: Population stability index; None with fewer than 30 media.
        chance: What the index stays under in 99 of 100 cases where nothing has moved.
        level: `stable` under 0.1 or within chance, `moved` over the limit, `some` between them.
        num_media: Media compared.
        num_reference: Files of the reference.
        edges: Between the bins.
        expected: Shares of the reference, a bin each.
        actual: Shares of the media.
    """

    kind: str
    name: str
    index: float | None
    chance: float | None
    level: Level
    num_media: int
    num_reference: int
    edges: tuple[float, ...]
    expected: tuple[float, ...]
    actual: tuple[float, ...]

    def as_record(self) -> dict[str, Any]:
        """Return the attributes in JSON types."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Drift:
    """How far media have moved.

    Attributes:
        limit: Over which a feature counts as moved.
        prior: Share of fakes that the reference was mixed for.
        features: The furthest first, those of too few media last.
    """

    limit: float
    prior: float
    features: tuple[DriftedFeature, ...]

    @property
    def moved(self) -> tuple[DriftedFeature, ...]:
        """The features over the limit, the furthest first."""
        return tuple(f for f in self.features if is_moved(f.as_record()))


def compare(counts: Counts, *, prior: float, limit: float = DEFAULT_LIMIT) -> Drift:
    """Return how far counted media lie from their reference.

    The reference's reals and fakes are weighted for the share of fakes that is expected, so that
    media with few fakes among them have not moved for that alone.

    Args:
        counts: The media.
        prior: Share of fakes expected among them.
        limit: Over which a feature counts as moved.
    """
    found = sorted(_compared(counts, prior=prior, limit=limit), key=lambda f: -(f.index or -1.0))
    return Drift(limit=limit, prior=prior, features=tuple(found))


def _compared(counts: Counts, *, prior: float, limit: float) -> Iterator[DriftedFeature]:
    for kind, features in counts.reference.features.items():
        for name, histogram in features.items():
            own = counts.of(kind, name)
            if own.sum():
                yield _feature(kind, name, histogram, own, prior=prior, limit=limit)


def _feature(
    kind: str,
    name: str,
    histogram: Histogram,
    own: NDArray[np.int64],
    *,
    prior: float,
    limit: float,
) -> DriftedFeature:
    expected, num_expected = _mixed(histogram, prior=prior)
    actual, num = _shares(own), int(own.sum())
    index = chance = None
    if num >= _MIN_MEDIA:
        index = stability_index(expected, actual)
        chance = chance_index(
            num_bins=histogram.num_bins, num_expected=num_expected, num_actual=num
        )
    return DriftedFeature(
        kind=kind,
        name=name,
        index=index,
        chance=chance,
        level=_level(index, chance, limit=limit),
        num_media=num,
        num_reference=histogram.num_samples,
        edges=histogram.edges,
        expected=tuple(float(share) for share in expected),
        actual=tuple(float(share) for share in actual),
    )


def _level(index: float | None, chance: float | None, *, limit: float) -> Level:
    if index is None or chance is None:
        return "too_few"
    if index <= chance or index < min(_SOME, limit):
        return "stable"
    return "moved" if index > limit else "some"


def _mixed(histogram: Histogram, *, prior: float) -> tuple[NDArray[np.float64], float]:
    """Return shares for a share of fakes, shape (B,), and how many samples they are worth."""
    weights = {Label.REAL: 1 - prior, Label.FAKE: prior}
    present = {label: np.array(counts) for label, counts in histogram.counts.items()}
    whole = sum(weights[label] for label in present)
    shares = np.zeros(histogram.num_bins)
    variance = 0.0
    for label, counts in present.items():
        weight = weights[label] / whole
        shares += weight * _shares(counts)
        variance += weight**2 / counts.sum()
    return shares, 1 / variance


def _shares(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    padded = counts + _PSEUDO
    return np.asarray(padded / padded.sum(), dtype=np.float64)
