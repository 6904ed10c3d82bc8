"""The steps of calibrating a detector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from deepfake.corpora.shards import Snapshot
from deepfake.detectors.open_bundle import open_bundle
from deepfake.detectors.voice_bundle import modality_of_bundle
from deepfake.registry import PENDING, log_training_or_defer
from deepfake.registry.mlflow_values import write_metrics_lines
from deepfake.training.calibrate import CalibrationSummary, calibrate_bundle
from deepfake.training.sync.calibrate import calibrate_sync_bundle
from deepfake.training.voice.calibrate import calibrate_voice_bundle
from tasks.datasets import dataset_uses
from tasks.progress import show_step
from tasks.settings import RETRIES

__all__ = ["calibrate", "log_to_mlflow"]


@task(name="calibrate", cache_policy=NO_CACHE, **RETRIES)
def calibrate(
    bundle: Path,
    *,
    snapshots: Sequence[Snapshot],
    output: Path,
    prior: float,
    max_false_alarm: float | None,
    max_miss: float | None,
    device: str,
    cache: Path,
    is_halved: bool,
    unseen: Sequence[Snapshot],
    max_unseen_miss: float,
) -> CalibrationSummary:
    """Calibrate a bundle on the `val` splits of corpora."""
    total = sum(int((s.index()["split"] == "val").sum()) for s in snapshots)
    total += sum(len(s.index()) for s in unseen)
    common: dict[str, Any] = {
        "snapshots": snapshots,
        "output": output,
        "prior": prior,
        "device": device,
        "cache": cache,
    }
    others = {"unseen": unseen, "max_unseen_miss": max_unseen_miss}
    rates = {"max_false_alarm": max_false_alarm, "max_miss": max_miss}
    with show_step("calibrate", total=total) as step:
        modality = modality_of_bundle(bundle)
        chosen = {name: rate for name, rate in rates.items() if rate is not None}
        if modality == "sync":
            return calibrate_sync_bundle(bundle, **common, **chosen, on_done=step.reach)
        common |= others
        if modality == "voice":
            return calibrate_voice_bundle(bundle, **common, **chosen, on_done=step.reach)
        return calibrate_bundle(bundle, **common, **rates, is_halved=is_halved, on_done=step.reach)


@task(name="log-to-mlflow", cache_policy=NO_CACHE, **RETRIES)
def log_to_mlflow(
    summary: CalibrationSummary,
    *,
    snapshots: Sequence[Snapshot],
    run_dir: Path,
    params: Mapping[str, Any],
    tags: Mapping[str, str],
    uri: str,
) -> str | None:
    """Write a calibration into MLflow; a store that is down is not an error."""
    bundle = open_bundle(summary.bundle)
    metrics_jsonl = run_dir / "metrics.jsonl"
    write_metrics_lines(metrics_jsonl, summary.metrics)
    return log_training_or_defer(
        pending=run_dir / PENDING,
        experiment="deepfake",
        run_name=run_dir.name,
        params={**bundle.spec.made_with, **params},
        metrics_jsonl=metrics_jsonl,
        bundle=summary.bundle,
        datasets=dataset_uses(snapshots, context="calibration"),
        tags={**tags, **bundle.tags},
        uri=uri,
    )
