"""The Lightning module: loss, optimiser, schedule, and a validation AUC of files."""

from __future__ import annotations

import math
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from deepfake.config import TrainConfig
from deepfake.errors import ModelError

__all__ = ["DetectorModule", "mean_by_file"]

_SGD_MOMENTUM = 0.9
_FLOOR = 0.01
"""The cosine ends at this share of the learning rate, so that the last steps still learn."""


def mean_by_file(
    values: NDArray[np.float64], *, files: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the mean of the values of each file, and the position of its first row.

    Args:
        values: One a crop, shape (N,).
        files: Number of the file of each crop, shape (N,).

    Returns:
        Two arrays of one entry a file, by ascending number.

    Example:
        >>> mean_by_file(np.array([1.0, 3.0, 5.0]), files=np.array([0, 0, 1]))[0].tolist()
        [2.0, 5.0]
    """
    _, first, inverse = np.unique(files, return_index=True, return_inverse=True)
    sums = np.bincount(inverse, weights=values)
    return sums / np.bincount(inverse), first


class DetectorModule(pl.LightningModule):  # type: ignore[misc]
    """A network with one logit, trained by binary cross-entropy.

    Args:
        network: Gives (N, 1) logits.
        config: Optimiser, learning rate, schedule.
        val_labels: Label of each row of the validation table.
        val_files: Number of the file of each row of the validation table.
        val_name: What the metrics of validation begin with.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        config: TrainConfig,
        val_labels: NDArray[np.float64],
        val_files: NDArray[np.int64],
        val_name: str = "val",
    ) -> None:
        super().__init__()
        self.network = network
        self.config = config
        self.val_labels, self.val_files = val_labels, val_files
        self.val_name = val_name
        self._val_rows: list[Tensor] = []
        self._val_logits: list[Tensor] = []

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits, shape (N,)."""
        logits: Tensor = self.network(inputs.contiguous(memory_format=torch.channels_last))
        return logits.reshape(-1)

    def training_step(self, batch: tuple[Tensor, Tensor, Tensor], batch_idx: int) -> Tensor:
        """Return the loss of one batch."""
        inputs, labels, _ = batch
        loss = nn.functional.binary_cross_entropy_with_logits(self(inputs), labels.float())
        self.log(
            "train_loss",
            loss,
            on_step=False,
            on_epoch=True,
            prog_bar=True,
            batch_size=len(labels),
            sync_dist=True,
        )
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor, Tensor], batch_idx: int) -> None:
        """Keep the logits of one batch for the end of the epoch."""
        inputs, _, rows = batch
        self._val_rows.append(rows.cpu())
        self._val_logits.append(self(inputs).float().cpu())

    def on_validation_epoch_end(self) -> None:
        """Log loss over crops and AUC over files."""
        rows, logits = self._gathered()
        self._val_rows, self._val_logits = [], []
        if not np.isfinite(logits).all():
            raise ModelError(
                f"training diverged in epoch {self.current_epoch}: a logit is not finite",
                hint="Try a lower learning rate.",
            )
        labels, files = self.val_labels[rows], self.val_files[rows]
        loss = nn.functional.binary_cross_entropy_with_logits(
            torch.from_numpy(logits), torch.from_numpy(labels)
        )
        self.log(f"{self.val_name}_loss", loss.float(), prog_bar=True, sync_dist=True)
        means, first = mean_by_file(logits, files=files)
        truth = labels[first]
        if 0 < truth.sum() < len(truth):
            auc = float(roc_auc_score(truth, means))
            self.log(f"{self.val_name}_auc", torch.tensor(auc), prog_bar=True, sync_dist=True)

    def _gathered(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return rows and logits of all processes, each row once."""
        rows, logits = torch.cat(self._val_rows), torch.cat(self._val_logits).double()
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            parts: list[Any] = [None] * torch.distributed.get_world_size()
            torch.distributed.all_gather_object(parts, (rows, logits))
            rows, logits = (torch.cat([part[i] for part in parts]) for i in (0, 1))
        # A distributed sampler repeats rows until all processes have equally many.
        unique, first = np.unique(rows.numpy(), return_index=True)
        return unique.astype(np.int64), logits.numpy()[first]

    def configure_optimizers(self) -> dict[str, Any]:
        """Return the optimiser and its schedule over all steps of the run."""
        optimizer = self._optimizer()
        if self.config.schedule == "constant":
            return {"optimizer": optimizer}
        total = max(1, int(self.trainer.estimated_stepping_batches))

        def factor(step: int) -> float:
            share = min(1.0, step / total)
            return _FLOOR + (1 - _FLOOR) * 0.5 * (1 + math.cos(math.pi * share))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def _optimizer(self) -> torch.optim.Optimizer:
        config = self.config
        trained = [p for p in self.network.parameters() if p.requires_grad]
        # Decay pulls weights, not offsets and scales of normalisation, which have one dimension.
        groups = [
            {"params": [p for p in trained if p.ndim > 1], "weight_decay": config.weight_decay},
            {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
        ]
        if config.optimizer == "sgd":
            return torch.optim.SGD(groups, lr=config.learning_rate, momentum=_SGD_MOMENTUM)
        kinds = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
        optimizer: torch.optim.Optimizer = kinds[config.optimizer](groups, lr=config.learning_rate)
        return optimizer
