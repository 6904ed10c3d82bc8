"""A search space and a snapshot to the settings of a training that are best."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Literal

from prefect import flow, get_run_logger
from prefect.artifacts import create_table_artifact

from deepfake import __version__
from deepfake.compute.devices import resolve_device
from deepfake.corpora.shards import Snapshot
from deepfake.errors import TrackingError
from deepfake.registry import begin_sweep, end_sweep, masked, tracking_uri, ui_command
from deepfake.storage import DataRoot, location_of, write_text
from deepfake.training.tuning import DEFAULT_SPACE, SearchSpace, TuningStudy, load_space, open_study
from flows.datasets import resolve_dataset
from flows.limits import one_training
from flows.parameters import CorpusName, Positive
from tasks.settings import unseen
from tasks.sweep import TrialOutcome, try_out

__all__ = ["sweep"]


@flow(name="sweep", flow_run_name="sweep-{dataset}")
def sweep(
    dataset: str,
    data_root: str = "data",
    *,
    space: str = DEFAULT_SPACE,
    trials: Positive = 20,
    name: CorpusName | None = None,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    seed: int = 0,
) -> dict[str, Any]:
    """Try settings of a training, the more promising ones more often.

    A sweep that was stopped goes on where it was; with more trials a finished one does too.

    Args:
        dataset: An ingested corpus, or a folder.
        data_root: The data root; the study lies below `sweeps`.
        space: Name of a search space, or a TOML file.
        trials: Of the whole sweep, those of earlier runs among them.
        name: Of the sweep; else made of space and corpus.
        device: Where.
        seed: Of what is tried first.

    Returns:
        The summary: the best trial, all trials, where they are.
    """
    chosen = load_space(space)
    snapshot, notes = resolve_dataset(dataset, data_root=data_root)
    own = name or f"{Path(space).stem}-{snapshot.corpus}"
    folder = DataRoot(location_of(data_root)).here / "sweeps" / own
    digests = {snapshot.corpus: snapshot.digest}
    with open_study(folder, space=chosen, data_digests=digests, seed=seed) as study:
        tags = _tags(snapshot, space=space)
        run_id = _begin(study, space=chosen, name=own, tags=tags)
        status: Literal["FINISHED", "FAILED"] = "FAILED"
        try:
            while study.num_done < trials:
                _try_next(study, snapshot, device=_one_device(device), tags=tags, parent=run_id)
            status = "FINISHED"
        finally:
            summary = _summary(study)
            _end(run_id, summary, status=status, folder=folder)
    create_table_artifact(key="sweep", table=summary["trials"], description=str(folder))
    return {
        **summary,
        "name": own,
        "corpus": snapshot.corpus,
        "folder": str(folder),
        "notes": notes,
        "run_id": run_id,
        "tracking_uri": masked(tracking_uri()),
        "ui_command": ui_command(),
    }


def _one_device(device: str) -> str:
    # A trial is watched from this process, which one that is spread over several is not.
    return "cuda:0" if resolve_device(device) == "cuda" else "cpu"


def _tags(snapshot: Snapshot, *, space: str) -> dict[str, str]:
    return {
        "stage": "sweep",
        "corpus": snapshot.corpus,
        f"data.{snapshot.corpus}": snapshot.digest,
        "code_version": __version__,
        "space": Path(space).stem,
    }


def _begin(
    study: TuningStudy, *, space: SearchSpace, name: str, tags: dict[str, str]
) -> str | None:
    """Return the MLflow run of the sweep; None where the store does not answer."""
    try:
        run_id = begin_sweep(
            experiment="deepfake",
            run_name=name,
            params={"space": space.model_dump(mode="json")},
            tags=tags,
            run_id=study.tracked_as,
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
) -> None:
    before = study.best()
    trial = study.next_trial()
    run_dir = _run_dir(study, trial.number)
    with one_training():
        outcome: TrialOutcome = try_out(
            unseen(study),
            unseen(trial),
            number=trial.number,
            snapshot=snapshot,
            run_dir=run_dir,
            name=study.folder.name,
            device=device,
            tags={**tags, "stage": "trial"},
            parent=parent,
        )
    if outcome.state == "pruned":
        study.prune(trial.number)
    elif outcome.state == "failed" or outcome.value is None:
        get_run_logger().warning("trial %d failed: %s", trial.number, outcome.message)
        study.fail(trial.number)
    else:
        study.complete(trial.number, value=outcome.value, metric=str(outcome.metric))
    _keep_best(study, [before, trial])
    study.write_best()


def _run_dir(study: TuningStudy, number: int) -> Path:
    return study.folder / "trials" / f"{number:03d}"


def _keep_best(study: TuningStudy, trials: list[Any]) -> None:
    """Remove the detectors that others are better than: they would fill the disk."""
    best = study.best()
    for trial in trials:
        if trial is not None and (best is None or trial.number != best.number):
            shutil.rmtree(_run_dir(study, trial.number) / "bundle", ignore_errors=True)


def _summary(study: TuningStudy) -> dict[str, Any]:
    best, rows = study.best(), study.rows()
    write_text(study.folder / "trials.json", json.dumps(rows, indent=2))
    value = None if best is None else rows[best.number]["value"]
    return {
        "metric": study.metric,
        "best": None if best is None else {"number": best.number, "value": value, **best.values},
        "bundle": None if best is None else str(_run_dir(study, best.number) / "bundle"),
        "recipe": None if best is None else str(study.folder / "best.toml"),
        "trials": rows,
    }


def _end(
    run_id: str | None,
    summary: dict[str, Any],
    *,
    status: Literal["FINISHED", "FAILED"],
    folder: Path,
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
        )
    except TrackingError as error:
        get_run_logger().warning("%s; everything lies in %s", error, folder)
