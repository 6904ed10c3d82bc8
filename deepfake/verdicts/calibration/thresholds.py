"""From a probability to a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, model_validator

from deepfake.errors import ConfigError, DataError
from deepfake.types import Verdict
from deepfake.verdicts.calibration.samples import MIN_PER_CLASS, check_fit_samples
from deepfake.verdicts.calibration.uncertain_reason import UncertainReason

__all__ = [
    "Thresholds",
    "choose_thresholds",
    "judge",
    "lower_for_unseen",
    "raise_for_corpora",
    "verdict_of",
]

_MIN_HALF_BAND = 0.05


class Thresholds(BaseModel):
    """Where the verdict changes.

    `prob < real_below` is real, `prob >= fake_from` is fake, between them is uncertain.

    Attributes:
        real_below: Probability.
        fake_from: Probability; over 1 where no threshold keeps the false alarms low enough.
        fpr_1: The probability from which 1 % of the reals they were chosen on lie; None where there
            were fewer than 500.
        fpr_5: The same for 5 %, None under 100 reals.
        max_false_alarm: Share of reals called fake that was allowed when choosing.
        max_miss: Share of fakes called real that was allowed when choosing.
        max_unseen_miss: The same of fakes of kinds that were not learnt; None where there were
            none to choose by.
        num_real: Reals they were chosen on.
        num_fake: Fakes they were chosen on.
        is_fitted: False means the defaults.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    real_below: float = Field(default=0.35, ge=0, le=1)
    fake_from: float = Field(default=0.65, ge=0, allow_inf_nan=False)
    fpr_1: float | None = None
    fpr_5: float | None = None
    max_false_alarm: float | None = None
    max_miss: float | None = None
    # Detectors of earlier versions have it under the second name.
    max_unseen_miss: float | None = Field(
        default=None, validation_alias=AliasChoices("max_unseen_miss", "max_unlearnt_miss")
    )
    num_real: int = Field(default=0, ge=0)
    num_fake: int = Field(default=0, ge=0)
    is_fitted: bool = False

    @model_validator(mode="after")
    def _is_ordered(self) -> Self:
        if self.real_below > self.fake_from:
            raise ValueError(
                f"real_below {self.real_below} must not lie over fake_from {self.fake_from}"
            )
        return self

    @property
    def decision(self) -> float:
        """The one threshold of accuracy and F1: 0.5, moved into the uncertain band if outside it.

        So no file counts as fake whose verdict is real.
        """
        return min(max(0.5, self.real_below), self.fake_from)


def choose_thresholds(
    prob: ArrayLike, labels: ArrayLike, *, max_false_alarm: float = 0.05, max_miss: float = 0.05
) -> Thresholds:
    """Choose the verdict's thresholds on held-out files.

    `fake_from` is the lowest probability that at most `max_false_alarm` of the reals reach,
    `real_below` the highest that at most `max_miss` of the fakes stay under. Where the classes part
    so well that these cross, any threshold between them keeps both promises: the one nearest to 0.5
    is taken, with up to 0.05 of the gap on either side left uncertain.

    Args:
        prob: Calibrated probabilities, one a file.
        labels: 1 fake, 0 real.
        max_false_alarm: Share of reals that may be called fake.
        max_miss: Share of fakes that may be called real.

    Returns:
        The defaults (uncertain from 0.35 to 0.65) with `is_fitted` False where either class has
        fewer than `MIN_PER_CLASS` files.

    Raises:
        DataError: Lengths differ, or a value is not finite, or a label is neither 0 nor 1.
        ConfigError: A share is not between 0 and 1.
    """
    if not (0 <= max_false_alarm < 1 and 0 <= max_miss < 1):
        raise ConfigError(
            f"shares must lie in 0..1, got max_false_alarm={max_false_alarm}, max_miss={max_miss}"
        )
    values, is_fake = check_fit_samples(prob, labels)
    reals, fakes = np.sort(values[~is_fake])[::-1], np.sort(values[is_fake])
    if min(len(reals), len(fakes)) < MIN_PER_CLASS:
        return Thresholds(num_real=len(reals), num_fake=len(fakes))
    fake_from = _from_prob(reals, share=max_false_alarm)
    real_below = float(fakes[int(max_miss * len(fakes))])
    if real_below >= fake_from:
        real_below, fake_from = _within_gap(fake_from, real_below)
    return Thresholds(
        real_below=real_below,
        fake_from=fake_from,
        fpr_1=_from_prob(reals, share=0.01) if len(reals) >= 500 else None,
        fpr_5=_from_prob(reals, share=0.05) if len(reals) >= 100 else None,
        max_false_alarm=max_false_alarm,
        max_miss=max_miss,
        num_real=len(reals),
        num_fake=len(fakes),
        is_fitted=True,
    )


def raise_for_corpora(
    thresholds: Thresholds, reals: Sequence[ArrayLike], *, max_false_alarm: float
) -> Thresholds:
    """Raise `fake_from` until few reals of each corpus reach it, not only few of all together.

    Args:
        thresholds: As chosen on all corpora.
        reals: Probabilities of reals, an array a corpus.
        max_false_alarm: Share of the reals of each corpus that may be called fake.

    Returns:
        Thresholds whose `fake_from` is the lowest that keeps this, and no lower than before.

    Raises:
        ConfigError: The share is not between 0 and 1.

    Example:
        >>> raise_for_corpora(Thresholds(), [[0.1], [0.9]], max_false_alarm=0.05).fake_from > 0.9
        True
    """
    if not 0 <= max_false_alarm < 1:
        raise ConfigError(f"a share lies in 0..1, got {max_false_alarm}")
    columns = [np.sort(np.asarray(corpus, dtype=np.float64))[::-1] for corpus in reals]
    limits = [_from_prob(column, share=max_false_alarm) for column in columns if len(column)]
    return thresholds.model_copy(update={"fake_from": max([thresholds.fake_from, *limits])})


def lower_for_unseen(
    thresholds: Thresholds, fakes: Sequence[ArrayLike], *, max_miss: float
) -> Thresholds:
    """Lower `real_below` until few fakes of kinds that were not learnt lie under it.

    Args:
        thresholds: As chosen on kinds that were learnt.
        fakes: Probabilities of fakes, an array a corpus; NaN for one that lies outside of what the
            calibration has seen, and is not called real whatever its probability.
        max_miss: Share of the fakes of each corpus that may be called real.

    Returns:
        Thresholds whose `real_below` is the highest that keeps this, and no higher than before.

    Raises:
        ConfigError: The share is not between 0 and 1.
    """
    if not 0 <= max_miss < 1:
        raise ConfigError(f"a share lies in 0..1, got {max_miss}")
    limits = [thresholds.real_below]
    for corpus in fakes:
        values = np.asarray(corpus, dtype=np.float64)
        ascending = np.sort(values[np.isfinite(values)])
        allowed = int(max_miss * len(values))
        if allowed < len(ascending):
            limits.append(float(ascending[allowed]))
    return thresholds.model_copy(update={"real_below": min(limits), "max_unseen_miss": max_miss})


def verdict_of(prob: float | None, thresholds: Thresholds) -> Verdict:
    """Return the verdict on a probability; `not_applicable` without one.

    Raises:
        DataError: The probability is not between 0 and 1.

    Example:
        >>> str(verdict_of(None, Thresholds()))
        'not_applicable'
    """
    if prob is None:
        return Verdict.NOT_APPLICABLE
    if not 0.0 <= prob <= 1.0:
        raise DataError(f"a probability lies in 0..1, got {prob}")
    if prob >= thresholds.fake_from:
        return Verdict.FAKE
    return Verdict.REAL if prob < thresholds.real_below else Verdict.UNCERTAIN


def judge(
    prob: float, *, thresholds: Thresholds, outside: UncertainReason | None = None
) -> tuple[Verdict, UncertainReason | None]:
    """Return the verdict on a file with a score, and the reason if it is uncertain.

    Args:
        prob: At the calibration's own prior.
        thresholds: Where the verdict changes.
        outside: From `Support.reason_against`; with a reason, the verdict is uncertain.

    Example:
        >>> judge(0.99, thresholds=Thresholds())
        (<Verdict.FAKE: 'fake'>, None)
    """
    if outside is not None:
        return Verdict.UNCERTAIN, outside
    verdict = verdict_of(prob, thresholds)
    if verdict is not Verdict.UNCERTAIN:
        return verdict, None
    low, high = thresholds.real_below, thresholds.fake_from
    cause = "the probability lies between the thresholds"
    return verdict, UncertainReason(cause, f"{cause} {low:.1%} and {high:.1%}")


def _from_prob(reals_descending: NDArray[np.float64], *, share: float) -> float:
    # At most floor(share * n) reals may reach it: it lies just over the next one.
    over = reals_descending[int(share * len(reals_descending))]
    return float(np.nextafter(over, 2.0))


def _within_gap(low: float, high: float) -> tuple[float, float]:
    middle = min(max(0.5, low), high)
    return max(middle - _MIN_HALF_BAND, low), min(middle + _MIN_HALF_BAND, high)
