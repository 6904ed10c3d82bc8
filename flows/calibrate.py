"""The flow `calibrate`: fit a detector's probabilities on the `val` split of corpora."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow
from prefect.artifacts import create_table_artifact

from deepfake.config import Modality
from deepfake.config.options import CalibrateOptions, takes_options
from deepfake.corpora.held_out import reject_held_out_media
from deepfake.corpora.shards import SYNC, VOICE, Snapshot
from deepfake.detectors.open_bundle import open_bundle
from deepfake.errors import ConfigError, TrackingError
from deepfake.registry import (
    mask_credentials,
    not_registered_note,
    run_tags,
    tracking_uri,
    ui_command,
)
from deepfake.registry.resolve import resolve_detector, resolve_sync_or_fail, resolve_voice_or_fail
from deepfake.storage import DataRoot, engine_cache, location_of, new_run_name
from deepfake.training.calibrate import reject_too_few_files
from deepfake.training.settings import check_run_name
from deepfake.training.sync.calibrate import reject_too_few_speakers
from deepfake.training.voice.calibrate import reject_too_few_voices
from flows.ingest import open_dataset
from flows.server.cancel import cancel_when_stopped
from tasks import calibrate as steps
from tasks.train import register

__all__ = ["calibrate"]

_PARAMS = {
    "half_weights",
    "max_false_alarm",
    "max_miss",
    "max_unseen_miss",
    "prior",
    "unseen",
}
"""Options that are recorded in MLflow."""


_RESOLVE_OF = {
    "faces": resolve_detector,
    "voice": resolve_voice_or_fail,
    "sync": resolve_sync_or_fail,
}
_REJECT_TOO_FEW = {
    "faces": reject_too_few_files,
    "voice": reject_too_few_voices,
    "sync": reject_too_few_speakers,
}


@flow(name="calibrate", flow_run_name="calibrate")
@cancel_when_stopped
@takes_options
def calibrate(options: CalibrateOptions) -> dict[str, Any]:
    """Calibrate a detector on labelled files that it has not learnt from, and register it.

    Returns:
        The summary: bundle, metrics, MLflow run, registered version.

    Raises:
        ConfigError: An option is not for detectors of what the corpora hold.
        DataError: `val` has too few files of a class.
    """
    root = DataRoot(location_of(options.data_root))
    uri = tracking_uri(root.here)
    opened = [open_dataset(one, data_root=options.data_root) for one in options.dataset]
    snapshots = [snapshot for snapshot, _ in opened]
    modality = _modality_of(snapshots[0])
    _reject_options_of_others(options, modality=modality)
    detector, how = _RESOLVE_OF[modality](options.weights, data_root=root.path)
    run_dir = _new_run(root, options.run_name, detector_name=detector.name)
    name = options.registered_name(modality=modality)
    reject_held_out_media(snapshots)
    _REJECT_TOO_FEW[modality](snapshots)
    opened_unseen = [open_dataset(one, data_root=options.data_root) for one in options.unseen]
    summary = steps.calibrate(
        detector.path,
        snapshots=snapshots,
        output=run_dir / "bundle",
        prior=options.prior,
        max_false_alarm=options.max_false_alarm,
        max_miss=options.max_miss,
        device=options.device,
        cache=engine_cache(),
        is_halved=options.half_weights,
        unseen=[snapshot for snapshot, _ in opened_unseen],
        max_unseen_miss=options.max_unseen_miss,
    )
    tags = run_tags("calibrate", snapshots)
    tags["calibrated_from"] = open_bundle(detector.path).digest
    notes = [note for _, found in [*opened, *opened_unseen] for note in found]
    params = options.model_dump(include=_PARAMS)
    run_id = steps.log_to_mlflow(
        summary, snapshots=snapshots, run_dir=run_dir, params=params, tags=tags, uri=uri
    )
    version = None
    try:
        if run_id is not None:
            version = register(run_id, name=name, bundle=summary.bundle, tags=tags, uri=uri)
    except TrackingError as error:
        notes.append(not_registered_note(error, summary.bundle))
    create_table_artifact(
        key="calibrate",
        table=[{"metric": k, "value": v} for k, v in sorted(summary.metrics.items())],
        description=str(summary.bundle),
    )
    return {
        "detector": detector.as_record(),
        "detector_chosen_by": how,
        "bundle": str(summary.bundle),
        "metrics": dict(summary.metrics),
        "notes": [*notes, *summary.notes],
        "run_id": run_id,
        "tracking_uri": mask_credentials(uri),
        "ui_command": ui_command(uri),
        "model_name": name,
        "model_version": version,
    }


def _modality_of(snapshot: Snapshot) -> Modality:
    if snapshot.kind == VOICE:
        return "voice"
    return "sync" if snapshot.kind == SYNC else "faces"


def _reject_options_of_others(options: CalibrateOptions, *, modality: Modality) -> None:
    """Reject options that detectors of this modality do not have."""
    if modality != "faces" and options.half_weights:
        raise ConfigError(f"--half-weights goes with detectors of faces, not of {modality}")
    if modality == "sync" and options.unseen:
        raise ConfigError("--unseen lowers the threshold for `real`, which sync never says")


def _new_run(root: DataRoot, name: str | None, *, detector_name: str) -> Path:
    name = name or new_run_name("calibrate", detector_name)
    check_run_name(root.runs, name)
    return root.runs / name
