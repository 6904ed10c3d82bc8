"""The result of an evaluation, as dataclasses and as plain JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import BaseModel

from deepfake.config import AggregationConfig
from deepfake.evaluation.metrics import Intervals, Metrics
from deepfake.storage import write_json

__all__ = [
    "CorpusResult",
    "EvaluationResult",
    "Headline",
    "Level",
    "MatchedResult",
    "OwnReal",
    "Slice",
    "flat_metrics",
    "write_evaluation_json",
]

REPORT_VERSION = 1


@dataclass(frozen=True, slots=True)
class Level:
    """Metrics of one level, files or frames, with their intervals."""

    metrics: Metrics
    intervals: Intervals


@dataclass(frozen=True, slots=True)
class MatchedResult:
    """File-level metrics on the reals and fakes that could be paired.

    Attributes:
        n_pairs: Pairs; both files of each count.
        n_real: Reals that could have been paired.
        n_fake: Fakes that could have been paired.
        caliper: Largest difference, standard deviations of each logarithm.
        gap_before: Mean of fakes less mean of reals, standard deviations, by covariate.
        gap_after: The same over the pairs.
        auc_of_covariates: AUC of each covariate alone over the pairs; 0.5 is chance.
        level: The metrics, None without a pair.
    """

    n_pairs: int
    n_real: int
    n_fake: int
    caliper: float
    gap_before: Mapping[str, float | None]
    gap_after: Mapping[str, float | None]
    auc_of_covariates: Mapping[str, float | None]
    level: Level | None


@dataclass(frozen=True, slots=True)
class Headline:
    """The metric to quote, and the unmatched one beside it.

    Attributes:
        basis: `matched` or, where too few pairs were found, `unmatched`.
        n_pairs: Pairs found.
        auc: On that basis.
        auc_low: Lower end of its interval.
        auc_high: Upper end.
        unmatched_auc: Over all files with a score.
        accuracy: Over every file; one without a score is wrong.
        why: Why the basis is not `matched`, or why the AUC is None.
    """

    basis: str
    n_pairs: int
    auc: float | None
    auc_low: float | None
    auc_high: float | None
    unmatched_auc: float | None
    accuracy: float | None
    why: str | None = None


@dataclass(frozen=True, slots=True)
class Slice:
    """One slice of a corpus.

    Attributes:
        by: The column that it is cut by: `method`, `kind`, `compression`, or a column of faces.
        value: Of that column.
        n: Files, those without a score too.
        n_real: Reals among them.
        n_fake: Fakes among them.
        n_scored: Those with a score.
        rate_of: What the rate is: `recall` of fakes, `specificity` of reals, `accuracy` of both.
        rate: Share of the files classified correctly; one without a score is wrong.
        low: Lower end of its Wilson interval, files taken as independent.
        high: Upper end.
        auc: Against all reals of the corpus for a slice of fakes, within the slice for one of both.
        why: Why the AUC is None.
    """

    by: str
    value: str
    n: int
    n_real: int
    n_fake: int
    n_scored: int
    rate_of: str
    rate: float
    low: float
    high: float
    auc: float | None
    why: str | None = None


@dataclass(frozen=True, slots=True)
class OwnReal:
    """How fakes score against the reals that they were made of.

    Attributes:
        pairs: Fakes whose own real has a score too.
        rate: Share of them in which the fake scores higher, a tie counting half; None without any.
        num_fakes: Fakes with a score, those without their real too.
    """

    pairs: int
    rate: float | None
    num_fakes: int


@dataclass(frozen=True, slots=True)
class CorpusResult:
    """All metrics of one corpus. Corpora are never pooled.

    Attributes:
        corpus: Its name.
        n_files: Labelled files; entries without a file are not among them.
        n_unlabelled: Files without a label: not evaluated.
        n_missing: Entries whose file is absent: not evaluated.
        statuses: Labelled files by status.
        headline: The number to quote.
        headline_accuracy: Over every labelled file; one without a score is wrong.
        selective_accuracy: Over files with the verdict real or fake.
        coverage: Their share of all labelled files.
        files: File level.
        frames: Frame level: a frame's logit is the highest of its faces.
        matched: The test on pairs.
        operating_points: `fpr_1` and `fpr_5`: thresholds fixed on `val`, and what they give here.
        precision_at: Precision by share of fakes met (`0.5`, `0.1`, `0.01`).
        slices: By method, kind, compression and by the columns of faces, in quarters.
        verdicts: Labelled files by verdict, by label.
        own_real: Fakes against the reals that they were made of.
        uncertain: Share of the files with a score whose verdict is uncertain.
        uncertain_reasons: Their number by cause.
        rate_interval: Wilson interval of `headline_accuracy`.
    """

    corpus: str
    n_files: int
    n_unlabelled: int
    n_missing: int
    statuses: Mapping[str, int]
    headline: Headline
    headline_accuracy: float | None
    selective_accuracy: float | None
    coverage: float | None
    files: Level
    frames: Level
    matched: MatchedResult
    operating_points: Mapping[str, Mapping[str, float | None]]
    precision_at: Mapping[str, float | None]
    slices: tuple[Slice, ...]
    own_real: OwnReal
    verdicts: Mapping[str, Mapping[str, int]]
    uncertain: float | None = None
    uncertain_reasons: Mapping[str, int] = field(default_factory=dict)
    rate_interval: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class EvaluationResult:
    """The result of an evaluation.

    Attributes:
        corpora: By name, ascending.
        averages: Means over the corpora that define the metric, by name; `n_corpora` of each in
            `average_counts`.
        average_counts: Corpora behind each mean.
        aggregation: How crops became a file.
        settings: Calibration, thresholds and support by kind of evidence, and the seed.
        table: A row a labelled file; see `deepfake.evaluation.tables`.
    """

    corpora: Mapping[str, CorpusResult]
    averages: Mapping[str, float | None]
    average_counts: Mapping[str, int]
    aggregation: AggregationConfig
    settings: Mapping[str, Any] = field(default_factory=dict)
    table: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False, compare=False)

    def summary(self) -> dict[str, float]:
        """Return the defined numbers as one flat mapping, for a tracker.

        `video_auc`, `frame_auc`, `matched_auc`, `headline_accuracy`: averages over corpora. With
        several corpora each one's numbers stand beside them as `<corpus>/video_auc`.
        """
        flat = {k: v for k, v in self.averages.items() if v is not None}
        if len(self.corpora) > 1:
            for name, corpus in self.corpora.items():
                numbers = flat_metrics(corpus)
                flat |= {f"{name}/{k}": v for k, v in numbers.items() if v is not None}
        return flat

    def to_json(self) -> dict[str, Any]:
        """Return the whole result in JSON types; what is undefined is None."""
        return {
            "report_version": REPORT_VERSION,
            "summary": self.summary(),
            "averages": dict(self.averages),
            "average_counts": dict(self.average_counts),
            "corpora": {name: _plain(corpus) for name, corpus in self.corpora.items()},
            "aggregation": _plain(self.aggregation),
            "settings": _plain(self.settings),
        }


def flat_metrics(corpus: CorpusResult) -> dict[str, float | None]:
    """Return one corpus's numbers under flat names: `video_auc`, `frame_auc`, `matched_auc`.

    The matched ones are there only where there were enough pairs for a headline.
    """
    flat: dict[str, float | None] = {
        "headline_auc": corpus.headline.auc,
        "headline_accuracy": corpus.headline_accuracy,
        "selective_accuracy": corpus.selective_accuracy,
        "coverage": corpus.coverage,
        "uncertain": corpus.uncertain,
        "own_real_rate": corpus.own_real.rate,
        "own_real_pairs": float(corpus.own_real.pairs),
        "n_files": float(corpus.n_files),
        "matched_pairs": float(corpus.matched.n_pairs),
    }
    matched = corpus.matched.level if corpus.headline.basis == "matched" else None
    levels = {"video": corpus.files, "frame": corpus.frames, "matched": matched}
    for prefix, level in levels.items():
        if level is None:
            continue
        for name in _numeric_fields(level.metrics):
            flat[f"{prefix}_{name}"] = getattr(level.metrics, name)
        interval = level.intervals.values.get("auc")
        flat[f"{prefix}_auc_low"] = None if interval is None else interval[0]
        flat[f"{prefix}_auc_high"] = None if interval is None else interval[1]
    return flat


def write_evaluation_json(result: EvaluationResult, path: Path) -> Path:
    """Write the result as JSON, whole or not at all."""
    return write_json(path, result.to_json())


def _numeric_fields(metrics: Metrics) -> list[str]:
    return [f.name for f in fields(metrics) if f.name not in {"why", "n_groups", "threshold"}]


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, Enum):
        return str(value)
    return _plain_number(value)


def _plain_number(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
