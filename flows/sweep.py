"""The flow `sweep`: search the best settings of a training on a snapshot."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from prefect import flow, get_run_logger
from prefect.artifacts import create_table_artifact

from deepfake.compute.devices import resolve_device
from deepfake.config.options import SweepOptions, takes_options
from deepfake.corpora.shards import Snapshot
from deepfake.errors import TrackingError
from deepfake.registry import (
    begin_sweep,
    end_sweep,
    mask_credentials,
    run_tags,
    tracking_uri,
    ui_command,
)
from deepfake.storage import DataRoot, location_of
from deepfake.training.tuning import (
    SearchSpace,
    TuningStudy,
    load_space,
    open_study,
    record_trial,
)
from flows.ingest import open_dataset
from flows.server.cancel import cancel_when_stopped
from flows.server.limits import one_training
from tasks.datasets import dataset_uses
from tasks.settings import hide_from_prefect
from tasks.sweep import run_trial

__all__ = ["sweep"]


@flow(name="sweep", flow_run_name="sweep-{dataset}")
@cancel_when_stopped
@takes_options
def sweep(options: SweepOptions) -> dict[str, Any]:
    """Try settings of a training, the more promising ones more often.

    A sweep that was stopped goes on where it was; with more trials a finished one does too.

    Returns:
        The summary: the best trial, all trials, where they are.
    """
    space = load_space(options.space)
    snapshot, notes = open_dataset(options.dataset, data_root=options.data_root)
    name = options.name or f"{Path(options.space).stem}-{snapshot.corpus}"
    root = DataRoot(location_of(options.data_root))
    uri = tracking_uri(root.here)
    folder = root.sweeps / name
    digests = {snapshot.corpus: snapshot.digest}
    # A trial is watched from this process: one spread over several devices cannot be.
    device = "cuda:0" if resolve_device(options.device) == "cuda" else "cpu"
    with open_study(folder, space=space, data_digests=digests, seed=options.seed) as study:
        tags = {**run_tags("sweep", [snapshot]), "space": Path(options.space).stem}
        run_id = _begin(study, snapshot, space=space, name=name, tags=tags, uri=uri)
        status: Literal["FINISHED", "FAILED"] = "FAILED"
        try:
            while study.num_done < options.trials:
                _try_next(study, snapshot, device=device, tags=tags, parent=run_id, uri=uri)
            status = "FINISHED"
        finally:
            summary = study.summary()
            _end(run_id, summary, status=status, folder=folder, uri=uri)
    create_table_artifact(key="sweep", table=summary["trials"], description=str(folder))
    return {
        **summary,
        "name": name,
        "corpus": snapshot.corpus,
        "folder": str(folder),
        "notes": notes,
        "run_id": run_id,
        "tracking_uri": mask_credentials(uri),
        "ui_command": ui_command(uri),
    }


def _begin(
    study: TuningStudy,
    snapshot: Snapshot,
    *,
    space: SearchSpace,
    name: str,
    tags: dict[str, str],
    uri: str,
) -> str | None:
    """Return the MLflow run of the sweep; None where the store does not answer."""
    try:
        run_id = begin_sweep(
            experiment="deepfake",
            run_name=name,
            params={"space": space.model_dump(mode="json")},
            tags=tags,
            datasets=dataset_uses([snapshot], context="training"),
            run_id=study.tracked_as,
            uri=uri,
        )
    except TrackingError as error:
        get_run_logger().warning("%s; the sweep goes on without it", error)
        return None
    study.track_as(run_id)
    return run_id


def _try_next(
    study: TuningStudy,
    snapshot: Snapshot,
    *,
    device: str,
    tags: dict[str, str],
    parent: str | None,
    uri: str,
) -> None:
    trial = study.next_trial()
    with one_training():
        outcome = run_trial(
            hide_from_prefect(study),
            hide_from_prefect(trial),
            number=trial.number,
            snapshot=snapshot,
            run_dir=study.trial_folder(trial.number),
            name=study.folder.name,
            device=device,
            tags={**tags, "stage": "trial"},
            parent=parent,
            uri=uri,
        )
    if outcome.has_failed:
        get_run_logger().warning("trial %d failed: %s", trial.number, outcome.message)
    record_trial(study, trial, outcome)


def _end(
    run_id: str | None,
    summary: dict[str, Any],
    *,
    status: Literal["FINISHED", "FAILED"],
    folder: Path,
    uri: str,
) -> None:
    if run_id is None:
        return
    best = summary["best"]
    try:
        end_sweep(
            run_id,
            status=status,
            metrics={"objective": None if best is None else best["value"]},
            artifacts=[p for p in (folder / "trials.json", folder / "best.toml") if p.is_file()],
            bundle=None if best is None else Path(summary["bundle"]),
            uri=uri,
        )
    except TrackingError as error:
        get_run_logger().warning("%s; everything lies in %s", error, folder)
