"""What turns the logit of a file into a verdict, for each kind of evidence.

A still picture and a video are judged by settings of their own; a further kind of evidence, such as
speech, is a further entry of the mapping.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, StringConstraints

from deepfake.errors import ConfigError
from deepfake.types import Kind, Verdict
from deepfake.verdicts.aggregation import FileScore, TrackScore
from deepfake.verdicts.calibration import (
    Calibration,
    LikelihoodRatioBounds,
    Support,
    Thresholds,
    UncertainReason,
    judge,
)

__all__ = [
    "JudgementKind",
    "JudgementSettings",
    "UnseenCorpus",
    "judgement_for",
    "judgement_kind",
    "judgement_plural",
]

JudgementKind = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
"""What an answer rests on: `still`, `video`."""

_OF_MEDIA = {Kind.IMAGE: "still", Kind.VIDEO: "video"}
_PLURALS = {"still": "stills", "video": "videos"}


class UnseenCorpus(BaseModel):
    """What a detector calls the files of a corpus whose kinds of fakes it did not learn.

    Attributes:
        corpus: Its name.
        digest: Of the snapshot.
        num_real: Reals with a face.
        num_fake: Fakes with a face.
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


class JudgementSettings(BaseModel):
    """Calibration, thresholds and support for one kind of evidence.

    Attributes:
        calibration: From a logit to a probability.
        thresholds: From a probability to a verdict.
        support: What a file has to be like for that verdict to hold.
        likelihood_ratio_bounds: The range in which likelihood ratios are stated; None states none.
        unseen: What the verdicts are on corpora that it did not learn from.
        notes: What a reader of the probabilities must know, a sentence each.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    calibration: Calibration = Calibration()
    thresholds: Thresholds = Thresholds()
    support: Support = Support()
    likelihood_ratio_bounds: LikelihoodRatioBounds | None = None
    # Detectors of earlier versions have it under the second name.
    unseen: tuple[UnseenCorpus, ...] = Field(
        default=(), validation_alias=AliasChoices("unseen", "unlearnt")
    )
    notes: tuple[str, ...] = ()

    def reason_against(
        self, track: TrackScore, *, prob: float | None = None
    ) -> UncertainReason | None:
        """Return why a track lies outside of what the calibration has seen, None if it does not.

        Args:
            track: The track.
            prob: Its probability, for reasons against calling it real alone; None leaves them out.
        """
        outside = self.support.reason_against(
            num_frames=track.num_frames,
            face_px=track.face_px,
            sharpness=track.sharpness,
            novelty=track.novelty,
        )
        is_real = prob is not None and prob < self.thresholds.real_below
        if outside is not None or not is_real:
            return outside
        return self.support.reason_against_real(colour=track.colour)

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

    def likelihood_ratio(self, score: FileScore) -> float | None:
        """Return how many times more probable this score is for a fake than for a real file.

        Returns:
            At most and at least what the calibration set supports. None where the detector has no
            bounds or no calibration, and for a file unlike those that it was calibrated on.
        """
        is_bounded = self.likelihood_ratio_bounds is not None and self.calibration.is_fitted
        prob = self.calibration.prob(score.logit)
        if not is_bounded or self.reason_against(score.strongest, prob=prob) is not None:
            return None
        return math.exp(self.log_likelihood_ratio(score.logit))

    def judge(self, score: FileScore) -> tuple[Verdict, UncertainReason | None]:
        """Return the verdict on a file, and the reason if it is uncertain."""
        prob = self.calibration.prob(score.logit)
        outside = self.reason_against(score.strongest, prob=prob)
        return judge(prob, thresholds=self.thresholds, outside=outside)


def judgement_kind(kind: Kind) -> str:
    """Return the kind of evidence that the pictures of a medium are.

    Example:
        >>> judgement_kind(Kind.IMAGE)
        'still'
    """
    return _OF_MEDIA[kind]


def judgement_plural(kind: str) -> str:
    """Return the name of several files of a kind of evidence, for messages.

    Example:
        >>> judgement_plural("still")
        'stills'
    """
    return _PLURALS.get(kind, kind)


def judgement_for(judgement: Mapping[str, JudgementSettings], kind: Kind) -> JudgementSettings:
    """Return the settings that a medium's pictures are judged by.

    Args:
        judgement: By kind of evidence.
        kind: Of the medium.

    Raises:
        ConfigError: There are none for it.
    """
    name = judgement_kind(kind)
    if name not in judgement:
        known = ", ".join(sorted(judgement)) or "nothing"
        raise ConfigError(f"the detector does not judge {judgement_plural(name)}, only {known}")
    return judgement[name]
