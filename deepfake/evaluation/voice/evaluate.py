"""Evaluate a detector of voices on a split of a corpus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deepfake.corpora.shards import Snapshot
from deepfake.detectors.voice.detector import VoiceDetector, load_voice_detector
from deepfake.evaluation.metrics import (
    MIN_GROUPS,
    binary_metrics,
    bootstrap_intervals,
    headline_accuracy,
)
from deepfake.evaluation.metrics.point import check_samples, equal_error_rate
from deepfake.evaluation.selected_split import SelectedSplit, select_split
from deepfake.evaluation.voice.predict import predict_windows, score_files
from deepfake.types import Label, Verdict

__all__ = [
    "VoiceEvaluation",
    "eer_interval",
    "evaluate_voice",
    "evaluate_voice_files",
    "groups_of_files",
]

Interval = tuple[float, float]

_OF_THE_FILE = [
    *("uri", "media_id", "corpus", "label", "method", "kind", "compression", "group", "split"),
]


@dataclass(frozen=True, slots=True)
class VoiceEvaluation:
    """What a detector of voices makes of the labelled files of a split.

    Attributes:
        corpus: Its name.
        split: `train`, `val`, `test` or `all`, or another name of the files.
        n_files: Labelled files, those without speech too.
        n_real: Reals with a score.
        n_fake: Fakes with a score.
        n_without_score: Labelled files in which no speech was found, or that could not be read.
        auc: Over files with a score; None where a class is missing, as are those below.
        auc_interval: 95 %, by drawing whole groups; None where there are too few.
        eer: Rate at which misses and false alarms are equal.
        eer_interval: 95 %, likewise.
        accuracy: Over all labelled files, at `Thresholds.decision`; one without a score is wrong.
        uncertain: Share of the files with a score whose verdict is uncertain.
        uncertain_reasons: Their number by cause.
        verdicts: Files with a score by verdict, by label.
        verdicts_by_method: The same by method of the fakes, `real` for reals.
        flagged_reals: Reals that are called fake, by `uri`.
        table: A row a file with a score: label, method, kind, compression, group, logit,
            probability, threshold of the decision, verdict.
        notes: How the split was chosen.
    """

    corpus: str
    split: str
    n_files: int
    n_real: int
    n_fake: int
    n_without_score: int
    auc: float | None
    auc_interval: Interval | None
    eer: float | None
    eer_interval: Interval | None
    accuracy: float | None
    uncertain: float | None
    uncertain_reasons: Mapping[str, int]
    verdicts: Mapping[str, Mapping[str, int]]
    verdicts_by_method: Mapping[str, Mapping[str, int]]
    flagged_reals: tuple[str, ...]
    table: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False, compare=False)
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return everything but the table in JSON types."""
        plain = asdict(self)
        del plain["table"]
        return plain


def evaluate_voice(
    snapshot: Snapshot,
    bundle: Path | VoiceDetector,
    split: str = "auto",
    *,
    cache: Path | None = None,
    seed: int = 0,
    on_done: Callable[[int], None] = lambda _: None,
) -> VoiceEvaluation:
    """Evaluate a detector on the labelled files of a split.

    Args:
        snapshot: Of the corpus.
        bundle: The detector's folder, or the detector itself.
        split: A split, `all`, or `auto`: the test split where there is one, else all.
        cache: Where networks converted for the CPU are kept.
        seed: Of the bootstrap.
        on_done: Called with the number of windows done.

    Raises:
        BundleError: It is not a detector of voices.
        ConfigError: The split has no labelled file, or its windows were cut otherwise than the
            detector takes them.
    """
    selected = select_split(snapshot, split)
    return evaluate_voice_files(snapshot, selected, bundle, cache=cache, seed=seed, on_done=on_done)


def evaluate_voice_files(
    snapshot: Snapshot,
    selected: SelectedSplit,
    bundle: Path | VoiceDetector,
    *,
    cache: Path | None = None,
    device: str = "cpu",
    seed: int = 0,
    on_done: Callable[[int], None] = lambda _: None,
) -> VoiceEvaluation:
    """Evaluate a detector on some of the labelled files of a snapshot, such as a held-out set.

    Args:
        snapshot: Of the corpus.
        selected: The files, and what they are called.
        bundle: The detector's folder, or the detector itself.
        cache: Where networks converted for the CPU are kept.
        device: Where a detector that is named by its folder computes.
        seed: Of the bootstrap.
        on_done: Called with the number of windows done.

    Raises:
        BundleError: It is not a detector of voices.
        ConfigError: Windows were cut otherwise than the detector takes them.
    """
    detector = bundle
    if isinstance(detector, Path):
        detector = load_voice_detector(detector, cache=cache, device=device)
    index = selected.index[selected.index["label"].notna()]
    predicted = predict_windows(detector, snapshot, index, on_done=on_done)
    files, causes = _judged(predicted, detector=detector)
    labelled = selected.outcomes[selected.outcomes["label"].notna()]
    is_fake = (files["label"] == str(Label.FAKE)).to_numpy()
    prob, logits = (files[name].to_numpy(np.float64) for name in ("prob_fake", "logit"))
    groups = groups_of_files(files)
    metrics = binary_metrics(is_fake, prob, rank=logits)
    n_without = len(labelled) - len(labelled.merge(files[["uri"]], on="uri"))
    intervals = bootstrap_intervals(is_fake, prob, groups=groups, rank=logits, seed=seed)
    return VoiceEvaluation(
        corpus=snapshot.corpus,
        split=selected.name,
        n_files=len(labelled),
        n_real=metrics.n_real,
        n_fake=metrics.n_fake,
        n_without_score=n_without,
        auc=metrics.auc,
        auc_interval=intervals.values["auc"],
        eer=metrics.eer,
        eer_interval=eer_interval(is_fake, logits, groups=groups, seed=seed),
        accuracy=headline_accuracy(
            np.append(is_fake, np.zeros(n_without)),
            np.append(prob, np.full(n_without, np.nan)),
            threshold=detector.spec.judgement.thresholds.decision,
        ),
        uncertain=float((files["verdict"] == str(Verdict.UNCERTAIN)).mean())
        if len(files)
        else None,
        uncertain_reasons=causes,
        verdicts=_counts(files, by=files["label"]),
        verdicts_by_method=_counts(
            files, by=files["method"].astype("string").fillna("unknown").where(is_fake, "real")
        ),
        flagged_reals=tuple(
            files.loc[~is_fake & (files["verdict"] == str(Verdict.FAKE)), "uri"].tolist()
        ),
        table=files,
        notes=selected.notes,
    )


def _judged(
    predicted: pd.DataFrame, *, detector: VoiceDetector
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return a row a file, and how many are uncertain by cause."""
    judgement = detector.spec.judgement
    files, scores = score_files(predicted)
    judged = [judgement.judge(score) for score in scores]
    table = files[_OF_THE_FILE].assign(
        logit=[score.logit for score in scores],
        prob_fake=[judgement.calibration.prob(score.logit) for score in scores],
        threshold=judgement.thresholds.decision,
        novelty=pd.array([score.novelty for score in scores], dtype="Float64"),
        num_windows=[score.num_windows for score in scores],
        verdict=[str(verdict) for verdict, _ in judged],
    )
    return table, dict(Counter(reason.cause for _, reason in judged if reason is not None))


def groups_of_files(files: pd.DataFrame) -> NDArray[np.str_]:
    """Return the group of each file; a file without one is a group of its own."""
    medium = "media:" + files["media_id"].astype(str)
    return files["group"].where(files["group"].notna(), medium).to_numpy(dtype=np.str_)


def _counts(files: pd.DataFrame, *, by: pd.Series[Any]) -> dict[str, dict[str, int]]:
    table = pd.crosstab(by.to_numpy(dtype=np.str_), files["verdict"].to_numpy(dtype=np.str_))
    return {
        str(name): {str(verdict): int(count) for verdict, count in row.items()}
        for name, row in table.iterrows()
    }


def eer_interval(
    is_fake: NDArray[np.bool_],
    rank: NDArray[np.float64],
    *,
    groups: NDArray[np.str_],
    draws: int = 1000,
    seed: int = 0,
) -> Interval | None:
    """Return the 95 % percentile interval of the equal error rate from drawing whole groups.

    Args:
        is_fake: Of each file, shape (N,), as are the others.
        rank: What orders the files.
        groups: Files of one group come and go together.
        draws: Number of draws.
        seed: Of the draws.

    Returns:
        None with fewer than 10 groups, and where a class is missing in more than a tenth of the
        draws.
    """
    names, codes = np.unique(groups, return_inverse=True)
    if len(names) < MIN_GROUPS:
        return None
    members = [np.flatnonzero(codes == code) for code in range(len(names))]
    rng, found = np.random.default_rng(seed), []
    for _ in range(draws):
        rows = np.concatenate([members[at] for at in rng.integers(0, len(names), len(names))])
        if 0 < is_fake[rows].sum() < len(rows):
            zeros = np.zeros(len(rows))
            found.append(equal_error_rate(check_samples(is_fake[rows], zeros, rank[rows], 0.5)))
    if len(found) < 0.9 * draws:
        return None
    low, high = np.percentile(found, (2.5, 97.5))
    return float(low), float(high)
