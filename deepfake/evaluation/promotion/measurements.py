"""Measurements of a champion and a challenger on the same files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from deepfake.errors import DataError
from deepfake.evaluation import (
    EvaluationResult,
    SliceComparison,
    compare_evaluations,
    compare_slices,
    compare_tables,
)
from deepfake.evaluation.metrics import Metrics, PairedComparison, binary_metrics
from deepfake.evaluation.promotion.compared_files import ComparedFiles
from deepfake.evaluation.promotion.costs import CostComparison
from deepfake.evaluation.voice import VoiceEvaluation, groups_of_files
from deepfake.types import Label

__all__ = [
    "MeasuredPair",
    "Measurements",
    "gather_measurements",
    "measure_pair",
    "measure_voice_pair",
]


@dataclass(frozen=True, slots=True)
class MeasuredPair:
    """Both detectors on one split of one corpus.

    Attributes:
        name: What it is, for people: `held-out set newsdesk`, `faces, test`.
        basis: Whether the files paired by face size and sharpness are the headline, or all.
        all: On all files.
        matched: On the paired ones; None for voices, which are not paired.
        ece: Expected calibration error of the champion and of the challenger.
        why_no_ece: Why one of them is None.
        slices: Part by part.
    """

    name: str
    basis: Literal["matched", "all"]
    all: PairedComparison
    matched: PairedComparison | None
    ece: tuple[float | None, float | None]
    why_no_ece: str | None
    slices: tuple[SliceComparison, ...]

    @property
    def headline(self) -> PairedComparison:
        """The comparison that counts."""
        return self.matched if self.basis == "matched" and self.matched is not None else self.all


@dataclass(frozen=True, slots=True)
class Measurements:
    """Everything that a decision is based on.

    Attributes:
        held_out: On the held-out set; None without one.
        tests: On the test splits of the new data, those that have both classes.
        cost: Of a face or a window of speech; None where there was none to measure it on.
        notes: What a reader must know, a sentence each.
    """

    held_out: MeasuredPair | None
    tests: tuple[MeasuredPair, ...] = ()
    cost: CostComparison | None = None
    notes: tuple[str, ...] = ()


def measure_pair(
    name: str, champion: EvaluationResult, challenger: EvaluationResult, *, seed: int = 0
) -> MeasuredPair:
    """Compare two evaluations on the files of one corpus.

    Args:
        name: What the files are, for people.
        champion: Of the one.
        challenger: Of the other, on the same files.
        seed: Of the bootstrap.

    Raises:
        DataError: The files differ, or are of several corpora.
    """
    found = compare_evaluations(champion, challenger, seed=seed)
    if len(champion.corpora) != 1 or len(found) != 1:
        raise DataError(f"detectors are compared corpus by corpus, got {sorted(champion.corpora)}")
    ((corpus, parts),) = found.items()
    levels = [result.corpora[corpus].files.metrics for result in (champion, challenger)]
    lacking = [level.why.get("ece", "undefined") for level in levels if level.ece is None]
    is_matched = champion.corpora[corpus].headline.basis == "matched"
    return MeasuredPair(
        name=name,
        basis="matched" if is_matched else "all",
        all=parts["all"],
        matched=parts["matched"],
        ece=(levels[0].ece, levels[1].ece),
        why_no_ece=lacking[0] if lacking else None,
        slices=tuple(compare_slices(champion, challenger, seed=seed)),
    )


def measure_voice_pair(
    name: str, champion: VoiceEvaluation, challenger: VoiceEvaluation, *, seed: int = 0
) -> MeasuredPair:
    """Compare two evaluations of detectors of voices on the files of one corpus.

    All reals are a slice, so that false alarms count.

    Args:
        name: What the files are, for people.
        champion: Of the one.
        challenger: Of the other, on the same files.
        seed: Of the bootstrap.

    Raises:
        DataError: The files differ.
    """
    tables = [_voice_table(result) for result in (champion, challenger)]
    compared, slices = compare_tables(tables[0], tables[1], seed=seed)
    levels = [_point_metrics(table) for table in tables]
    lacking = [level.why.get("ece", "undefined") for level in levels if level.ece is None]
    return MeasuredPair(
        name=name,
        basis="all",
        all=compared,
        matched=None,
        ece=(levels[0].ece, levels[1].ece),
        why_no_ece=lacking[0] if lacking else None,
        slices=tuple(slices),
    )


def _voice_table(result: VoiceEvaluation) -> pd.DataFrame:
    """Return a row a file as `compare_tables` takes it; the method of reals is `real`."""
    table = result.table
    is_fake = table["label"] == str(Label.FAKE)
    methods = table["method"].astype("string").fillna("unknown").where(is_fake, "real")
    return table.assign(
        method=methods, log_odds=table["logit"], group=groups_of_files(table)
    ).reset_index(drop=True)


def _point_metrics(table: pd.DataFrame) -> Metrics:
    is_fake = (table["label"] == str(Label.FAKE)).to_numpy()
    prob, rank = (table[column].to_numpy(np.float64) for column in ("prob_fake", "log_odds"))
    return binary_metrics(is_fake, prob, rank=rank)


def gather_measurements(
    compared: Sequence[ComparedFiles],
    pairs: Sequence[MeasuredPair],
    *,
    cost: CostComparison | None,
) -> Measurements:
    """Return what a decision is based on.

    Args:
        compared: The files that both were measured on.
        pairs: Both on each of these.
        cost: Of a face or a window of speech; None where it was not measured.
    """
    found = list(zip(compared, pairs, strict=True))
    return Measurements(
        held_out=next((pair for files, pair in found if files.is_held_out), None),
        tests=tuple(pair for files, pair in found if not files.is_held_out),
        cost=cost,
        notes=tuple(f"{files.name}: {note}" for files in compared for note in files.notes),
    )
