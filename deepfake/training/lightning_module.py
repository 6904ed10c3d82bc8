"""The Lightning module: loss, optimiser, schedule, AUC of validation files."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from deepfake.config import HeadName, TrainConfig, heads_of
from deepfake.errors import ModelError
from deepfake.training.boundary_map import BoundaryMap, MapFeatures
from deepfake.training.sam import SharpnessAware
from deepfake.verdicts.calibration import combine_heads, fit_temperature

__all__ = ["COMBINED_AUC", "DetectorModule", "LoaderOutputs", "Validation", "mean_by_file"]

COMBINED_AUC = "val_fused_auc"
"""The AUC of the combined logit of two heads, averaged over the validation loaders of the heads."""

_SGD_MOMENTUM = 0.9
_FLOOR = 0.01
"""The cosine ends at this share of the learning rate, so that the last steps still learn."""

_FALLS_AFTER = {"late_linear": 0.75, "half_linear": 0.5}
"""Share of a run after which the learning rate begins to fall, by schedule."""


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


@dataclass(frozen=True, slots=True)
class Validation:
    """The labels and files of one validation loader.

    Attributes:
        name: What its metrics begin with.
        labels: Label of each of its rows, shape (N,).
        files: Number of the file of each of its rows, shape (N,).
        head: The head that it judges.
    """

    name: str
    labels: NDArray[np.float64]
    files: NDArray[np.int64]
    head: HeadName = "fake"


@dataclass(frozen=True, slots=True)
class LoaderOutputs:
    """The network's outputs on one validation loader.

    Attributes:
        name: What its metrics begin with.
        head: Number of the head that it judges.
        logits: Shape (N, H).
        labels: Shape (N,).
        files: Number of the file of each row, shape (N,).
    """

    name: str
    head: int
    logits: NDArray[np.float64]
    labels: NDArray[np.float64]
    files: NDArray[np.int64]

    @property
    def own(self) -> NDArray[np.float64]:
        """Logits of the head that the loader judges."""
        return np.ascontiguousarray(self.logits[:, self.head])

    def by_file(
        self, values: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the label and the mean of the values of each file."""
        means, first = mean_by_file(values, files=self.files)
        return self.labels[first], means

    def auc(self, values: NDArray[np.float64]) -> float | None:
        """Return the AUC of the means of files, None where a class is missing."""
        truth, means = self.by_file(values)
        if not 0 < truth.sum() < len(truth):
            return None
        return float(roc_auc_score(truth, means))


def _combined_auc(seen: Sequence[LoaderOutputs]) -> float | None:
    """Return the AUC of the combined logit, averaged over the validation loaders of the heads.

    A head that improves on its own fakes can add noise to the other's. So the checkpoint is chosen
    by the combined logit, scaled as `calibrate` scales it.
    """
    scales = [fit_temperature(one.own, one.labels) for one in seen]
    aucs = []
    for one in seen:
        odds = [
            scale.log_odds(one.logits[:, other.head])
            for scale, other in zip(scales, seen, strict=True)
        ]
        aucs.append(one.auc(combine_heads(odds)))
    known = [auc for auc in aucs if auc is not None]
    return float(np.mean(known)) if len(known) == len(aucs) else None


class DetectorModule(pl.LightningModule):  # type: ignore[misc]
    """A network with a logit for each of its heads, trained by binary cross-entropy.

    Args:
        network: Gives (N, H) logits, the heads in the order of `heads_of`.
        config: Optimiser, learning rate, schedule, method.
        validations: One a validation loader, in their order.
        num_crops: Rows of the table that is trained on; a row from there on is a blended fake.
        map_features: What the blending boundary is predicted from; None to predict none.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        config: TrainConfig,
        validations: Sequence[Validation],
        num_crops: int = 0,
        map_features: MapFeatures | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.boundary = None if map_features is None else BoundaryMap(map_features)
        self.config = config
        self.heads = heads_of(config.method)
        self.validations = tuple(validations)
        self.num_crops = num_crops
        self._val_rows: list[list[Tensor]] = [[] for _ in self.validations]
        self._val_logits: list[list[Tensor]] = [[] for _ in self.validations]

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits, shape (N, H)."""
        logits: Tensor = self.network(inputs.contiguous(memory_format=torch.channels_last))
        return logits

    def on_train_epoch_start(self) -> None:
        """Keep the statistics of normalisations whose weights are frozen."""
        for layer in self.network.modules():
            own = list(layer.parameters(recurse=False))
            if hasattr(layer, "running_mean") and own and not any(p.requires_grad for p in own):
                layer.eval()

    def training_step(self, batch: Sequence[Tensor], batch_idx: int) -> Tensor:
        """Return the loss of one batch of inputs, labels and rows, and maps if there are any."""
        inputs, labels, rows, *maps = batch
        targets = self._targets(labels, rows)  # (N, H), NaN where a head is not asked
        if self.config.mixup_p:
            inputs, targets = self._mixed(inputs, targets, rows)
        if self.boundary is None:
            logits, map_logits = self(inputs), None
        else:
            channels_last = inputs.contiguous(memory_format=torch.channels_last)
            logits, map_logits = self.boundary(self.network, channels_last)
        loss = _known_loss(logits, targets)
        self._log_mean("train_loss", loss, count=len(labels))
        if map_logits is not None:
            map_loss = _known_loss(map_logits, maps[0])
            self._log_mean("train_map_loss", map_loss, count=len(labels))
            loss = loss + self.config.map_weight * map_loss
        return loss

    def _log_mean(self, name: str, value: Tensor, *, count: int) -> None:
        self.log(
            name,
            value,
            on_step=False,
            on_epoch=True,
            prog_bar=True,
            batch_size=count,
            sync_dist=True,
        )

    def _targets(self, labels: Tensor, rows: Tensor) -> Tensor:
        """Return the target of each head for each crop, NaN where it is unknown.

        A real is asked of both heads, but for the real of a blended pair: its colours and its
        sharpness may have been changed, which labelled fakes never are.
        """
        labels = labels.float()
        if all(head.learns_from == "any" for head in self.heads):
            return labels[:, None].repeat(1, len(self.heads))
        # Partners stand side by side, real and fake; both are of one kind.
        is_blended = (rows[1::2] >= self.num_crops).repeat_interleave(2)
        unknown = torch.full_like(labels, math.nan)
        by_source = {
            "any": labels,
            "self_blended": torch.where(is_blended | (labels == 0), labels, unknown),
            "labelled": torch.where(is_blended, unknown, labels),
        }
        return torch.stack([by_source[head.learns_from] for head in self.heads], dim=1)

    def _mixed(self, inputs: Tensor, targets: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Mix some pairs of a labelled real and a labelled fake (Zhang et al., ICLR 2018).

        The faces of both stand in the middle of their crops, so that eyes fall onto eyes.
        """
        real, fake = inputs[::2], inputs[1::2]  # (P, 3, S, S) each
        is_labelled = rows[1::2] < self.num_crops
        alpha = torch.full((len(real),), self.config.mixup_alpha)
        share = torch.distributions.Beta(alpha, alpha).sample().to(inputs)
        is_mixed = is_labelled & (torch.rand(len(real)) < self.config.mixup_p).to(inputs.device)
        # The real becomes the mixture and the fake stays: a batch keeps half of its plain pairs.
        share = torch.where(is_mixed, share, torch.zeros_like(share))
        weight = share[:, None, None, None]
        inputs, targets = inputs.clone(), targets.clone()
        inputs[::2] = (1 - weight) * real + weight * fake
        unknown = torch.full_like(share, math.nan)
        for column, head in enumerate(self.heads):
            # What is half a labelled fake is no real to a head of blends either.
            mixed = unknown if head.learns_from == "self_blended" else share
            targets[::2, column] = torch.where(is_mixed, mixed, targets[::2, column])
        return inputs, targets

    def validation_step(
        self, batch: tuple[Tensor, Tensor, Tensor], batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Keep the logits of one batch for the end of the epoch."""
        inputs, _, rows = batch
        self._val_rows[dataloader_idx].append(rows.cpu())
        self._val_logits[dataloader_idx].append(self(inputs).float().cpu())

    def on_validation_epoch_end(self) -> None:
        """Log each loader's loss over crops and AUC over files, and the combined logit's AUC."""
        seen = [self._outputs_of(number) for number in range(len(self.validations))]
        self._val_rows = [[] for _ in self.validations]
        self._val_logits = [[] for _ in self.validations]
        for one in seen:
            self.log_validation(one)
        if len(seen) > 1:
            self._log_auc(COMBINED_AUC, _combined_auc(seen))

    def _outputs_of(self, number: int) -> LoaderOutputs:
        validation = self.validations[number]
        rows, logits = self._gathered(number)
        if not np.isfinite(logits).all():
            raise ModelError(
                f"training diverged in epoch {self.current_epoch}: a logit is not finite",
                hint="Try a lower learning rate.",
            )
        return LoaderOutputs(
            name=validation.name,
            head=[head.name for head in self.heads].index(validation.head),
            logits=logits,
            labels=validation.labels[rows],
            files=validation.files[rows],
        )

    def log_validation(self, seen: LoaderOutputs) -> None:
        """Log the loss over rows and the AUC over files of one validation loader."""
        loss = nn.functional.binary_cross_entropy_with_logits(
            torch.from_numpy(seen.own), torch.from_numpy(seen.labels)
        )
        self.log(f"{seen.name}_loss", loss.float(), prog_bar=True, sync_dist=True)
        self._log_auc(f"{seen.name}_auc", seen.auc(seen.own))

    def _log_auc(self, name: str, auc: float | None) -> None:
        if auc is not None:
            self.log(name, torch.tensor(auc), prog_bar=True, sync_dist=True)

    def _gathered(self, number: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return rows and logits of all processes, each row once."""
        rows = torch.cat(self._val_rows[number])
        logits = torch.cat(self._val_logits[number]).double()
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            parts: list[Any] = [None] * torch.distributed.get_world_size()
            torch.distributed.all_gather_object(parts, (rows, logits))
            rows, logits = (torch.cat([part[i] for part in parts]) for i in (0, 1))
        # A distributed sampler repeats rows until all processes have equally many.
        unique, first = np.unique(rows.numpy(), return_index=True)
        return unique.astype(np.int64), logits.numpy()[first]

    def configure_optimizers(self) -> dict[str, Any]:
        """Return the optimiser and its schedule over all steps of the run."""
        optimizer, config = self._optimizer(), self.config
        if config.schedule == "constant" and not config.warmup_steps:
            return {"optimizer": optimizer}
        total = max(1, int(self.trainer.estimated_stepping_batches))

        def factor(step: int) -> float:
            rise = min(1.0, (step + 1) / max(1, config.warmup_steps))
            return rise * _scheduled(config.schedule, min(1.0, step / total))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def _optimizer(self) -> torch.optim.Optimizer:
        base, rho = self._base_optimizer(), self.config.sharpness_rho
        return SharpnessAware(base, rho=rho) if rho else base

    def _base_optimizer(self) -> torch.optim.Optimizer:
        config = self.config
        trained = [p for p in self.parameters() if p.requires_grad]
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


def _scheduled(schedule: str, share: float) -> float:
    """Return the factor of the learning rate after a share of a run."""
    if schedule == "constant":
        return 1.0
    if schedule in _FALLS_AFTER:
        return min(1.0, (1 - share) / (1 - _FALLS_AFTER[schedule]))
    return _FLOOR + (1 - _FLOOR) * 0.5 * (1 + math.cos(math.pi * share))


def _known_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the mean cross-entropy where the target is known, 0 where it nowhere is."""
    is_known = ~torch.isnan(targets)
    if not is_known.any():
        return logits.sum() * 0.0
    return nn.functional.binary_cross_entropy_with_logits(logits[is_known], targets[is_known])
