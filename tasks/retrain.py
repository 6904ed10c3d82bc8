"""The steps of retraining that are not those of training or evaluating."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from deepfake.config import Modality
from deepfake.corpora.shards import Snapshot
from deepfake.errors import TrackingError
from deepfake.evaluation import promotion
from deepfake.evaluation.promotion import (
    Champion,
    CostComparison,
    Decision,
    decision_key,
    decision_markdown,
    decision_metrics,
    decision_tags,
    measure_bundle_costs,
)
from deepfake.registry import PENDING, find_run, log_decision, register_once, replay
from deepfake.storage import location_of
from tasks.datasets import dataset_uses
from tasks.settings import RETRIES

__all__ = [
    "assign_alias",
    "find_begun_run",
    "find_champion",
    "log_decision_to_mlflow",
    "measure_cost",
    "register",
    "save_decision",
]

_EXPERIMENT = "deepfake"


@task(name="find-champion", task_run_name="find-champion-{name}", cache_policy=NO_CACHE, **RETRIES)
def find_champion(name: str, *, modality: Modality, data_root: str) -> Champion:
    """Return the champion of a model; where it has none the packaged detector, as it is."""
    return promotion.find_champion(name, modality=modality, data_root=location_of(data_root))


@task(name="find-begun-run", cache_policy=NO_CACHE)
def find_begun_run(tags: Mapping[str, str], *, uri: str) -> str | None:
    """Return the MLflow run of a retraining that was begun; None too of a store that is down."""
    try:
        return find_run(tags, experiment=_EXPERIMENT, uri=uri)
    except TrackingError as error:
        get_run_logger().warning("%s", error)
        return None


@task(name="measure-cost", cache_policy=NO_CACHE)
def measure_cost(
    champion: Path,
    challenger: Path,
    snapshot: Snapshot,
    index: pd.DataFrame,
    *,
    device: str,
    cache: Path,
) -> CostComparison | None:
    """Measure what a face or a window of speech costs both, on some of an index; None without."""
    return measure_bundle_costs(champion, challenger, snapshot, index, device=device, cache=cache)


@task(name="save-decision", cache_policy=NO_CACHE, **RETRIES)
def save_decision(decision: Decision, folder: Path) -> str:
    """Write a decision as a page, and then for programs; return the page."""
    return promotion.save_decision(decision, folder)


@task(name="log-decision", cache_policy=NO_CACHE, **RETRIES)
def log_decision_to_mlflow(
    decision: Decision,
    folder: Path,
    *,
    key: str,
    tags: Mapping[str, str],
    trained_by: str | None,
    snapshots: Sequence[Snapshot],
    uri: str,
) -> str:
    """Write a decision into MLflow, below the run that trained the challenger; once a key."""
    decided = {"decision_key": decision_key(decision, key=key)}
    return log_decision(
        folder,
        experiment=_EXPERIMENT,
        run_name=f"decision-{key}",
        metrics=decision_metrics(decision),
        tags={**tags, **decision_tags(decision), **decided},
        markdown=decision_markdown(decision),
        parent_run_id=trained_by,
        datasets=dataset_uses(snapshots, context="evaluation"),
        run_id=find_run(decided, experiment=_EXPERIMENT, uri=uri),
        uri=uri,
    )


@task(name="register", task_run_name="register-{name}", cache_policy=NO_CACHE, **RETRIES)
def register(
    run_id: str | None, *, run_dir: Path, name: str, digest: str, tags: Mapping[str, str], uri: str
) -> int:
    """Return the version of a bundle, registered now if it was not before."""
    # What MLflow did not take when training ended goes there now, or nothing is registered.
    trained_by = replay(run_dir / PENDING, uri=uri) if run_id is None else run_id
    return register_once(trained_by, name=name, digest=digest, tags=tags, uri=uri)


@task(name="assign-alias", task_run_name="assign-alias-{name}", cache_policy=NO_CACHE, **RETRIES)
def assign_alias(
    decision: Decision, *, name: str, version: int, champion: int | None, why: str, uri: str
) -> tuple[str, str | None]:
    """Give a version its alias; the last step, since from here on others use it."""
    return promotion.assign_alias(
        decision, name=name, version=version, champion=champion, why=why, uri=uri
    )
