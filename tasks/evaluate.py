"""The steps of evaluating a detector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from prefect import task
from prefect.cache_policies import NO_CACHE

from deepfake import evaluation
from deepfake.config import Precision
from deepfake.corpora.shards import Snapshot
from deepfake.detectors.bundles import load_bundle
from deepfake.detectors.inference import load_detector
from deepfake.evaluation import (
    EvaluationResult,
    compare_evaluations,
    comparison_json,
    comparison_markdown,
    evaluate_predictions,
)
from deepfake.evaluation import sync as evaluation_of_sync
from deepfake.evaluation import voice as evaluation_of_voice
from deepfake.evaluation.predict import predict_crops
from deepfake.evaluation.selected_split import SelectedSplit
from deepfake.evaluation.sync import SyncEvaluation
from deepfake.evaluation.voice import VoiceEvaluation
from deepfake.registry import find_training, log_evaluation
from tasks.datasets import dataset_uses
from tasks.progress import show_step
from tasks.settings import RETRIES

__all__ = [
    "compare",
    "compute_metrics",
    "evaluate_sync",
    "evaluate_voice",
    "evaluate_voice_files",
    "log_to_mlflow",
    "predict",
    "write_evaluation",
    "write_sync_evaluation",
    "write_voice_evaluation",
]


@task(name="predict", cache_policy=NO_CACHE, **RETRIES)
def predict(
    bundle: Path,
    snapshot: Snapshot,
    index: pd.DataFrame,
    *,
    device: str,
    precision: Precision,
    cache: Path,
) -> pd.DataFrame:
    """Return the rows of an index with what the detector says, computed on all cores."""
    detector = load_detector(bundle, device=device, precision=precision, cache=cache)
    with show_step("evaluate", total=len(index)) as step:
        return predict_crops(detector, snapshot, index, on_done=step.reach)


@task(name="compute-metrics", cache_policy=NO_CACHE)
def compute_metrics(
    bundle: Path, crops: pd.DataFrame, outcomes: pd.DataFrame, *, seed: int
) -> EvaluationResult:
    """Return the metrics of the logits on the labelled files."""
    spec = load_bundle(bundle).spec
    return evaluate_predictions(
        crops=crops,
        outcomes=outcomes,
        aggregation=spec.aggregation,
        judgement=spec.judgement,
        seed=seed,
    )


@task(name="evaluate-voice", cache_policy=NO_CACHE, **RETRIES)
def evaluate_voice(
    bundle: Path, snapshot: Snapshot, split: str, *, cache: Path, seed: int
) -> VoiceEvaluation:
    """Return what a detector of voices makes of the labelled files of a split."""
    with show_step("evaluate", total=len(snapshot.index())) as step:
        return evaluation_of_voice.evaluate_voice(
            snapshot, bundle, split, cache=cache, seed=seed, on_done=step.reach
        )


@task(name="evaluate-voice-files", cache_policy=NO_CACHE, **RETRIES)
def evaluate_voice_files(
    bundle: Path,
    snapshot: Snapshot,
    selected: SelectedSplit,
    *,
    device: str,
    cache: Path,
    seed: int,
) -> VoiceEvaluation:
    """Return what a detector of voices makes of some labelled files of a snapshot."""
    with show_step("evaluate", total=len(selected.index)) as step:
        return evaluation_of_voice.evaluate_voice_files(
            snapshot,
            selected,
            bundle,
            device=device,
            cache=cache,
            seed=seed,
            on_done=step.reach,
        )


@task(name="write-voice-evaluation", cache_policy=NO_CACHE, **RETRIES)
def write_voice_evaluation(
    result: VoiceEvaluation, folder: Path, *, notes: Sequence[str], seed: int
) -> str:
    """Write report and table, and return the page."""
    return evaluation_of_voice.write_voice_evaluation(result, folder, notes=notes, seed=seed)


@task(name="evaluate-sync", cache_policy=NO_CACHE, **RETRIES)
def evaluate_sync(
    bundle: Path, snapshot: Snapshot, split: str, *, cache: Path, seed: int
) -> SyncEvaluation:
    """Return what a detector of lips against sound makes of the labelled files of a split."""
    with show_step("evaluate", total=len(snapshot.index())) as step:
        return evaluation_of_sync.evaluate_sync(
            snapshot, bundle, split, cache=cache, seed=seed, on_done=step.reach
        )


@task(name="write-sync-evaluation", cache_policy=NO_CACHE, **RETRIES)
def write_sync_evaluation(result: SyncEvaluation, folder: Path, *, notes: Sequence[str]) -> str:
    """Write report and table, and return the page."""
    return evaluation_of_sync.write_sync_evaluation(result, folder, notes=notes)


@task(name="compare", cache_policy=NO_CACHE)
def compare(
    base: EvaluationResult, result: EvaluationResult, *, first: str, second: str, seed: int
) -> tuple[dict[str, Any], str]:
    """Return the comparison of two detectors, for programs and for people."""
    found = compare_evaluations(base, result, seed=seed)
    return comparison_json(found), comparison_markdown(found, first=first, second=second)


@task(name="write-evaluation", cache_policy=NO_CACHE, **RETRIES)
def write_evaluation(
    result: EvaluationResult,
    folder: Path,
    *,
    notes: Sequence[str],
    compared: tuple[dict[str, Any], str] | None = None,
) -> str:
    """Write the folder of an evaluation, and return its page."""
    return evaluation.write_evaluation(result, folder, notes=notes, compared=compared)


@task(name="log-to-mlflow", cache_policy=NO_CACHE, **RETRIES)
def log_to_mlflow(
    report: Mapping[str, Any],
    *,
    snapshot: Snapshot,
    run_name: str,
    params: Mapping[str, Any],
    tags: Mapping[str, str],
    folder: Path,
    markdown: str,
    uri: str,
) -> str:
    """Write an evaluation into MLflow, below the run that trained the detector."""
    return log_evaluation(
        report,
        experiment="deepfake",
        run_name=run_name,
        params=params,
        tags=tags,
        figures=folder / "figures",
        markdown=markdown,
        datasets=dataset_uses([snapshot], context="evaluation"),
        trained_by=find_training(tags["model_digest"], experiment="deepfake", uri=uri),
        uri=uri,
    )
