"""Fit the network with Lightning: from loaders to the chosen weights."""

from __future__ import annotations

import logging
import multiprocessing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers.logger import Logger
from torch import Tensor
from torch.utils.data import DataLoader

from deepfake.compute.processes.stop import call_when_stopping
from deepfake.config import FakeSource, HeadName, heads_of
from deepfake.errors import ModelError
from deepfake.training.callbacks import BEST_CHECKPOINT, create_callbacks
from deepfake.training.data import (
    blend_truth,
    blending_loader,
    evaluation_loader,
    file_codes,
    labels_of,
    pair_loader,
    training_loader,
)
from deepfake.training.lightning_module import DetectorModule, Validation
from deepfake.training.lightning_warnings import quiet_lightning
from deepfake.training.metrics_file import MetricsFile, drop_incomplete_line
from deepfake.training.plan import RunPlan
from deepfake.training.run_folder import AnyTrainConfig, RunFolder

__all__ = ["FitResult", "fit", "fit_module"]

_NETWORK_PREFIX = "network."


@dataclass(frozen=True, slots=True)
class FitResult:
    """The weights that were chosen.

    Attributes:
        state: Tensors of the network by timm's names, on the CPU.
        best_epoch: Their epoch, from 0.
        num_epochs: Epochs trained, those before a resumption too.
    """

    state: dict[str, Tensor]
    best_epoch: int
    num_epochs: int


def fit(
    plan: RunPlan,
    *,
    loggers: Sequence[Logger] = (),
    callbacks: Sequence[Callback] = (),
    show_progress: bool = True,
) -> FitResult:
    """Train, and return the weights of the best epoch, or of the last where no metric chooses.

    Raises:
        ModelError: Training diverged.
    """
    return fit_module(
        _module(plan),
        folder=plan.folder,
        config=plan.config,
        monitor=plan.choosing_metric,
        training_loader=_training_loader(plan),
        validation_loaders=_choosing_loaders(plan),
        placement=_placement(plan.device),
        precision=_precision(plan),
        loggers=loggers,
        callbacks=callbacks,
        show_progress=show_progress,
    )


def fit_module(
    module: DetectorModule,
    *,
    folder: RunFolder,
    config: AnyTrainConfig,
    monitor: str | None,
    training_loader: DataLoader[Any],
    validation_loaders: Sequence[DataLoader[Any]],
    placement: Mapping[str, Any],
    precision: str,
    loggers: Sequence[Logger] = (),
    callbacks: Sequence[Callback] = (),
    show_progress: bool = True,
) -> FitResult:
    """Train a module, from its last checkpoint where there is one, and return the chosen weights.

    Args:
        module: The network with its loss.
        folder: Of the run.
        config: Epochs, patience, limits of time, average of weights.
        monitor: The metric that chooses the epoch; None to keep the last.
        training_loader: Batches to learn from.
        validation_loaders: Of the module's validations, in their order.
        placement: Options of Lightning's trainer about devices.
        precision: Lightning's name of what is computed in.
        loggers: Beside the metrics file.
        callbacks: Beside ours.
        show_progress: Whether to show on stderr how far it is.

    Raises:
        ModelError: Training diverged.
    """
    drop_incomplete_line(folder.metrics)
    own = create_callbacks(
        folder.checkpoints,
        monitor=monitor,
        patience=config.patience,
        weight_average=config.weight_average,
        max_cpu_minutes=config.max_cpu_minutes,
        show_progress=show_progress,
    )
    with quiet_lightning(), call_when_stopping(_kill_loaders):
        trainer = pl.Trainer(
            max_epochs=config.epochs,
            max_time=_max_time(config.max_minutes),
            precision=precision,
            logger=[MetricsFile(folder.metrics), *loggers],
            callbacks=[*callbacks, *own],
            enable_progress_bar=False,  # ours is a callback
            enable_model_summary=False,
            num_sanity_val_steps=0,
            log_every_n_steps=1,
            default_root_dir=folder.path,
            **placement,
        )
        is_started = folder.last_checkpoint.is_file()
        trainer.fit(
            module,
            train_dataloaders=training_loader,
            val_dataloaders=list(validation_loaders) or None,
            ckpt_path=folder.last_checkpoint if is_started else None,
            # Our own checkpoint, which holds more than tensors: the state of the callbacks.
            weights_only=False,
        )
    return _chosen(folder, monitor=monitor)


def _kill_loaders() -> None:
    # PyTorch reports their end in whatever the main thread does next; MLflow's monitor prints it.
    logging.getLogger("mlflow.system_metrics").setLevel(logging.CRITICAL)
    # Loaders wait five seconds for each of their processes to end by itself.
    for process in multiprocessing.active_children():
        process.kill()


def _max_time(minutes: float | None) -> timedelta | None:
    return None if minutes is None else timedelta(minutes=minutes)


def _placement(device: torch.device) -> dict[str, Any]:
    if device.type == "cpu":
        return {"accelerator": "cpu", "devices": 1}
    if device.index is not None:
        return {"accelerator": "cuda", "devices": [device.index]}
    if torch.cuda.device_count() < 2:
        return {"accelerator": "cuda", "devices": 1}
    # Spawned, since plain DDP would run the whole command, with its flow, in each process.
    return {"accelerator": "cuda", "devices": "auto", "strategy": "ddp_spawn"}


def _precision(plan: RunPlan) -> str:
    if plan.config.precision != "auto":
        return plan.config.precision
    if plan.device.type == "cpu":
        return "32-true"
    return "bf16-mixed" if plan.config.sharpness_rho else "16-mixed"


def _module(plan: RunPlan) -> DetectorModule:
    return DetectorModule(
        plan.created.module,
        config=plan.config,
        validations=[_validation(plan, by) for by in plan.validates_by],
        num_crops=len(plan.selection.train),
        map_features=plan.map_features,
    )


def _validation(plan: RunPlan, by: str) -> Validation:
    if by == "blends":
        head = _head_taught_by(plan, "self_blended")
        return Validation("val_blends", *blend_truth(plan.selection.blendable), head=head)
    choose, head = plan.selection.choose, _head_taught_by(plan, "labelled")
    return Validation("val", labels_of(choose), file_codes(choose), head=head)


def _head_taught_by(plan: RunPlan, source: FakeSource) -> HeadName:
    heads = heads_of(plan.config.method)
    return next(head.name for head in heads if head.learns_from in (source, "any"))


def _training_loader(plan: RunPlan) -> DataLoader[Any]:
    config = plan.config
    common: dict[str, Any] = {
        "spec": plan.input_spec,
        "augment": config.augment,
        "crop": plan.selection.config.crop,
        "batch_size": config.batch_size,
        "frames_per_video": config.frames_per_video,
        "max_crops": config.max_crops_per_epoch,
        "seed": config.seed,
        "view": config.view,
        **_workers(plan),
    }
    if config.method == "labels":
        return training_loader(plan.selection.train, **common)
    share = 1.0 if config.method == "sbi" else config.sbi_share
    return pair_loader(
        plan.selection.train,
        blend=config.self_blend,
        blended_share=share,
        map_side=None if plan.map_features is None else plan.map_features.side,
        **common,
    )


def _choosing_loaders(plan: RunPlan) -> list[DataLoader[Any]]:
    return [_choosing_loader(plan, by) for by in plan.validates_by]


def _choosing_loader(plan: RunPlan, by: str) -> DataLoader[Any]:
    common: dict[str, Any] = {
        "spec": plan.input_spec,
        "crop": plan.selection.config.crop,
        "view": plan.config.view,
        "batch_size": plan.config.batch_size,
        **_workers(plan),
    }
    if by == "labels":
        return evaluation_loader(plan.selection.choose, **common)
    return blending_loader(
        plan.selection.blendable,
        blend=plan.config.self_blend,
        seed=plan.config.seed,
        **common,
    )


def _workers(plan: RunPlan) -> dict[str, Any]:
    return {"num_workers": plan.num_workers, "pin_memory": plan.device.type == "cuda"}


def _chosen(folder: RunFolder, *, monitor: str | None) -> FitResult:
    last = _read_checkpoint(folder.last_checkpoint)
    best_path = folder.checkpoints / BEST_CHECKPOINT
    best = _read_checkpoint(best_path) if monitor and best_path.is_file() else last
    state = {
        key.removeprefix(_NETWORK_PREFIX): value
        for key, value in best["state_dict"].items()
        if key.startswith(_NETWORK_PREFIX)
    }
    if not all(torch.isfinite(v).all() for v in state.values() if v.is_floating_point()):
        raise ModelError(
            "training diverged: a weight is not finite", hint="Try a lower learning rate."
        )
    return FitResult(state=state, best_epoch=int(best["epoch"]), num_epochs=int(last["epoch"]) + 1)


def _read_checkpoint(path: Path) -> dict[str, Any]:
    # Written by this run a moment ago; the callbacks' state in it is more than tensors.
    checkpoint: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=False)
    return checkpoint
