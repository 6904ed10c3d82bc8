"""The steps of retraining that are not those of training or evaluating."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from deepfake.corpora.shards import Snapshot
from deepfake.detectors.identity import DetectorIdentity
from deepfake.errors import TrackingError, UnknownModelError
from deepfake.evaluation.promotion import (
    CostComparison,
    Decision,
    decision_markdown,
    measure_bundle_costs,
    write_decision,
)
from deepfake.registry import (
    CHALLENGER,
    CHAMPION,
    PENDING,
    find_run,
    log_decision,
    promote,
    register_once,
    replay,
    rolled_back,
    set_alias,
)
from deepfake.registry.resolve import resolve_detector, resolve_packaged
from deepfake.storage import location_of, write_text
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
def find_champion(name: str, *, data_root: str) -> DetectorIdentity:
    """Return the champion of a model; where it has none the packaged detector, as it is."""
    try:
        return resolve_detector(f"models:/{name}@{CHAMPION}", data_root=location_of(data_root))[0]
    except UnknownModelError:
        packaged = resolve_packaged()
    if packaged is None:
        raise UnknownModelError(
            f"{name!r} has no champion to compare with, and no detector is packaged",
            hint="Make one champion with `deepfake models promote VERSION`.",
        )
    return packaged


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
    """Measure what a face costs both, on some faces of an index; None without a face."""
    return measure_bundle_costs(champion, challenger, snapshot, index, device=device, cache=cache)


@task(name="save-decision", cache_policy=NO_CACHE, **RETRIES)
def save_decision(decision: Decision, folder: Path) -> str:
    """Write a decision as a page, and then for programs; return the page."""
    markdown = decision_markdown(decision)
    write_text(folder / "decision.md", markdown)
    write_decision(folder / "decision.json", decision)
    return markdown


@task(name="log-decision", cache_policy=NO_CACHE, **RETRIES)
def log_decision_to_mlflow(
    decision: Decision,
    folder: Path,
    *,
    run_name: str,
    tags: Mapping[str, str],
    key: str,
    trained_by: str | None,
    snapshots: Sequence[Snapshot],
    uri: str,
) -> str:
    """Write a decision into MLflow, below the run that trained the challenger; once a key."""
    known = find_run({"decision_key": key}, experiment=_EXPERIMENT, uri=uri)
    return log_decision(
        folder,
        experiment=_EXPERIMENT,
        run_name=run_name,
        metrics=_numbers(decision),
        tags={**tags, "decision_key": key},
        markdown=decision_markdown(decision),
        below=trained_by,
        datasets=dataset_uses(snapshots, context="evaluation"),
        run_id=known,
        uri=uri,
    )


def _numbers(decision: Decision) -> dict[str, float]:
    part = next((p for p in decision.parts if p.is_headline), None)
    found = {
        "auc_champion": None if part is None else part.champion,
        "auc_challenger": None if part is None else part.challenger,
        "auc_difference": None if part is None else part.difference,
        "auc_difference_low": None if part is None else part.low,
        "auc_difference_high": None if part is None else part.high,
        "ece_champion": None if decision.ece is None else decision.ece[0],
        "ece_challenger": None if decision.ece is None else decision.ece[1],
        "cost_ratio": None if decision.cost is None else float(decision.cost["ratio"]),
        "held_out_looks": float(decision.num_looks),
    }
    return {name: value for name, value in found.items() if value is not None}


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
    """Give a version its alias; the last step, since from here on others use it.

    Returns:
        The alias, and why it is another one than was decided.
    """
    if decision.outcome != "promoted":
        set_alias(name, alias=CHALLENGER, version=version, uri=uri)
        return CHALLENGER, None
    if version in rolled_back(name, uri=uri):
        set_alias(name, alias=CHALLENGER, version=version, uri=uri)
        return CHALLENGER, (
            f"version {version} was rolled back from: only a person makes it champion again"
        )
    promote(name, version, who="retrain", why=why, expected=champion or "nobody", uri=uri)
    return CHAMPION, None
