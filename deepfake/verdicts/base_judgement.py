"""What judgements of faces and of voices have in common: calibration, thresholds, measured errors.

What a file has to be like for a verdict to hold differs, and is told by each kind's own support.
"""

from __future__ import annotations

import math

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from deepfake.types import Verdict
from deepfake.verdicts.calibration import (
    Calibration,
    LikelihoodRatioBounds,
    Thresholds,
    UncertainReason,
    judge,
    shift_prior,
)

__all__ = ["BaseJudgement", "UnseenCorpus"]


class UnseenCorpus(BaseModel):
    """What a detector calls the files of a corpus whose kinds of fakes it did not learn.

    Attributes:
        corpus: Its name.
        digest: Of the snapshot.
        num_real: Reals with a score.
        num_fake: Fakes with a score.
        fakes_called_real: Of those fakes.
        fakes_called_fake: Of those fakes.
        reals_called_real: Of those reals.
        reals_called_fake: Of those reals.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    corpus: str
    digest: str
    num_real: int = Field(ge=0)
    num_fake: int = Field(ge=0)
    fakes_called_real: int = Field(ge=0)
    fakes_called_fake: int = Field(ge=0)
    reals_called_real: int = Field(ge=0)
    reals_called_fake: int = Field(ge=0)


class BaseJudgement(BaseModel):
    """Calibration and thresholds for one kind of evidence, and the errors measured with them.

    Attributes:
        calibration: From a logit to a probability.
        thresholds: From a probability to a verdict.
        likelihood_ratio_bounds: The range in which likelihood ratios are stated; None states none.
        unseen: What the verdicts are on corpora that it did not learn from.
        notes: What a reader of the probabilities must know, a sentence each.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    calibration: Calibration = Calibration()
    thresholds: Thresholds = Thresholds()
    likelihood_ratio_bounds: LikelihoodRatioBounds | None = None
    # Detectors of earlier versions have it under the second name.
    unseen: tuple[UnseenCorpus, ...] = Field(
        default=(), validation_alias=AliasChoices("unseen", "unlearnt")
    )
    notes: tuple[str, ...] = ()

    def sentence_on_unseen(self, plural: str) -> str | None:
        """Return how often fakes of unseen kinds are called real, None where nobody measured it.

        Args:
            plural: What files of this kind are called.
        """
        fakes = sum(one.num_fake for one in self.unseen)
        if not fakes:
            return None
        missed = sum(one.fakes_called_real for one in self.unseen) / fakes
        names = ", ".join(one.corpus for one in self.unseen if one.num_fake)
        return (
            f"of {fakes:,} fake {plural} of kinds that it did not learn, {missed:.0%} are called "
            f"real ({names})"
        )

    @property
    def reason_for_real(self) -> str:
        """Why a file is called real: what was not found, and how often that is wrong."""
        fakes = sum(one.num_fake for one in self.unseen)
        if not fakes:
            return "no sign of the kinds of fakes it learnt; not measured on other kinds"
        missed = sum(one.fakes_called_real for one in self.unseen) / fakes
        return (
            f"no sign of the kinds of fakes it learnt; {missed:.0%} of {fakes:,} fakes of other "
            "kinds were missed like this"
        )

    def log_likelihood_ratio(self, logit: float) -> float:
        """Return the natural logarithm of a likelihood ratio, within the bounds if there are any.

        For measuring: what is stated of a file is `likelihood_ratio`.
        """
        log_lr = self.calibration.log_likelihood_ratio(logit)
        bounds = self.likelihood_ratio_bounds
        return log_lr if bounds is None else float(bounds.clip_log(log_lr))

    def stated_likelihood_ratio(
        self, logit: float, *, outside: UncertainReason | None
    ) -> float | None:
        """Return how many times more probable a logit is for a fake than for a real file.

        Args:
            logit: Of a file.
            outside: Why the file lies outside of what the calibration has seen, None if it does
                not.

        Returns:
            At most and at least what the calibration set supports. None where the detector has no
            bounds or no calibration, and for a file that lies outside.
        """
        is_bounded = self.likelihood_ratio_bounds is not None and self.calibration.is_fitted
        if not is_bounded or outside is not None:
            return None
        return math.exp(self.log_likelihood_ratio(logit))

    def thresholds_at(self, prior: float | None) -> tuple[float, float]:
        """Return where `real` ends and `fake` begins, as probabilities at a share of fakes.

        Verdicts are decided at the calibration's prior, and a score may state its probability at
        another one.

        Args:
            prior: Share of fakes; None for that of the calibration.

        Example:
            >>> low, high = BaseJudgement().thresholds_at(0.1)
            >>> round(low, 3), round(high, 3)
            (0.056, 0.171)
        """
        own = self.calibration.prior
        low, high = (
            shift_prior(value, from_prior=own, to_prior=prior)
            if prior is not None and prior != own and 0 < value < 1
            else value
            for value in (self.thresholds.real_below, self.thresholds.fake_from)
        )
        return low, high

    def judge_logit(
        self, logit: float, *, outside: UncertainReason | None
    ) -> tuple[Verdict, UncertainReason | None]:
        """Return the verdict on a file with this logit, and the reason if it is uncertain.

        Args:
            logit: Of a file.
            outside: As for `stated_likelihood_ratio`.
        """
        return judge(self.calibration.prob(logit), thresholds=self.thresholds, outside=outside)
