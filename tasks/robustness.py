"""The steps of a robustness sweep."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from deepfake.compute.workers import shared_workers
from deepfake.corpora.shards import Snapshot
from deepfake.detectors.bundles import load_bundle
from deepfake.evaluation.robustness import (
    ConditionResult,
    Perturbation,
    measure_condition,
    score_condition,
)
from deepfake.registry import find_training, log_evaluation
from deepfake.scoring import ScoreJob
from tasks.datasets import dataset_uses
from tasks.progress import advance
from tasks.settings import RETRIES

__all__ = ["log_to_mlflow", "measure_perturbed"]


@task(
    name="measure-perturbed",
    task_run_name="perturb-{perturbation.name}-{perturbation.value}",
    cache_policy=NO_CACHE,
    **RETRIES,
)
def measure_perturbed(
    files: pd.DataFrame, perturbation: Perturbation, *, job: ScoreJob, seed: int
) -> tuple[ConditionResult, pd.DataFrame]:
    """Score all files after one perturbation, and measure what that is worth."""
    spec = load_bundle(job.scorer.detector.path).spec
    scored = score_condition(
        files,
        perturbation,
        workers=shared_workers(job.on_this_machine().worker_setup()),
        on_done=lambda _: advance(step="perturb"),
    )
    result = measure_condition(scored, perturbation, spec=spec, seed=seed)
    get_run_logger().info(
        "%s: AUC %s, accuracy %.3f", perturbation.label, result.auc, result.accuracy
    )
    table = scored.assign(perturbation=perturbation.name, value=perturbation.value)
    return result, table


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
    """Write the sweep into MLflow, below the run that made the detector."""
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
