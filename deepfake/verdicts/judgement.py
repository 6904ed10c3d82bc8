"""What turns the logit of a file into a verdict, for each kind of evidence.

A still picture and a video are judged by settings of their own; a further kind of evidence, such as
speech, is a further entry of the mapping.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import StringConstraints

from deepfake.errors import ConfigError
from deepfake.types import Kind, Verdict
from deepfake.verdicts.aggregation import FileScore, TrackScore
from deepfake.verdicts.base_judgement import BaseJudgement, UnseenCorpus
from deepfake.verdicts.calibration import Calibration, Support, UncertainReason

__all__ = [
    "JudgementKind",
    "JudgementSettings",
    "UnseenCorpus",
    "judgement_for",
    "judgement_kind",
    "judgement_plural",
    "notes_on_calibration",
]

JudgementKind = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
"""What an answer rests on: `still`, `video`, `voice`, `sync`."""

_OF_MEDIA = {Kind.IMAGE: "still", Kind.VIDEO: "video"}
_PLURALS = {"still": "stills", "video": "videos", "voice": "voices", "sync": "clips"}


class JudgementSettings(BaseJudgement):
    """Calibration, thresholds and support for one kind of evidence in pictures.

    Attributes:
        support: What a file has to be like for a verdict to hold.
    """

    support: Support = Support()

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

    def likelihood_ratio(self, score: FileScore) -> float | None:
        """Return how many times more probable this score is for a fake than for a real file.

        None where none can be stated; see `stated_likelihood_ratio`.
        """
        return self.stated_likelihood_ratio(score.logit, outside=self._reason_against_file(score))

    def judge(self, score: FileScore) -> tuple[Verdict, UncertainReason | None]:
        """Return the verdict on a file, and the reason if it is uncertain."""
        return self.judge_logit(score.logit, outside=self._reason_against_file(score))

    def _reason_against_file(self, score: FileScore) -> UncertainReason | None:
        return self.reason_against(score.strongest, prob=self.calibration.prob(score.logit))


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


def notes_on_calibration(fitted: Mapping[str, Calibration], *, prior: float) -> list[str]:
    """Return what a reader of probabilities must know of their calibration, a sentence each.

    Args:
        fitted: Calibrations by kind of evidence.
        prior: Share of fakes that those that are fitted hold for.
    """
    lacking = [judgement_plural(kind) for kind, own in fitted.items() if not own.is_fitted]
    notes = []
    if lacking:
        names = " and ".join(lacking)
        notes.append(f"prob_fake of {names} is not calibrated: read it as a rank")
    if len(lacking) < len(fitted):
        notes.append(
            f"prob_fake holds for media of which {prior:.0%} are fakes; --prior gives it for "
            "another share"
        )
    return notes


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
