"""The flow `train`: train a detector on snapshots, with a bundle and an MLflow run."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.artifacts import create_table_artifact

from deepfake.config import TrainConfig, VoiceTrainConfig
from deepfake.config.options import TrainOptions, takes_options
from deepfake.corpora.held_out import reject_held_out_media
from deepfake.errors import TrackingError
from deepfake.registry import (
    mask_credentials,
    not_registered_note,
    run_tags,
    tracking_uri,
    ui_command,
)
from deepfake.storage import DataRoot, location_of
from deepfake.training.recipes import default_recipe
from deepfake.training.run_folder import AnyTrainConfig
from deepfake.training.settings import resolve_any_train_config, resolve_run_folder
from flows.ingest import open_dataset
from flows.server.cancel import cancel_when_stopped
from flows.server.limits import one_training
from tasks import train as steps

__all__ = ["train"]


@flow(name="train", flow_run_name="train-{dataset}")
@cancel_when_stopped
@takes_options
def train(options: TrainOptions) -> dict[str, Any]:
    """Train a detector and register it.

    Returns:
        The summary: bundle, metrics, MLflow run, registered version.

    Raises:
        ConfigError: Options contradict each other, or the Prefect server was not set up.
    """
    root = DataRoot(location_of(options.data_root))
    uri = tracking_uri(root.here)
    config = resolve_any_train_config(options)
    architecture = _network_name(config)
    recipe = options.recipe or default_recipe(options.modality)
    snapshot, notes = open_dataset(options.dataset, data_root=options.data_root)
    reject_held_out_media([snapshot])
    steps.log_deferred(root.runs, uri=uri)
    run_dir = resolve_run_folder(
        root.runs,
        name=options.run_name,
        model=architecture,
        corpus=snapshot.corpus,
        resume=options.resume,
    )
    tags = {**run_tags("train", [snapshot]), "recipe": recipe}
    with one_training():
        result, opened = steps.fit(
            [snapshot],
            config=config,
            run_dir=run_dir,
            name=options.registered_name,
            device=options.device,
            resume=options.resume,
            tags=tags,
            uri=uri,
            run_id=steps.find_interrupted_run(run_dir, uri=uri) if options.resume else None,
        )
    run_id = steps.log_to_mlflow(
        result, snapshots=[snapshot], config=config, tags=tags, run_id=opened, uri=uri
    )
    version = None
    try:
        if run_id is not None:
            version = steps.register(
                run_id, name=options.registered_name, bundle=result.bundle, tags=tags, uri=uri
            )
    except TrackingError as error:
        notes.append(not_registered_note(error, result.bundle))
    summary = {
        "corpus": snapshot.corpus,
        "snapshot": snapshot.digest,
        "bundle": str(result.bundle),
        "run_dir": str(result.run_dir),
        "pretrained_source": result.pretrained_source,
        "metrics": dict(result.metrics),
        "notes": [*notes, *result.notes],
        "seconds": result.seconds,
        "run_id": run_id,
        "tracking_uri": mask_credentials(uri),
        "ui_command": ui_command(uri),
        "model_name": options.registered_name,
        "model_version": version,
    }
    create_table_artifact(
        key="train",
        table=[{"metric": k, "value": v} for k, v in sorted(result.metrics.items())],
        description=f"{architecture} on {snapshot.corpus}: {result.bundle}",
    )
    return summary


def _network_name(config: AnyTrainConfig) -> str:
    if isinstance(config, TrainConfig):
        return config.model
    return config.architecture if isinstance(config, VoiceTrainConfig) else "sync"
