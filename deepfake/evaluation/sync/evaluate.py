"""Evaluate a detector of lips against sound on a split of a corpus."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deepfake.corpora.shards import Snapshot
from deepfake.detectors.sync.detector import SyncDetector, load_sync_detector
from deepfake.evaluation.metrics import binary_metrics, bootstrap_intervals
from deepfake.evaluation.selected_split import SelectedSplit, select_split
from deepfake.evaluation.sync.mismatches import (
    foreign_sound,
    iter_mismatches,
    mean_at,
    other_file,
)
from deepfake.evaluation.sync.predict import SpokenFile, embed_files, score_file
from deepfake.types import Label, SyncVerdict
from deepfake.verdicts.sync import SyncBlock, SyncJudgement, SyncScore

__all__ = [
    "SHIFTS",
    "MeasuredAuc",
    "SyncEvaluation",
    "auc_of",
    "blocks_inside",
    "evaluate_sync",
    "evaluate_sync_files",
]

Interval = tuple[float, float]
Spans = Sequence[tuple[float, float]]

SHIFTS = (2, 5, 10)
"""Mouths by which sound is moved, either way: 80, 200 and 400 ms."""

_OF_THE_FILE = [
    *("uri", "media_id", "corpus", "label", "method", "kind", "identity", "compression", "split"),
]


@dataclass(frozen=True, slots=True)
class MeasuredAuc:
    """How well two kinds of pairs are told apart.

    Attributes:
        auc: None where one kind is missing.
        interval: 95 %, by drawing whole clips; None where there are too few.
        num_matching: Pairs that belong together.
        num_mismatches: Pairs that do not.
    """

    auc: float | None
    interval: Interval | None
    num_matching: int
    num_mismatches: int


@dataclass(frozen=True, slots=True)
class SyncEvaluation:
    """What a detector of lips against sound makes of the files of a split.

    Attributes:
        corpus: Its name.
        split: `train`, `val`, `test` or `all`, or another name of the files.
        n_files: Labelled files, those without a face that speaks too.
        n_real: Reals with a score.
        n_fake: Fakes with a score.
        n_without_score: Labelled files in which no face speaks, or that could not be read.
        shifts: By mouths: reals as they are against their sound moved, at the offset 0.
        foreign: Reals against sound of another file, at the best offset: `any`, `same_identity`,
            `other_identity`.
        by_identity: The first of these by person.
        labelled: Fakes of the corpus against its reals; its AUC is None without labels.
        verdicts: Files with a score by verdict, by label, and the made mismatches by kind.
        in_intervals: Blocks inside the times that the corpus names as fake against those outside;
            None where it names none.
        flagged_reals: Reals that are called a mismatch, by `uri`.
        n_out_of_sync: Reals with a noticeable constant offset.
        table: A row a file with a score.
        notes: How the split was chosen.
    """

    corpus: str
    split: str
    n_files: int
    n_real: int
    n_fake: int
    n_without_score: int
    shifts: Mapping[str, MeasuredAuc]
    foreign: Mapping[str, MeasuredAuc]
    by_identity: Mapping[str, MeasuredAuc]
    labelled: MeasuredAuc
    verdicts: Mapping[str, Mapping[str, int]]
    in_intervals: MeasuredAuc | None
    flagged_reals: tuple[str, ...]
    n_out_of_sync: int
    table: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False, compare=False)
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return everything but the table in JSON types."""
        plain = asdict(self)
        del plain["table"]
        return plain


def evaluate_sync(
    snapshot: Snapshot,
    bundle: Path | SyncDetector,
    split: str = "auto",
    *,
    intervals: Mapping[str, Spans] | None = None,
    cache: Path | None = None,
    seed: int = 0,
    on_done: Callable[[int], None] = lambda _: None,
) -> SyncEvaluation:
    """Evaluate a detector on the labelled files of a split.

    Args:
        snapshot: Of the corpus.
        bundle: The detector's folder, or the detector itself.
        split: A split, `all`, or `auto`: the test split where there is one, else all.
        intervals: Begin and end of what is fake in files, seconds, by `uri`; None for those that
            the corpus names.
        cache: Where networks converted for the CPU are kept.
        seed: Of the bootstrap.
        on_done: Called with the number of runs done.

    Raises:
        BundleError: It is not a detector of lips against sound.
        ConfigError: Runs were cut otherwise than the detector takes them, or no such split.
    """
    return evaluate_sync_files(
        snapshot,
        select_split(snapshot, split),
        bundle,
        intervals=intervals,
        cache=cache,
        seed=seed,
        on_done=on_done,
    )


def evaluate_sync_files(
    snapshot: Snapshot,
    selected: SelectedSplit,
    bundle: Path | SyncDetector,
    *,
    intervals: Mapping[str, Spans] | None = None,
    cache: Path | None = None,
    device: str = "cpu",
    seed: int = 0,
    on_done: Callable[[int], None] = lambda _: None,
) -> SyncEvaluation:
    """Evaluate a detector on some of the labelled files of a snapshot, such as a held-out set.

    Args:
        snapshot: Of the corpus.
        selected: The files, and what they are called.
        bundle: The detector's folder, or the detector itself.
        intervals: As for `evaluate_sync`.
        cache: Where networks converted for the CPU are kept.
        device: Where a detector that is named by its folder computes.
        seed: Of the bootstrap.
        on_done: Called with the number of runs done.

    Raises:
        BundleError: It is not a detector of lips against sound.
        ConfigError: Runs were cut otherwise than the detector takes them.
    """
    detector = bundle
    if isinstance(detector, Path):
        detector = load_sync_detector(detector, cache=cache, device=device)
    index = selected.index[selected.index["label"].notna()]
    files = embed_files(detector, snapshot, index, on_done=on_done)
    scores, judgement = [score_file(file) for file in files], detector.spec.judgement
    reals = [file for file in files if _is_real(file)]
    labelled = selected.outcomes[selected.outcomes["label"].notna()]
    table = _table(files, scores, judgement=judgement)
    is_fake = (table["label"] == str(Label.FAKE)).to_numpy(np.bool_)
    flagged = ~is_fake & (table["verdict"] == str(SyncVerdict.MISMATCH)).to_numpy(np.bool_)
    uris = [str(file.row["uri"]) for file in files]
    return SyncEvaluation(
        corpus=snapshot.corpus,
        split=selected.name,
        n_files=len(labelled),
        n_real=int((~is_fake).sum()),
        n_fake=int(is_fake.sum()),
        n_without_score=len(labelled) - len(labelled.merge(table[["uri"]], on="uri")),
        shifts={str(shift): _shifted(reals, shift, seed=seed) for shift in SHIFTS},
        foreign=_foreign(reals, seed=seed),
        by_identity=_by_identity(reals, seed=seed),
        labelled=auc_of(is_fake, table["logit"].to_numpy(np.float64), clips=uris, seed=seed),
        verdicts=_verdicts(table, reals, judgement=judgement),
        in_intervals=_in_intervals(
            uris, scores, intervals=intervals or _named_intervals(labelled), seed=seed
        ),
        flagged_reals=tuple(table.loc[flagged, "uri"].tolist()),
        n_out_of_sync=int((table["is_out_of_sync"].to_numpy(np.bool_) & ~is_fake).sum()),
        table=table,
        notes=selected.notes,
    )


def auc_of(
    is_mismatch: Sequence[bool] | NDArray[np.bool_],
    evidence: Sequence[float] | NDArray[np.float64],
    *,
    clips: Sequence[str],
    seed: int = 0,
) -> MeasuredAuc:
    """Return the AUC of some evidence for a mismatch, with an interval from drawing whole clips.

    Args:
        is_mismatch: Of each pair, shape (N,).
        evidence: Of each pair, higher for a mismatch; those with a NaN are left out.
        clips: The clip of each pair.
        seed: Of the draws.
    """
    values = np.asarray(evidence, dtype=np.float64)
    known = np.isfinite(values)
    truth, rank = np.asarray(is_mismatch, dtype=np.bool_)[known], values[known]
    num_mismatches = int(truth.sum())
    counts = (len(truth) - num_mismatches, num_mismatches)
    if not all(counts):
        return MeasuredAuc(None, None, *counts)
    groups = np.asarray(clips, dtype=np.str_)[known]
    zeros = np.zeros(len(truth))
    drawn = bootstrap_intervals(truth, zeros, groups=groups, rank=rank, seed=seed)
    auc = binary_metrics(truth, zeros, rank=rank).auc
    return MeasuredAuc(auc, drawn.values["auc"], *counts)


def blocks_inside(blocks: Sequence[SyncBlock], spans: Spans) -> list[bool]:
    """Return for each block whether more than half of it lies in spans that do not overlap.

    Example:
        >>> block = SyncBlock(0, 1.0, 2.0, similarity=0.1, offset_seconds=0.0, logit=1.0)
        >>> blocks_inside([block], [(1.4, 9.0)]), blocks_inside([block], [(0.0, 1.4)])
        ([True], [False])
    """
    return [
        sum(
            max(0.0, min(block.end_seconds, end) - max(block.pts_seconds, begin))
            for begin, end in spans
        )
        > (block.end_seconds - block.pts_seconds) / 2
        for block in blocks
    ]


def _is_real(file: SpokenFile) -> bool:
    return bool(file.row["label"] == str(Label.REAL))


def _table(
    files: Sequence[SpokenFile], scores: Sequence[SyncScore], *, judgement: SyncJudgement
) -> pd.DataFrame:
    rows = [
        {
            **{name: file.row[name] for name in _OF_THE_FILE},
            "logit": score.logit,
            "prob_mismatch": judgement.calibration.prob(score.logit),
            "verdict": str(judgement.judge(score)[0]),
            "offset_seconds": score.offset_seconds,
            "is_out_of_sync": judgement.is_out_of_sync(score),
            "peak": score.peak,
            "median": score.median,
            "num_runs": score.num_runs,
        }
        for file, score in zip(files, scores, strict=True)
    ]
    further = ("logit", "prob_mismatch", "verdict", "is_out_of_sync")
    return pd.DataFrame(rows) if rows else pd.DataFrame(columns=[*_OF_THE_FILE, *further])


def _shifted(reals: Sequence[SpokenFile], shift: int, *, seed: int) -> MeasuredAuc:
    """Return how well sound moved by some mouths, either way, is told from sound that is not."""
    means = [
        (str(file.row["uri"]), moved != 0, -mean_at(similarities, moved))
        for file in reals
        for similarities in (file.similarities,)
        for moved in (0, -shift, shift)
    ]
    return _measured(means, seed=seed)


def _foreign(reals: Sequence[SpokenFile], *, seed: int) -> dict[str, MeasuredAuc]:
    kinds = {"any": None, "same_identity": True, "other_identity": False}
    return {
        name: _measured(_foreign_pairs(reals, same_identity=same), seed=seed)
        for name, same in kinds.items()
    }


def _by_identity(reals: Sequence[SpokenFile], *, seed: int) -> dict[str, MeasuredAuc]:
    pairs = _foreign_pairs(reals, same_identity=None)
    who = {str(file.row["uri"]): file.row["identity"] for file in reals}
    names = sorted({one for one in who.values() if isinstance(one, str)})
    return {
        name: _measured([pair for pair in pairs if who[pair[0]] == name], seed=seed)
        for name in names
    }


def _foreign_pairs(
    reals: Sequence[SpokenFile], *, same_identity: bool | None
) -> list[tuple[str, bool, float]]:
    """Return clip, whether the sound is foreign, and logit: of reals, and of other sound."""
    pairs = []
    for at, file in enumerate(reals):
        uri = str(file.row["uri"])
        pairs.append((uri, False, score_file(file).logit))
        other = other_file(reals, at, same_identity=same_identity)
        similarities = None if other is None else foreign_sound(file, other)
        if similarities is not None:
            pairs.append((uri, True, score_file(file, similarities).logit))
    return pairs


def _measured(pairs: Sequence[tuple[str, bool, float]], *, seed: int) -> MeasuredAuc:
    clips, truth, evidence = ([pair[at] for pair in pairs] for at in range(3))
    return auc_of(
        np.array(truth, dtype=np.bool_),
        np.array(evidence, dtype=np.float64),
        clips=[str(clip) for clip in clips],
        seed=seed,
    )


def _verdicts(
    table: pd.DataFrame, reals: Sequence[SpokenFile], *, judgement: SyncJudgement
) -> dict[str, dict[str, int]]:
    called = list(zip(table["label"].astype(str), table["verdict"].astype(str), strict=True))
    called += [
        (f"made_{kind}", str(judgement.judge(score_file(file, similarities))[0]))
        for file, kind, similarities in iter_mismatches(reals)
    ]
    counts: dict[str, dict[str, int]] = {}
    for name, verdict in called:
        own = counts.setdefault(name, {})
        own[verdict] = own.get(verdict, 0) + 1
    return counts


def _named_intervals(outcomes: pd.DataFrame) -> dict[str, Spans]:
    """Return when the files are fake by their corpus; without those of which it says nothing."""
    return {
        str(uri): [(one["begin_seconds"], one["end_seconds"]) for one in intervals]
        for uri, intervals in zip(outcomes["uri"], outcomes["fake_intervals"], strict=True)
        if intervals is not None
    }


def _in_intervals(
    uris: Sequence[str],
    scores: Sequence[SyncScore],
    *,
    intervals: Mapping[str, Spans],
    seed: int,
) -> MeasuredAuc | None:
    if not intervals:
        return None
    pairs = [
        (uri, is_inside, block.logit)
        for uri, score in zip(uris, scores, strict=True)
        if uri in intervals
        for block, is_inside in zip(
            score.blocks, blocks_inside(score.blocks, intervals[uri]), strict=True
        )
    ]
    return _measured(pairs, seed=seed)
