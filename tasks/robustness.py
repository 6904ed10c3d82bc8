"""The steps of a robustness measurement."""

from __future__ import annotations

import pandas as pd
from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from deepfake.compute.workers import shared_workers
from deepfake.detectors.bundles import load_bundle
from deepfake.evaluation.robustness import (
    ConditionResult,
    Perturbation,
    measure_condition,
    score_condition,
)
from deepfake.scoring import ScoreJob
from tasks.progress import advance
from tasks.settings import RETRIES

__all__ = ["measure_perturbed"]


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
