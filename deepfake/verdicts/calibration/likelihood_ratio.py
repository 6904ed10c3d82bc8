"""How large or small a likelihood ratio the files of a calibration can support."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field

from deepfake.errors import DataError
from deepfake.verdicts.calibration.samples import check_fit_samples

__all__ = ["LikelihoodRatioBounds", "fit_likelihood_ratio_bounds"]


class LikelihoodRatioBounds(BaseModel):
    """The range in which likelihood ratios were checked against files; none beyond it is stated.

    Attributes:
        lower: The least that is stated: in favour of real.
        upper: The most that is stated: in favour of fake.
        num_real: Reals that they were computed on.
        num_fake: Fakes that they were computed on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    lower: float = Field(gt=0, le=1)
    upper: float = Field(ge=1, allow_inf_nan=False)
    num_real: int = Field(ge=1)
    num_fake: int = Field(ge=1)

    def clip_log(self, log_lr: ArrayLike) -> NDArray[np.float64]:
        """Return natural logarithms of likelihood ratios, moved to the bounds where outside."""
        values = np.asarray(log_lr, dtype=np.float64)
        return np.clip(values, np.log(self.lower), np.log(self.upper))


def fit_likelihood_ratio_bounds(log_lr: ArrayLike, labels: ArrayLike) -> LikelihoodRatioBounds:
    """Return the empirical lower and upper bound (ELUB) of likelihood ratios.

    A threshold t stands for costs and prior odds under which a likelihood ratio over t is acted on
    as fake. The error of such actions, divided by that of acting without any evidence, is the
    normalised Bayes error. From 1 outwards, the bounds end where it first exceeds 1, after one
    more real with an infinite likelihood ratio and one more fake with one of 0 are counted: what
    was never seen among n files may still be the next one.
    Source: Vergeer et al. 2016, "Numerical likelihood ratios outputted by LR systems are often
    based on extrapolation: when to stop extrapolating?", Science & Justice 56, 482-491.

    Args:
        log_lr: Natural logarithms, one a file.
        labels: 1 fake, 0 real.

    Returns:
        1 on a side on which nothing is supported.

    Raises:
        DataError: A class is missing, a value is not finite, or lengths differ.

    Example:
        >>> bounds = fit_likelihood_ratio_bounds([-9.0] * 99 + [9.0] * 99, [0] * 99 + [1] * 99)
        >>> round(bounds.lower, 4), round(bounds.upper, 1)
        (0.0101, 99.0)
    """
    values, is_fake = check_fit_samples(log_lr, labels)
    fakes, reals = values[is_fake], values[~is_fake]
    if not (len(fakes) and len(reals)):
        raise DataError("bounds of likelihood ratios need files of both classes")
    return LikelihoodRatioBounds(
        lower=float(np.exp(-_log_upper(for_it=-reals, against_it=-fakes))),
        upper=float(np.exp(_log_upper(for_it=fakes, against_it=reals))),
        num_real=len(reals),
        num_fake=len(fakes),
    )


def _log_upper(*, for_it: NDArray[np.float64], against_it: NDArray[np.float64]) -> float:
    """Return the logarithm of the upper bound; with the classes swapped, of one over the lower.

    At a threshold t over 1 the normalised Bayes error is at most 1 while t is at most the share of
    `for_it` over t, divided by that of `against_it`. Between two neighbouring values both shares
    stay what they are, so the first t that is too large is found exactly.
    """
    steps = np.unique(np.concatenate([for_it, against_it]))
    steps = np.append(steps[steps > 0], np.inf)
    begin = np.concatenate([[0.0], steps[:-1]])
    # Shares over each t in (begin, step]; one more of `against_it` is over any t.
    over = (len(for_it) - np.searchsorted(np.sort(for_it), steps)) / (len(for_it) + 1)
    wrongly_over = (len(against_it) - np.searchsorted(np.sort(against_it), steps) + 1) / (
        len(against_it) + 1
    )
    with np.errstate(divide="ignore"):  # nothing is over an infinite threshold
        allowed = np.log(over) - np.log(wrongly_over)
    first = int(np.argmax(allowed < steps))
    return max(float(begin[first]), float(allowed[first]))
