"""Fit a voice network with Lightning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers.logger import Logger
from torch import Tensor

from deepfake.config import TrainConfig, VoiceTrainConfig
from deepfake.evaluation.metrics import binary_metrics
from deepfake.training.data import file_codes, labels_of
from deepfake.training.fit import FitResult, fit_module
from deepfake.training.lightning_module import DetectorModule, LoaderOutputs, Validation
from deepfake.training.voice.plan import VoicePlan
from deepfake.training.voice.windows import evaluation_windows, training_windows

__all__ = ["VoiceModule", "fit_voice"]


class VoiceModule(DetectorModule):
    """A voice network, trained by binary cross-entropy; it also logs the EER of files."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits (N, 1) of samples (N, T)."""
        logits: Tensor = self.network(inputs)
        return logits

    def log_validation(self, seen: LoaderOutputs) -> None:
        """Log the loss over windows, and AUC and EER over files."""
        super().log_validation(seen)
        truth, means = seen.by_file(seen.own)
        eer = binary_metrics(truth, np.zeros(len(truth)), rank=means).eer
        if eer is not None:
            self.log(f"{seen.name}_eer", torch.tensor(eer))


def fit_voice(
    plan: VoicePlan,
    *,
    loggers: Sequence[Logger] = (),
    callbacks: Sequence[Callback] = (),
    show_progress: bool = True,
) -> FitResult:
    """Train, and return the weights of the best epoch, or of the last where no metric chooses.

    Args:
        plan: The run.
        loggers: Lightning loggers beside the metrics file.
        callbacks: Lightning callbacks beside ours.
        show_progress: Whether to show on stderr how far it is.

    Raises:
        ModelError: Training diverged.
    """
    is_on_cpu = plan.device.type == "cpu"
    workers: dict[str, Any] = {"num_workers": plan.num_workers, "pin_memory": not is_on_cpu}
    choose, config = plan.selection.choose, plan.config
    validations, loaders = [], []
    if plan.is_validated:
        validations = [Validation("val", labels_of(choose), file_codes(choose))]
        loaders = [evaluation_windows(choose, batch_size=config.batch_size, **workers)]
    module = VoiceModule(plan.network, config=_as_train_config(config), validations=validations)
    return fit_module(
        module,
        folder=plan.folder,
        config=config,
        monitor="val_auc" if plan.is_validated else None,
        training_loader=training_windows(plan.selection.train, config=config, **workers),
        validation_loaders=loaders,
        # A batch is drawn whole, so it is not shared out among devices.
        placement={
            "accelerator": "cpu" if is_on_cpu else "cuda",
            "devices": 1 if is_on_cpu or plan.device.index is None else [plan.device.index],
        },
        # Spectra of speech span more than half precision does.
        precision="32-true" if is_on_cpu else "bf16-mixed",
        loggers=loggers,
        callbacks=callbacks,
        show_progress=show_progress,
    )


def _as_train_config(config: VoiceTrainConfig) -> TrainConfig:
    """Return the settings of optimiser and schedule, as the module of faces has them."""
    return TrainConfig(
        optimizer="adamw",
        learning_rate=config.learning_rate,
        weight_decay=config.weight_decay,
        schedule=config.schedule,
    )
