"""The steps of training a detector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from deepfake.config import SyncTrainConfig, VoiceTrainConfig
from deepfake.corpora.shards import Snapshot
from deepfake.detectors.open_bundle import open_bundle
from deepfake.errors import TrackingError
from deepfake.registry import (
    PENDING,
    find_run,
    log_training_or_defer,
    register_once,
    replay_all,
    track_run,
)
from deepfake.training import (
    TrainResult,
    train_detector,
    train_sync_detector,
    train_voice_detector,
)
from deepfake.training.run_folder import AnyTrainConfig
from tasks.datasets import dataset_uses
from tasks.settings import RETRIES

__all__ = ["find_interrupted_run", "fit", "log_deferred", "log_to_mlflow", "register"]

_EXPERIMENT = "deepfake"


@task(name="log-deferred", cache_policy=NO_CACHE)
def log_deferred(runs: Path, *, uri: str) -> None:
    """Log trainings to MLflow that could not be logged when they ended."""
    for run_id in replay_all(runs, uri=uri):
        get_run_logger().info("a training was deferred and is in MLflow now: %s", run_id)


@task(name="find-interrupted-run", cache_policy=NO_CACHE)
def find_interrupted_run(run_dir: Path, *, uri: str) -> str | None:
    """Return the MLflow run of a training that is resumed; None too of a store that is down."""
    try:
        return find_run({"stage": "train"}, experiment=_EXPERIMENT, run_name=run_dir.name, uri=uri)
    except TrackingError as error:
        get_run_logger().warning("%s", error)
        return None


@task(name="fit", task_run_name="fit-{name}", cache_policy=NO_CACHE)
def fit(
    snapshots: Sequence[Snapshot],
    *,
    config: AnyTrainConfig,
    run_dir: Path,
    name: str,
    device: str,
    resume: bool,
    tags: Mapping[str, str],
    uri: str,
    run_id: str | None = None,
) -> tuple[TrainResult, str | None]:
    """Train, inside an MLflow run that gathers system metrics: a new one, or one that was begun.

    Not retried: an interrupted training is resumed, not repeated.
    """
    with track_run(
        experiment=_EXPERIMENT,
        run_name=run_dir.name,
        params=config.model_dump(),
        tags=tags,
        datasets=dataset_uses(snapshots, context="training"),
        run_id=run_id,
        uri=uri,
    ) as run:
        if run.warning:
            get_run_logger().warning(run.warning)
        common: dict[str, Any] = {
            "snapshots": snapshots,
            "run_dir": run_dir,
            "name": name,
            "device": device,
            "resume": resume,
        }
        if isinstance(config, VoiceTrainConfig):
            result = train_voice_detector(config=config, **common)
        elif isinstance(config, SyncTrainConfig):
            result = train_sync_detector(config=config, **common)
        else:
            result = train_detector(config=config, **common)
    return result, run.run_id


@task(name="log-to-mlflow", cache_policy=NO_CACHE, **RETRIES)
def log_to_mlflow(
    result: TrainResult,
    *,
    snapshots: Sequence[Snapshot],
    config: AnyTrainConfig,
    tags: Mapping[str, str],
    run_id: str | None,
    uri: str,
) -> str | None:
    """Write what the training left on disk into MLflow; a store that is down is not an error."""
    bundle = open_bundle(result.bundle)
    return log_training_or_defer(
        pending=result.run_dir / PENDING,
        experiment=_EXPERIMENT,
        run_name=result.run_dir.name,
        params={**config.model_dump(), **bundle.spec.made_with},
        metrics_jsonl=result.run_dir / "metrics.jsonl",
        metrics=result.metrics,
        bundle=result.bundle,
        tags={**tags, **bundle.tags},
        datasets=dataset_uses(snapshots, context="training"),
        extra_artifacts=[result.run_dir / "config.json", result.run_dir / "result.json"],
        run_id=run_id,
        uri=uri,
    )


@task(name="register", task_run_name="register-{name}", cache_policy=NO_CACHE, **RETRIES)
def register(run_id: str, *, name: str, bundle: Path, tags: Mapping[str, str], uri: str) -> str:
    """Make the run's bundle the newest version of a registered model, unless it is one already."""
    digest = open_bundle(bundle).digest
    kept = {k: v for k, v in tags.items() if k == "stage" or k.startswith("data.")}
    return str(register_once(run_id, name=name, digest=digest, tags=kept, uri=uri))
