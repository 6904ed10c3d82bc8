"""Fit the networks of lips and sound with Lightning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers.logger import Logger
from sklearn.metrics import roc_auc_score
from torch import Tensor

from deepfake.config import SyncTrainConfig, TrainConfig
from deepfake.detectors.sync.towers import SyncNetwork
from deepfake.errors import ModelError
from deepfake.training.fit import FitResult, fit_module
from deepfake.training.lightning_module import DetectorModule
from deepfake.training.sync.batches import SyncBatch, evaluation_runs, training_runs
from deepfake.training.sync.loss import contrastive_loss
from deepfake.training.sync.plan import SyncPlan

__all__ = ["SyncModule", "fit_sync"]


class SyncModule(DetectorModule):
    """Both networks, trained to find the sound of each window of mouths.

    Its `val_auc` compares cosines of windows with their own sound and with that of other moments of
    the same run.

    Args:
        network: The networks.
        config: The recipe.
    """

    def __init__(self, network: SyncNetwork, *, config: SyncTrainConfig) -> None:
        super().__init__(network, config=_as_train_config(config), validations=())
        self.sync_config = config
        self._cosines: list[Tensor] = []

    def training_step(self, batch: SyncBatch, batch_idx: int) -> Tensor:  # type: ignore[override]
        """Return the loss of one batch."""
        mouths, sounds = self._embed(batch)
        loss = contrastive_loss(
            mouths,
            sounds,
            temperature=self.sync_config.temperature,
            inner_weight=self.sync_config.inner_weight,
        )
        self._log_mean("train_loss", loss, count=len(mouths))
        return loss

    def validation_step(  # type: ignore[override]
        self, batch: SyncBatch, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Keep the cosines of one batch for the end of the epoch."""
        mouths, sounds = self._embed(batch)
        self._cosines.append((mouths @ sounds.transpose(1, 2)).float().cpu())

    def on_validation_epoch_end(self) -> None:
        """Log the AUC of windows with their own sound against other sound of the run."""
        cosines = torch.cat(self._cosines).numpy()  # (R, K, K)
        self._cosines = []
        if not np.isfinite(cosines).all():
            raise ModelError(
                f"training diverged in epoch {self.current_epoch}: a cosine is not finite",
                hint="Try a lower learning rate.",
            )
        is_own = np.broadcast_to(np.eye(cosines.shape[1], dtype=np.bool_), cosines.shape)
        self._log_auc("val_auc", float(roc_auc_score(is_own.ravel(), cosines.ravel())))

    def _embed(self, batch: SyncBatch) -> tuple[Tensor, Tensor]:
        """Return embeddings (B, K, D) each."""
        windows, bands = batch
        num_runs = len(windows)
        mouths, sounds = self.network(windows.flatten(0, 1), bands.flatten(0, 1))
        return mouths.unflatten(0, (num_runs, -1)), sounds.unflatten(0, (num_runs, -1))


def fit_sync(
    plan: SyncPlan,
    *,
    loggers: Sequence[Logger] = (),
    callbacks: Sequence[Callback] = (),
    show_progress: bool = True,
) -> FitResult:
    """Train, and return the weights of the best epoch, or of the last where nothing chooses.

    Args:
        plan: The run.
        loggers: Lightning loggers beside the metrics file.
        callbacks: Lightning callbacks beside ours.
        show_progress: Whether to show on stderr how far it is.

    Raises:
        ModelError: Training diverged.
    """
    is_on_cpu = plan.device.type == "cpu"
    common: dict[str, Any] = {
        "config": plan.config,
        "num_workers": plan.num_workers,
        "pin_memory": not is_on_cpu,
    }
    choose = plan.selection.choose
    return fit_module(
        SyncModule(plan.network, config=plan.config),
        folder=plan.folder,
        config=plan.config,
        monitor="val_auc" if plan.is_validated else None,
        training_loader=training_runs(plan.selection.train, **common),
        validation_loaders=[evaluation_runs(choose, **common)] if plan.is_validated else [],
        # A batch is drawn whole, so it is not shared out among devices.
        placement={
            "accelerator": "cpu" if is_on_cpu else "cuda",
            "devices": 1 if is_on_cpu or plan.device.index is None else [plan.device.index],
        },
        precision="32-true",
        loggers=loggers,
        callbacks=callbacks,
        show_progress=show_progress,
    )


def _as_train_config(config: SyncTrainConfig) -> TrainConfig:
    """Return the settings of optimiser and schedule, as the module of faces has them."""
    return TrainConfig(
        optimizer="adamw",
        learning_rate=config.learning_rate,
        weight_decay=config.weight_decay,
        schedule=config.schedule,
    )
