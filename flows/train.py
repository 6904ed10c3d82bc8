"""A snapshot to a detector bundle and an MLflow run."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from prefect import flow
from prefect.artifacts import create_table_artifact
from pydantic import Field

from deepfake import __version__
from deepfake.config import TrainConfig, TrainMethod
from deepfake.corpora.held_out import refuse_held_out_media
from deepfake.errors import ConfigError, TrackingError
from deepfake.registry import MODEL_NAME, masked, tracking_uri, ui_command
from deepfake.storage import DataRoot, location_of
from deepfake.training.recipes import DEFAULT_RECIPE, load_recipe
from flows.datasets import resolve_dataset
from flows.limits import one_training
from flows.parameters import CorpusName, Positive
from tasks import train as steps

__all__ = ["train"]


@flow(name="train", flow_run_name="train-{dataset}")
def train(
    dataset: str,
    model: str | None = None,
    data_root: str = "data",
    *,
    recipe: str = DEFAULT_RECIPE,
    epochs: Positive | None = None,
    batch_size: Positive | None = None,
    lr: Annotated[float, Field(gt=0)] | None = None,
    optimizer: Literal["adam", "adamw", "sgd"] | None = None,
    weight_decay: Annotated[float, Field(ge=0)] | None = None,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    pretrained: str | None = None,
    resume: bool = False,
    seed: int | None = None,
    name: CorpusName = MODEL_NAME,
    run_name: CorpusName | None = None,
    patience: Positive | None = None,
    max_crops: Positive | None = None,
    max_minutes: Annotated[float, Field(gt=0)] | None = None,
    max_cpu_minutes: Annotated[float, Field(gt=0)] | None = None,
    method: TrainMethod | None = None,
    sbi_share: Annotated[float, Field(ge=0, le=1)] | None = None,
    match_resolution: bool | None = None,
    augment: bool | None = None,
) -> dict[str, Any]:
    """Train a detector and register it.

    Args:
        dataset: An ingested corpus, or a folder.
        model: `resnet50`, `xception`, `efficientnet`, or any timm name; None for the recipe's, as
            with all options that it has a setting for.
        data_root: The data root.
        recipe: Name of a recipe, or a TOML file.
        epochs: At most.
        batch_size: Crops.
        lr: Learning rate.
        optimizer: Which.
        weight_decay: Of the optimizer.
        device: Where.
        pretrained: `auto`, `imagenet`, `none`, `packaged`, the folder of a detector, or a file of
            weights.
        resume: Go on from the last checkpoint of the run named `run_name`, else of the newest.
        seed: Of everything random.
        name: Under which it is registered.
        run_name: Of the run's folder and MLflow run.
        patience: Epochs without a better validation AUC, then stop.
        max_crops: Crops of an epoch, at most.
        max_minutes: Training takes, at most.
        max_cpu_minutes: The same in minutes of all cores together.
        method: What fakes are learnt from: labelled ones, self-blended reals, or both.
        sbi_share: For `mixed` and `two_headed`: self-blended fakes over all fakes of an epoch.
        match_resolution: Bring both classes to one distribution of face sizes.
        augment: Augment crops.

    Returns:
        The summary: bundle, metrics, MLflow run, registered version.

    Raises:
        ConfigError: Options contradict each other, or the Prefect server was not set up.
    """
    root = DataRoot(location_of(data_root))
    config = _config(
        recipe,
        augment={"is_enabled": augment, "match_resolution": match_resolution},
        model=model,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=lr,
        optimizer=optimizer,
        weight_decay=weight_decay,
        pretrained=pretrained,
        seed=seed,
        patience=patience,
        max_crops_per_epoch=max_crops,
        max_minutes=max_minutes,
        max_cpu_minutes=max_cpu_minutes,
        method=method,
        sbi_share=sbi_share,
    )
    snapshot, notes = resolve_dataset(dataset, data_root=data_root)
    refuse_held_out_media([snapshot])
    steps.catch_up(root.runs)
    run_dir = _run_dir(
        root, name=run_name, model=config.model, corpus=snapshot.corpus, resume=resume
    )
    tags = {
        "stage": "train",
        "corpus": snapshot.corpus,
        f"data.{snapshot.corpus}": snapshot.digest,
        "code_version": __version__,
        "recipe": recipe,
    }
    with one_training():
        result, opened = steps.fit(
            [snapshot],
            config=config,
            run_dir=run_dir,
            name=name,
            device=device,
            resume=resume,
            tags=tags,
        )
    run_id = steps.record(result, config=config, tags=tags, run_id=opened)
    version = None
    try:
        if run_id is not None:
            version = steps.register(run_id, name=name, bundle=result.bundle, tags=tags)
    except TrackingError as error:
        notes.append(f"not registered ({error}); the detector lies in {result.bundle}")
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
        "tracking_uri": masked(tracking_uri()),
        "ui_command": ui_command(),
        "model_name": name,
        "model_version": version,
    }
    create_table_artifact(
        key="train",
        table=[{"metric": k, "value": v} for k, v in sorted(result.metrics.items())],
        description=f"{config.model} on {snapshot.corpus}: {result.bundle}",
    )
    return summary


def _config(recipe: str, *, augment: dict[str, bool | None], **given: Any) -> TrainConfig:
    """Return a recipe with what was given on top.

    Raises:
        ConfigError: There is no such recipe, or options contradict it.
    """
    base = load_recipe(recipe)
    chosen = {name: value for name, value in given.items() if value is not None}
    changed = {name: value for name, value in augment.items() if value is not None}
    config = base.model_copy(update={**chosen, "augment": base.augment.model_copy(update=changed)})
    if "sbi_share" in chosen and config.method not in ("mixed", "two_headed"):
        raise ConfigError(
            f"sbi_share goes with the methods mixed and two_headed, not with {config.method}"
        )
    # A copy is not checked.
    return TrainConfig.model_validate(config.model_dump())


def _run_dir(root: DataRoot, *, name: str | None, model: str, corpus: str, resume: bool) -> Path:
    """Return the folder of a new run, or of the one that is gone on with."""
    if name is not None:
        run_dir = root.runs / name
        if run_dir.exists() and not resume:
            raise ConfigError(
                f"the run {name!r} is there already",
                hint="Give another --run-name, or go on with it by --resume.",
            )
        return run_dir
    stem = f"{model}-{corpus}".replace("/", "-")
    if resume:
        earlier = sorted(root.runs.glob(f"{stem}-*/checkpoints/last.ckpt"))
        if not earlier:
            raise ConfigError(
                f"no interrupted run {stem}-* to go on with under {root.runs}",
                hint="Name the run with --run-name, or leave --resume out.",
            )
        return max(earlier, key=lambda path: path.stat().st_mtime).parents[1]
    return root.runs / f"{stem}-{datetime.now(UTC):%Y%m%d-%H%M%S}"
