"""Score the files of a corpus after a perturbation, and measure the loss."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from deepfake.compute.workers import Failure, MediaWorkers
from deepfake.corpora.shards import Snapshot
from deepfake.detectors.bundles import DetectorSpec
from deepfake.errors import ConfigError
from deepfake.evaluation.metrics import binary_metrics, bootstrap_intervals, wilson_interval
from deepfake.evaluation.robustness.perturbations import Perturbation, perturb_file
from deepfake.extract.extractor import ExtractRequest
from deepfake.scoring import ScoredMedium, Scorer
from deepfake.storage import medium_file, to_uri
from deepfake.types import Kind, Label, Status, Verdict

__all__ = [
    "ConditionResult",
    "choose_files",
    "measure_condition",
    "robustness_markdown",
    "score_condition",
]

_READABLE = (str(Status.OK), str(Status.NO_FACE))


@dataclass(frozen=True, slots=True)
class ConditionResult:
    """Metrics of a detector on files after one perturbation.

    Attributes:
        name: Of the perturbation.
        value: Its strength.
        n: Files.
        n_scored: Those in which a face was still found.
        accuracy: Of every file at the fixed threshold, one without a score being wrong.
        accuracy_low: Lower end of its Wilson interval.
        accuracy_high: Upper end.
        auc: Of the files with a score; None where it is undefined.
        auc_low: Lower end of its interval by bootstrap over groups.
        auc_high: Upper end.
        uncertain: Share of the files with a score whose verdict is uncertain.
    """

    name: str
    value: float
    n: int
    n_scored: int
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    auc: float | None
    auc_low: float | None
    auc_high: float | None
    uncertain: float | None


@dataclass(frozen=True, slots=True)
class _Request:
    uri: str
    media_id: str
    perturbation: Perturbation


def choose_files(
    snapshot: Snapshot, *, split: str, max_files: int | None = None, seed: int = 0
) -> pd.DataFrame:
    """Return labelled, readable files of a split of a corpus, as many of each class.

    Args:
        snapshot: Of the corpus.
        split: The split; `all` for all.
        max_files: At most; None for all.
        seed: Of the choice.

    Returns:
        Columns `uri`, `media_id`, `kind`, `label`, `group`.

    Raises:
        ConfigError: There is no such file.
    """
    files = snapshot.outcomes()
    files = files[files["label"].notna() & files["status"].isin(_READABLE)]
    if split != "all":
        files = files[files["split"] == split]
    if max_files is not None and not files.empty:
        per_class = max_files // 2
        files = pd.concat(
            rows.sample(n=min(per_class, len(rows)), random_state=seed)
            for _, rows in files.groupby("label", sort=True)
        )
    if files.empty:
        raise ConfigError(f"{snapshot.corpus} has no labelled files in {split!r}")
    group = files["group"].fillna(files["media_id"])
    chosen = files.assign(group=group)[["uri", "media_id", "kind", "label", "group"]]
    return chosen.sort_values("uri").reset_index(drop=True)


def score_condition(
    files: pd.DataFrame,
    perturbation: Perturbation,
    *,
    workers: MediaWorkers,
    on_done: Callable[[int], None] = lambda _: None,
) -> pd.DataFrame:
    """Score files after a perturbation.

    Args:
        files: From `choose_files`.
        perturbation: Applied to each before it is scored.
        workers: Set up by `scorer_setup`.
        on_done: Called with the number of files done, after each.

    Returns:
        `files` with `status`, `verdict`, `logit` and `prob_fake`, null without a score.
    """
    requests = [
        _Request(str(uri), str(media_id), perturbation)
        for uri, media_id in zip(files["uri"], files["media_id"], strict=True)
    ]
    rows = []
    for result in workers.map(_score_perturbed, requests):
        rows.append(_columns_of(result))
        on_done(len(rows))
    return files.join(pd.DataFrame(rows, columns=["status", "verdict", "logit", "prob_fake"]))


def _score_perturbed(scorer: Scorer, request: _Request) -> ScoredMedium:
    # The noise of a file is the same whoever works on it.
    seed = int(hashlib.sha256(request.uri.encode()).hexdigest()[:8], 16)
    with (
        tempfile.TemporaryDirectory(prefix="deepfake-perturbed-") as folder,
        medium_file(request.uri, max_bytes=scorer.setup.limits.max_bytes) as source,
    ):
        path = perturb_file(source, Path(folder), request.perturbation, seed=seed)
        return scorer.score(ExtractRequest(to_uri(path), request.media_id))


def _columns_of(result: ScoredMedium | Failure) -> tuple[Any, ...]:
    if isinstance(result, Failure):
        return str(result.status), str(Verdict.NOT_APPLICABLE), None, None
    score = result.score
    return str(score.status), str(score.verdict), score.logit, score.prob_fake


def measure_condition(
    scored: pd.DataFrame, perturbation: Perturbation, *, spec: DetectorSpec, seed: int = 0
) -> ConditionResult:
    """Return the metrics of one condition, at the thresholds fixed on `val`.

    Args:
        scored: From `score_condition`.
        perturbation: Of the condition.
        spec: The detector's.
        seed: Of the bootstrap.
    """
    limits = {
        kind: spec.judgement_of(Kind(kind)).thresholds.decision for kind in scored["kind"].unique()
    }
    thresholds = scored["kind"].map(limits).to_numpy(dtype=np.float64)
    fakes = (scored["label"] == str(Label.FAKE)).to_numpy()
    probs = scored["prob_fake"].to_numpy(dtype=np.float64)
    has_score = np.isfinite(probs)
    right = int((has_score & ((probs >= thresholds) == fakes)).sum())
    low, high = wilson_interval(right, len(scored)) or (0.0, 1.0)
    own = scored[has_score]
    sample: dict[str, Any] = {"rank": own["logit"].to_numpy(dtype=np.float64)}
    labels, shown = fakes[has_score].astype(int), probs[has_score]
    metrics = binary_metrics(labels, shown, **sample)
    interval = None
    if metrics.auc is not None:
        groups = own["group"].to_numpy(dtype=str)
        drawn = bootstrap_intervals(labels, shown, groups=groups, seed=seed, **sample)
        interval = drawn.values.get("auc")
    is_uncertain = (own["verdict"] == str(Verdict.UNCERTAIN)).to_numpy()
    return ConditionResult(
        name=perturbation.name,
        value=perturbation.value,
        n=len(scored),
        n_scored=int(has_score.sum()),
        accuracy=right / max(1, len(scored)),
        accuracy_low=low,
        accuracy_high=high,
        auc=metrics.auc,
        auc_low=None if interval is None else interval[0],
        auc_high=None if interval is None else interval[1],
        uncertain=float(is_uncertain.mean()) if len(own) else None,
    )


def robustness_markdown(
    results: Sequence[ConditionResult], *, title: str, notes: Sequence[str] = ()
) -> str:
    """Return a page with a row a condition; an undefined metric is named as such.

    Args:
        results: Of all conditions.
        title: Of the page.
        notes: What a reader of the detector's verdicts must know, a sentence each.
    """
    lines = [
        f"# {title}",
        "",
        *(f"> {note}\n" for note in notes),
        "Frames were changed before faces were looked for. 95 % intervals.",
    ]
    head = "condition | files | with a face | accuracy of every file | AUC | uncertain"
    lines += ["", f"| {head} |", "|---" * 6 + "|"]
    lines += [f"| {' | '.join(_cells(result))} |" for result in results]
    return "\n".join(lines) + "\n"


def _cells(result: ConditionResult) -> Iterable[str]:
    yield Perturbation(result.name, result.value).label
    yield str(result.n)
    yield str(result.n_scored)
    yield f"{result.accuracy:.3f} ({result.accuracy_low:.3f} to {result.accuracy_high:.3f})"
    if result.auc is None:
        yield "undefined"
    elif result.auc_low is None or result.auc_high is None:
        yield f"{result.auc:.3f}"
    else:
        yield f"{result.auc:.3f} ({result.auc_low:.3f} to {result.auc_high:.3f})"
    yield "undefined" if result.uncertain is None else f"{result.uncertain:.3f}"
