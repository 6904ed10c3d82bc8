"""From a logit to a probability that holds for a named prior."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field

from deepfake.errors import ConfigError
from deepfake.verdicts.calibration.samples import check_fit_samples

__all__ = ["Calibration", "combine_heads", "fit_temperature", "shift_prior"]

_LOG_TEMPERATURE_BOUNDS = (math.log(0.05), math.log(100.0))
_BIAS_BOUNDS = (-20.0, 20.0)


class Calibration(BaseModel):
    """`prob = sigmoid(logit / temperature + bias)`, for files of one kind.

    Attributes:
        temperature: Over 1 softens, under 1 sharpens.
        bias: Log-odds added.
        fitted_on: What the samples were: `still`, `video`, `synthetic video`; `none` if not fitted.
        num_samples: Files that it was fitted on.
        prior: The share of fakes for which the probability holds.
        is_fitted: False means the identity.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    bias: float = Field(default=0.0, allow_inf_nan=False)
    fitted_on: str = "none"
    num_samples: int = Field(default=0, ge=0)
    prior: float = Field(default=0.5, gt=0, lt=1)
    is_fitted: bool = False

    @overload
    def prob(self, value: float) -> float: ...
    @overload
    def prob(self, value: NDArray[Any]) -> NDArray[np.float64]: ...
    def prob(self, value: float | NDArray[Any]) -> float | NDArray[np.float64]:
        """Return the probability of a fake at this calibration's prior.

        Args:
            value: Logit or logits; positive means fake.

        Example:
            >>> Calibration().prob(0.0)
            0.5
        """
        prob = _logistic(self.log_odds(value))
        return prob if isinstance(value, np.ndarray) else float(prob)

    @overload
    def log_odds(self, value: float) -> float: ...
    @overload
    def log_odds(self, value: NDArray[Any]) -> NDArray[np.float64]: ...
    def log_odds(self, value: float | NDArray[Any]) -> float | NDArray[np.float64]:
        """Return the calibrated log-odds: they rank like `prob` and do not saturate at 1."""
        if isinstance(value, np.ndarray):
            return value.astype(np.float64) / self.temperature + self.bias
        return float(value) / self.temperature + self.bias

    @overload
    def log_likelihood_ratio(self, value: float) -> float: ...
    @overload
    def log_likelihood_ratio(self, value: NDArray[Any]) -> NDArray[np.float64]: ...
    def log_likelihood_ratio(self, value: float | NDArray[Any]) -> float | NDArray[np.float64]:
        """Return the natural logarithm of the likelihood ratio of fake against real.

        Bayes: posterior odds are prior odds times the likelihood ratio, which therefore does not
        depend on the prior.
        Source: Brümmer and du Preez 2006, "Application-independent evaluation of speaker
        detection", Computer Speech and Language 20, section 2.

        Args:
            value: Logit or logits.

        Example:
            >>> round(Calibration(prior=0.1, bias=-2.0).log_likelihood_ratio(0.0), 3)
            0.197
        """
        prior_odds = math.log(self.prior) - math.log1p(-self.prior)
        return self.log_odds(value) - prior_odds


def combine_heads(
    log_odds: Sequence[NDArray[np.float64]], *, questions: Sequence[str] | None = None
) -> NDArray[np.float64]:
    """Return the log-odds of crops from those of several heads: the mean of the heads' odds.

    Args:
        log_odds: One array a head, shape (N,) each.
        questions: What each head answers; the log-odds of heads with one question are averaged
            first. None where each has a question of its own.

    Returns:
        Log-odds, shape (N,).

    Example:
        >>> combine_heads([np.array([2.0]), np.array([2.0])]).tolist()
        [2.0]
        >>> heads = [np.array([1.0]), np.array([3.0]), np.array([2.0])]
        >>> combine_heads(heads, questions=["blended", "blended", "generated"]).tolist()
        [2.0]
    """
    if questions is not None:
        groups: dict[str, list[NDArray[np.float64]]] = {}
        for question, values in zip(questions, log_odds, strict=True):
            groups.setdefault(question, []).append(values)
        log_odds = [np.mean(own, axis=0) for own in groups.values()]
    total = np.logaddexp.reduce(np.asarray(log_odds, dtype=np.float64), axis=0)
    return np.asarray(total - np.log(len(log_odds)), dtype=np.float64)


def fit_temperature(
    logits: ArrayLike, labels: ArrayLike, *, fitted_on: str = "video", prior: float = 0.5
) -> Calibration:
    """Fit temperature and bias by the likelihood of held-out files.

    The classes are weighted by `prior`, not by their number, so the probability holds for that
    prior and not for the mix of the files at hand. Targets are smoothed by the number of each
    class, which keeps the fit finite on classes that separate perfectly.
    Source: Platt 1999, "Probabilistic outputs for support vector machines", section 2.2;
    Guo et al. 2017, "On calibration of modern neural networks", section 4.

    Args:
        logits: One a file, positive means fake.
        labels: 1 fake, 0 real.
        fitted_on: Kept in the result.
        prior: Share of fakes for which the probability shall hold.

    Returns:
        The identity with `is_fitted` False where a class is missing.

    Raises:
        DataError: Lengths differ, or a value is not finite, or a label is neither 0 nor 1.
        ConfigError: `prior` is not between 0 and 1.
    """
    _check_prior(prior)
    values, is_fake = check_fit_samples(logits, labels)
    num_fake, num_real = int(is_fake.sum()), int((~is_fake).sum())
    if not (num_fake and num_real):
        return Calibration(num_samples=len(values), prior=prior)
    target = np.where(is_fake, (num_fake + 1) / (num_fake + 2), 1 / (num_real + 2))
    weight = np.where(is_fake, prior / num_fake, (1 - prior) / num_real)

    def loss(theta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        scaled = values * np.exp(-theta[0])
        odds = scaled + theta[1]
        error = weight * (_logistic(odds) - target)
        nll = float(np.sum(weight * (np.logaddexp(0.0, odds) - target * odds)))
        return nll, np.array([-np.sum(error * scaled), np.sum(error)])

    # Only here: every worker that scores imports this module, and the import takes half a second.
    from scipy.optimize import minimize

    bounds = [_LOG_TEMPERATURE_BOUNDS, _BIAS_BOUNDS]
    # Large logits make a start at temperature 1 flat; their own spread is the better scale.
    start = np.clip(np.log(max(float(np.std(values)), 1e-3) / 2), *_LOG_TEMPERATURE_BOUNDS)
    theta = minimize(loss, [start, 0.0], jac=True, method="L-BFGS-B", bounds=bounds).x
    return Calibration(
        temperature=float(np.exp(theta[0])),
        bias=float(theta[1]),
        fitted_on=fitted_on,
        num_samples=len(values),
        prior=prior,
        is_fitted=True,
    )


@overload
def shift_prior(prob: float, *, from_prior: float, to_prior: float) -> float: ...
@overload
def shift_prior(
    prob: NDArray[Any], *, from_prior: float, to_prior: float
) -> NDArray[np.float64]: ...
def shift_prior(
    prob: float | NDArray[Any], *, from_prior: float, to_prior: float
) -> float | NDArray[np.float64]:
    """Return the probability that the same evidence means under another share of fakes.

    Args:
        prob: Probability at `from_prior`; 0 and 1 stay what they are.
        from_prior: Share of fakes that it holds for.
        to_prior: Share of fakes that is met.

    Raises:
        ConfigError: A prior is not between 0 and 1.

    Example:
        >>> round(shift_prior(0.9, from_prior=0.5, to_prior=0.01), 4)
        0.0833
    """
    _check_prior(from_prior)
    _check_prior(to_prior)
    shifted = _logistic(_log_odds(prob) + float(_log_odds(to_prior) - _log_odds(from_prior)))
    return shifted if isinstance(prob, np.ndarray) else float(shifted)


def _logistic(log_odds: ArrayLike) -> NDArray[np.float64]:
    # Not SciPy's: importing it takes longer than scoring a picture. No exponential overflows.
    odds = np.asarray(log_odds, dtype=np.float64)
    small = np.exp(-np.abs(odds))
    return np.where(odds >= 0, 1.0, small) / (1.0 + small)


def _log_odds(prob: ArrayLike) -> NDArray[np.float64]:
    value = np.asarray(prob, dtype=np.float64)
    with np.errstate(divide="ignore"):  # of 0 and 1 they are infinite
        return np.asarray(np.log(value) - np.log1p(-value))


def _check_prior(prior: float) -> None:
    if not 0.0 < prior < 1.0:
        raise ConfigError(f"a prior lies between 0 and 1, both excluded, got {prior}")
