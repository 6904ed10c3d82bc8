"""A detector and the `val` parts of corpora to a detector whose probabilities can be read."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from prefect import flow
from prefect.artifacts import create_table_artifact
from pydantic import Field

from deepfake import __version__
from deepfake.corpora.held_out import refuse_held_out_media
from deepfake.detectors.bundles import load_bundle
from deepfake.errors import ConfigError, TrackingError
from deepfake.registry import MODEL_NAME, masked, tracking_uri, ui_command
from deepfake.registry.resolve import resolve_detector
from deepfake.storage import DataRoot, location_of, write_text
from flows.datasets import resolve_dataset
from flows.parameters import CorpusName
from tasks import calibrate as steps
from tasks.train import register

__all__ = ["calibrate"]


@flow(name="calibrate", flow_run_name="calibrate")
def calibrate(
    dataset: list[str],
    weights: str | None = None,
    data_root: str = "data",
    *,
    prior: Annotated[float, Field(gt=0, lt=1)] = 0.5,
    max_false_alarm: Annotated[float, Field(ge=0, lt=1)] | None = None,
    max_miss: Annotated[float, Field(ge=0, lt=1)] | None = None,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    half_weights: bool = False,
    name: CorpusName = MODEL_NAME,
    run_name: CorpusName | None = None,
) -> dict[str, Any]:
    """Calibrate a detector on labelled files that it has not learnt from, and register it.

    Args:
        dataset: Ingested corpora, or folders, whose `val` parts are read.
        weights: A bundle's folder or `models:/NAME@ALIAS`; else the champion, else the packaged.
        data_root: The data root.
        prior: Share of fakes that probabilities shall hold for.
        max_false_alarm: Share of reals that may be called fake; None for 0.05.
        max_miss: Share of fakes that may be called real; None for 0.05 of stills, 0.1 of videos.
        device: Where.
        half_weights: Store weights in half the bytes; computing stays what it is.
        name: Under which it is registered.
        run_name: Of the run's folder and MLflow run.

    Returns:
        The summary: bundle, metrics, MLflow run, registered version.
    """
    root = DataRoot(location_of(data_root))
    detector, how = resolve_detector(weights, data_root=root.path)
    stamp = f"{datetime.now(UTC):%Y%m%d-%H%M%S}"
    run_dir = root.runs / (run_name or f"calibrate-{detector.name}-{stamp}")
    if run_dir.exists():
        raise ConfigError(f"the run {run_dir.name!r} is there already")
    resolved = [resolve_dataset(one, data_root=data_root) for one in dataset]
    snapshots = [snapshot for snapshot, _ in resolved]
    refuse_held_out_media(snapshots)
    summary = steps.fit(
        detector.path,
        snapshots=snapshots,
        output=run_dir / "bundle",
        prior=prior,
        max_false_alarm=max_false_alarm,
        max_miss=max_miss,
        device=device,
        cache=root.engine_cache,
        is_halved=half_weights,
    )
    _write_metrics(run_dir / "metrics.jsonl", summary.metrics)
    tags = {
        "stage": "calibrate",
        "corpus": ", ".join(s.corpus for s in snapshots),
        **{f"data.{s.corpus}": s.digest for s in snapshots},
        "code_version": __version__,
        "calibrated_from": load_bundle(detector.path).digest,
    }
    notes = [note for _, told in resolved for note in told]
    params = {
        "prior": prior,
        "max_false_alarm": max_false_alarm,
        "max_miss": max_miss,
        "half_weights": half_weights,
    }
    run_id = steps.record(summary, run_dir=run_dir, params=params, tags=tags)
    version = None
    try:
        if run_id is not None:
            version = register(run_id, name=name, bundle=summary.bundle, tags=tags)
    except TrackingError as error:
        notes.append(f"not registered ({error}); the detector lies in {summary.bundle}")
    create_table_artifact(
        key="calibrate",
        table=[{"metric": k, "value": v} for k, v in sorted(summary.metrics.items())],
        description=str(summary.bundle),
    )
    return {
        "detector": {"name": detector.name, "version": detector.version},
        "detector_chosen_by": how,
        "bundle": str(summary.bundle),
        "metrics": dict(summary.metrics),
        "notes": [*notes, *summary.notes],
        "run_id": run_id,
        "tracking_uri": masked(tracking_uri()),
        "ui_command": ui_command(),
        "model_name": name,
        "model_version": version,
    }


def _write_metrics(path: Path, metrics: dict[str, float | int | str | None]) -> None:
    lines = [
        {"epoch": None, "step": 0, "name": name, "value": value, "timestamp": time.time()}
        for name, value in metrics.items()
        if isinstance(value, (int, float))
    ]
    write_text(path, "".join(json.dumps(line) + "\n" for line in lines))
