"""From a logit to a probability that holds for a named prior, and from that to a verdict.

A calibration and thresholds that were not fitted say so (`is_fitted` is False); they are then the
identity and fixed defaults, never a guess.
"""

from __future__ import annotations

import math
from typing import Any, Self, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator
from scipy.special import expit, logit

from deepfake.errors import ConfigError, DataError
from deepfake.types import Verdict

__all__ = [
    "MIN_PER_CLASS",
    "Calibration",
    "Support",
    "Thresholds",
    "choose_thresholds",
    "fit_support",
    "fit_temperature",
    "judge",
    "shift_prior",
    "verdict_of",
]

MIN_PER_CLASS = 20
"""With fewer of either class a rate of 5 % is not one file; the default thresholds stand."""

_LOG_TEMPERATURE_BOUNDS = (math.log(0.05), math.log(100.0))
_BIAS_BOUNDS = (-20.0, 20.0)
_MIN_HALF_BAND = 0.05


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
        prob = expit(self.log_odds(value))
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


class Support(BaseModel):
    """What the calibration has seen: for a file outside of it, stated error rates do not hold.

    None asks nothing. All are of the track that decides.

    Attributes:
        min_face_px: Median of the face's longer side, frame pixels.
        min_sharpness: Median variance of the Laplacian, as crops have it.
        max_novelty: Mean distance from the training data in feature space.
        min_frames: Frames with a face.
        num_samples: Files that it was read off.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_face_px: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    min_sharpness: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    max_novelty: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    min_frames: int = Field(default=1, ge=1)
    num_samples: int = Field(default=0, ge=0)

    def reason_against(
        self,
        *,
        num_frames: int,
        face_px: float | None = None,
        sharpness: float | None = None,
        novelty: float | None = None,
    ) -> str | None:
        """Return why a file is outside, None if it is not; what is not known counts as inside.

        Example:
            >>> Support(min_face_px=60).reason_against(num_frames=1, face_px=40)
            'the face is too small: 40 pixels, calibrated from 60'
        """
        if num_frames < self.min_frames:
            return f"too few frames show the face: {num_frames}, needed {self.min_frames}"
        if self.min_face_px is not None and face_px is not None and face_px < self.min_face_px:
            return (
                f"the face is too small: {face_px:.0f} pixels, calibrated from "
                f"{self.min_face_px:.0f}"
            )
        if (
            self.min_sharpness is not None
            and sharpness is not None
            and sharpness < self.min_sharpness
        ):
            return (
                f"the face is too blurred: sharpness {sharpness:.0f}, calibrated from "
                f"{self.min_sharpness:.0f}"
            )
        if self.max_novelty is not None and novelty is not None and novelty > self.max_novelty:
            return (
                f"the face is unlike those learnt from: distance {novelty:.2f}, calibrated up to "
                f"{self.max_novelty:.2f}"
            )
        return None


def fit_support(
    *,
    face_px: NDArray[np.float64],
    sharpness: NDArray[np.float64],
    novelty: NDArray[np.float64] | None,
    min_frames: int = 1,
    share: float = 0.01,
) -> Support:
    """Read off what the files of a calibration look like.

    Args:
        face_px: Of each file, shape (N,), as are the others.
        sharpness: Of each file.
        novelty: Of each file; None where the detector does not tell.
        min_frames: Frames with a face that a file has to have.
        share: Of the files, how many may lie outside on each side.

    Returns:
        Asking nothing but `min_frames` where there are fewer than two times `MIN_PER_CLASS` files.
    """
    num = len(face_px)
    if num < 2 * MIN_PER_CLASS:
        return Support(min_frames=min_frames, num_samples=num)
    return Support(
        min_face_px=float(np.quantile(face_px, share)),
        min_sharpness=float(np.quantile(sharpness, share)),
        max_novelty=None if novelty is None else float(np.quantile(novelty, 1 - share)),
        min_frames=min_frames,
        num_samples=num,
    )


def fit_temperature(
    logits: ArrayLike, labels: ArrayLike, *, fitted_on: str = "video", prior: float = 0.5
) -> Calibration:
    """Fit temperature and bias by the likelihood of held-out files.

    Both classes weigh as `prior` says whatever their number, so the probability holds for that
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
    values, is_fake = _checked(logits, labels)
    num_fake, num_real = int(is_fake.sum()), int((~is_fake).sum())
    if not (num_fake and num_real):
        return Calibration(num_samples=len(values), prior=prior)
    target = np.where(is_fake, (num_fake + 1) / (num_fake + 2), 1 / (num_real + 2))
    weight = np.where(is_fake, prior / num_fake, (1 - prior) / num_real)

    def loss(theta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        scaled = values * np.exp(-theta[0])
        odds = scaled + theta[1]
        error = weight * (expit(odds) - target)
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
    shifted = expit(logit(prob) + float(logit(to_prior) - logit(from_prior)))
    return shifted if isinstance(prob, np.ndarray) else float(shifted)


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
    values, is_fake = _checked(prob, labels)
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


def verdict_of(prob: float | None, thresholds: Thresholds) -> Verdict:
    """Return what a probability says; without one the question does not apply.

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
    prob: float, *, thresholds: Thresholds, outside: str | None = None
) -> tuple[Verdict, str | None]:
    """Return the verdict on a file with a score, and what a reader has to know of it.

    Args:
        prob: At the calibration's own prior.
        thresholds: Where the verdict changes.
        outside: What `Support.reason_against` says; with a reason, nothing is called real or fake.

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
    return verdict, f"the evidence lies between the thresholds {low:.2f} and {high:.2f}"


def _from_prob(reals_descending: NDArray[np.float64], *, share: float) -> float:
    # At most floor(share * n) reals may reach it: it lies just over the next one.
    over = reals_descending[int(share * len(reals_descending))]
    return float(np.nextafter(over, 2.0))


def _within_gap(low: float, high: float) -> tuple[float, float]:
    middle = min(max(0.5, low), high)
    return max(middle - _MIN_HALF_BAND, low), min(middle + _MIN_HALF_BAND, high)


def _check_prior(prior: float) -> None:
    if not 0.0 < prior < 1.0:
        raise ConfigError(f"a prior lies between 0 and 1, both excluded, got {prior}")


def _checked(values: ArrayLike, labels: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    array = np.asarray(values, dtype=np.float64)
    classes = np.asarray(labels)
    if array.ndim != 1 or array.shape != classes.shape:
        raise DataError(
            f"values and labels must be of one length, got {array.shape} and {classes.shape}"
        )
    if not np.isfinite(array).all():
        raise DataError("a value is not a finite number")
    if not np.isin(classes, (0, 1)).all():
        raise DataError(f"labels are 1 (fake) and 0 (real), got {np.unique(classes).tolist()[:5]}")
    return array, classes.astype(bool)
