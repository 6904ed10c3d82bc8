"""Join what is said of a file's faces, its voice, and its lips with their sound. Arithmetic only.

A fake is made in one of several ways: in its faces, in its voice, or by lips that are moved to
foreign words. The answers are taken to be independent given the way, so the likelihood ratio of the
file is the mean of those of its answers, weighted by how many fakes are made in each way.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from deepfake.config import Modality, first_problem
from deepfake.errors import ConfigError, DataError
from deepfake.types import Verdict
from deepfake.verdicts.calibration import (
    Calibration,
    Thresholds,
    choose_thresholds,
    fit_temperature,
    verdict_of,
)
from deepfake.verdicts.words import MODALITY_WORDS

__all__ = [
    "Answer",
    "FileAnswer",
    "FileRule",
    "WayWeights",
    "fit_file_rule",
    "join_answers",
    "joint_log_ratio",
    "load_file_rule",
]


class WayWeights(BaseModel):
    """Shares of the fakes that are made in each way, up to a common factor."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    faces: float = Field(ge=0)
    voice: float = Field(ge=0)
    sync: float = Field(ge=0)

    @model_validator(mode="after")
    def _are_all_possible(self) -> WayWeights:
        if not (self.faces and self.voice and self.sync):
            raise ValueError("each weight must be over 0: a fake may be made in each way")
        return self


class FileRule(BaseModel):
    """How the answers on a file become one.

    Attributes:
        weights: How many fakes are made in each way.
        calibration: From the logarithm of the mean to log-odds.
        thresholds: From the joint probability, at the calibration's prior, to a verdict.
        max_unstated_ratio: What a ratio that no detector states counts for, at most.
        min_ratio_sync: What lips that fit count for: 1 is no sign of anything.
        source: What weights and calibration come from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    weights: WayWeights
    calibration: Calibration = Calibration()
    thresholds: Thresholds = Thresholds()
    max_unstated_ratio: float = Field(default=10.0, ge=1)
    min_ratio_sync: float = Field(default=1.0, gt=0, le=1)
    source: str = Field(default="", max_length=1000)


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said of one way in which a file can have been made.

    Attributes:
        way: Faces, voice, or lips with sound.
        verdict: `fake` also where lips and sound do not fit, `real` where no mismatch was found.
        prob: Probability of a fake made in this way, at the prior of the file; None where it was
            not judged.
        likelihood_ratio: As the detector states it; None where it states none.
        reason: Why.
    """

    way: Modality
    verdict: Verdict
    prob: float | None = None
    likelihood_ratio: float | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class FileAnswer:
    """The answer on a file.

    Attributes:
        likelihood_ratio: How many times more probable the answers are for a fake than for a real
            file; None where a detector states none.
        prob_fake: How probable a fake is, at the prior of the file; None where nothing was judged.
        verdict: What a person reads.
        reason: Which answer says so.
    """

    likelihood_ratio: float | None
    prob_fake: float | None
    verdict: Verdict
    reason: str | None


@cache
def _packaged_rule() -> FileRule:
    text = resources.files("deepfake.verdicts").joinpath("file_rule.toml").read_text("utf-8")
    return _parse(text, "of this package")


def load_file_rule(path: Path | None = None) -> FileRule:
    """Return a rule.

    Args:
        path: A TOML file with fields of `FileRule`; None for the rule of this package.

    Raises:
        ConfigError: There is no such file, or it is no rule.
    """
    if path is None:
        return _packaged_rule()
    try:
        return _parse(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("the rule for files cannot be read", path=path) from error


def _parse(text: str, name: str) -> FileRule:
    try:
        return FileRule.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"the rule for files {name} is no TOML ({error})") from error
    except ValidationError as error:
        raise ConfigError(f"the rule for files {name}: {first_problem(error)}") from error


def join_answers(
    answers: Sequence[Answer], *, prior: float = 0.5, rule: FileRule | None = None
) -> FileAnswer:
    """Return the one answer on a file.

    Where a file could be made in one way only, this is the answer on that way. Otherwise it is
    `fake` where one of the answers is, or all together say so; `real` where none is uncertain and
    all together say so; else `uncertain`.

    Args:
        answers: On each way in which the file can have been made, each once; a way that the file
            does not allow, such as the voice of a silent clip, is left out.
        prior: Share of fakes that the probabilities hold for.
        rule: How; None for the rule of this package.

    Example:
        >>> faces = Answer("faces", Verdict.REAL, 0.1, 1 / 9)
        >>> voice = Answer("voice", Verdict.FAKE, 0.97, 32.0)
        >>> joined = join_answers([faces, voice])
        >>> str(joined.verdict), joined.reason
        ('fake', 'voice: 97.0%, faces: no sign')
        >>> round(joined.likelihood_ratio, 2)
        10.74
    """
    judged = [answer for answer in answers if answer.verdict is not Verdict.NOT_APPLICABLE]
    if not judged:
        return FileAnswer(None, None, Verdict.NOT_APPLICABLE, None)
    if len(answers) == 1:
        (only,) = answers
        return FileAnswer(only.likelihood_ratio, only.prob, only.verdict, only.reason)
    rule = _packaged_rule() if rule is None else rule
    log_ratio = joint_log_ratio(answers, prior=prior, rule=rule)
    calibrated = rule.calibration.log_likelihood_ratio(log_ratio)
    together = verdict_of(rule.calibration.prob(log_ratio), rule.thresholds)
    verdict = _join_verdicts([answer.verdict for answer in judged], together=together)
    prob = _logistic(calibrated + _log_odds(prior))
    is_stated = all(_has_ratio(answer) for answer in answers)
    reason = _reason(answers, verdict=verdict, prob=prob)
    return FileAnswer(math.exp(calibrated) if is_stated else None, prob, verdict, reason)


def joint_log_ratio(answers: Sequence[Answer], *, prior: float, rule: FileRule) -> float:
    """Return the natural logarithm of the joint likelihood ratio, before its calibration.

    Args:
        answers: As for `join_answers`, at least one.
        prior: Share of fakes that the probabilities hold for.
        rule: How.

    Raises:
        DataError: No answers, or two on one way.
    """
    if not answers or len({answer.way for answer in answers}) < len(answers):
        raise DataError(f"one answer on each way is joined, got {[a.way for a in answers]}")
    weights = np.array([getattr(rule.weights, answer.way) for answer in answers])
    ratios = np.array([_log_ratio(answer, prior=prior, rule=rule) for answer in answers])
    return float(np.logaddexp.reduce(ratios + np.log(weights / weights.sum())))


def _log_ratio(answer: Answer, *, prior: float, rule: FileRule) -> float:
    """Return the logarithm of what an answer counts for; 0 where it says nothing."""
    value = 0.0
    if answer.likelihood_ratio is not None:
        value = math.log(answer.likelihood_ratio)
    elif answer.prob is not None and _is_decided(answer):
        limit = math.log(rule.max_unstated_ratio)
        value = min(max(_log_odds(answer.prob) - _log_odds(prior), -limit), limit)
    return max(value, math.log(rule.min_ratio_sync)) if answer.way == "sync" else value


def _is_decided(answer: Answer) -> bool:
    return answer.verdict in (Verdict.REAL, Verdict.FAKE)


def _has_ratio(answer: Answer) -> bool:
    """Return whether what an answer counts for is stated, or nothing."""
    is_of_lips = answer.way == "sync" and answer.verdict is Verdict.REAL
    return answer.likelihood_ratio is not None or is_of_lips or not _is_decided(answer)


def _join_verdicts(verdicts: Sequence[Verdict], *, together: Verdict) -> Verdict:
    if Verdict.FAKE in (*verdicts, together):
        return Verdict.FAKE
    if Verdict.UNCERTAIN in (*verdicts, together):
        return Verdict.UNCERTAIN
    return Verdict.REAL


def _reason(answers: Sequence[Answer], *, verdict: Verdict, prob: float) -> str:
    """Return which answer says so: those that call it fake first, the most probable before."""
    ordered = sorted(answers, key=_rank)
    said = ", ".join(f"{MODALITY_WORDS[a.way]}: {_in_words(a)}" for a in ordered)
    is_said_alone = ordered[0].verdict is Verdict.FAKE or verdict is Verdict.REAL
    return said if is_said_alone else f"together {prob:.1%}: {said}"


def _rank(answer: Answer) -> tuple[bool, float]:
    is_fake = answer.verdict is Verdict.FAKE
    return not is_fake, -(answer.prob or 0.0) if is_fake else 0.0


def _in_words(answer: Answer) -> str:
    if answer.verdict is Verdict.REAL:
        return "no mismatch" if answer.way == "sync" else "no sign"
    if answer.verdict is Verdict.NOT_APPLICABLE or answer.prob is None:
        return "not judged"
    number = f"{answer.prob:.1%}"
    return number if answer.verdict is Verdict.FAKE else f"uncertain, {number}"


def fit_file_rule(
    files: Sequence[Sequence[Answer]],
    labels: ArrayLike,
    *,
    rule: FileRule,
    prior: float = 0.5,
    max_false_alarm: float = 0.05,
    source: str = "",
) -> FileRule:
    """Return the rule with calibration and thresholds fitted on files that have all answers.

    The weights stay: which ways fakes are made in is a matter of the fakes that are met, not of
    those of a corpus.

    Args:
        files: The answers on each file, N files.
        labels: 1 fake, 0 real, shape (N,).
        rule: Whose weights.
        prior: Share of fakes that the probabilities of the answers hold for.
        max_false_alarm: Share of the reals that all answers together may call fake.
        source: What the files are.

    Raises:
        DataError: A file has no answer, or lengths differ.
    """
    ratios = np.array([joint_log_ratio(own, prior=prior, rule=rule) for own in files])
    calibration = fit_temperature(ratios, labels, fitted_on="file", prior=rule.calibration.prior)
    thresholds = choose_thresholds(
        calibration.prob(ratios), labels, max_false_alarm=max_false_alarm
    )
    update = {"calibration": calibration, "thresholds": thresholds, "source": source}
    return rule.model_copy(update=update)


def _log_odds(prob: float) -> float:
    if prob in (0.0, 1.0):
        return math.inf if prob else -math.inf
    return math.log(prob) - math.log1p(-prob)


def _logistic(log_odds: float) -> float:
    small = math.exp(-abs(log_odds))
    return (1.0 if log_odds >= 0 else small) / (1.0 + small)
