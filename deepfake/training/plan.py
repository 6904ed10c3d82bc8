"""Plan a training run: check its options, select its crops, create its network."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import lightning.pytorch as pl
import torch

from deepfake.compute.devices import check_training_precision
from deepfake.config import CropConfig, TrainConfig, TrainMethod, heads_of
from deepfake.corpora.held_out import reject_held_out_media
from deepfake.corpora.shards import Snapshot
from deepfake.detectors.bundles import Bundle, load_bundle, packaged_detector
from deepfake.detectors.inference.torch_networks import load_module
from deepfake.detectors.models import (
    CreatedModel,
    JointNetwork,
    create_model,
    freeze_stages,
    load_weights,
)
from deepfake.errors import ConfigError
from deepfake.extract.options import ingest_options_of
from deepfake.storage import write_json
from deepfake.training.boundary_map import MapFeatures, find_map_features
from deepfake.training.crop_selection import (
    Selection,
    has_both_classes,
    select_crops,
    shared_config,
)
from deepfake.training.data import InputSpec
from deepfake.training.lightning_module import COMBINED_AUC
from deepfake.training.lightning_warnings import quiet_lightning
from deepfake.training.run_folder import RunFolder, check_resumable, describe_run

__all__ = ["RunPlan", "plan_run"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RunPlan:
    """A checked training run: its options, crops, network and folder.

    Attributes:
        name: The detector's name.
        config: The recipe.
        snapshots: One a corpus.
        selection: Crops to train on, choose with and calibrate with.
        created: The network.
        folder: Where the run's files lie.
        device: Where it computes.
        num_workers: Processes that decode.
        map_features: What the blending boundary is predicted from; None to predict none.
    """

    name: str
    config: TrainConfig
    snapshots: tuple[Snapshot, ...]
    selection: Selection
    created: CreatedModel
    folder: RunFolder
    device: torch.device
    num_workers: int
    map_features: MapFeatures | None = None

    @property
    def crop(self) -> CropConfig:
        """Settings of the crops that the detector takes; those learnt from may be wider."""
        stored = self.selection.config.crop
        return stored if self.config.view is None else self.config.view.crop_of(stored)

    @property
    def validates_by(self) -> tuple[Literal["labels", "blends"], ...]:
        """What an epoch is validated on: labelled files, self-blended reals, both, or nothing."""
        has_labels = has_both_classes(self.selection.choose)
        has_blends = len(self.selection.blendable) > 0
        both: tuple[tuple[Literal["labels", "blends"], bool], ...] = (
            ("labels", has_labels),
            ("blends", has_blends),
        )
        return tuple(name for name, is_there in both if is_there)

    @property
    def choosing_metric(self) -> str | None:
        """Name of the AUC that chooses the epoch; None where the last is kept.

        That of self-blended pairs has a name of its own.
        """
        if self.config.checkpoint == "last" or not self.validates_by:
            return None
        if len(self.validates_by) > 1:
            return COMBINED_AUC
        return {"labels": "val_auc", "blends": "val_blends_auc"}[self.validates_by[0]]

    @property
    def input_spec(self) -> InputSpec:
        """The network's input."""
        created = self.created
        return InputSpec(input_size=created.input_size, mean=created.mean, std=created.std)


def plan_run(
    snapshots: Sequence[Snapshot],
    *,
    config: TrainConfig,
    folder: RunFolder,
    name: str,
    device: torch.device,
    num_workers: int | None,
    resume: bool,
) -> RunPlan:
    """Check everything that can be wrong, then write the run's `config.json`.

    Args:
        snapshots: One a corpus, extracted with the same settings.
        config: The recipe.
        folder: The run's folder.
        name: The detector's name.
        device: Where training computes.
        num_workers: Processes that decode; None for 1 on the CPU and 4 on CUDA.
        resume: Continue the run in `folder`.

    Raises:
        ConfigError: Snapshots or options contradict each other, or the run cannot be resumed.
        DataError: `train` lacks a class that the method needs.
        SplitLeakageError: A group or a medium stands in two splits, or is held out.
        ModelError: The model is unknown, or demanded weights are out of reach.
    """
    reject_held_out_media(snapshots)
    check_training_precision(config.precision, device=device.type)
    _check_crops_show_view(shared_config(snapshots).crop, config=config)
    selection = select_crops(
        snapshots, method=config.method, max_files=config.max_files, seed=config.seed
    )
    kept = check_resumable(folder, config=config, snapshots=snapshots, resume=resume)
    with quiet_lightning():
        pl.seed_everything(config.seed, workers=True, verbose=False)
    created = _create_network(config, kept=kept if folder.last_checkpoint.is_file() else None)
    size = created.input_size
    features = find_map_features(created.module, input_size=size) if config.map_weight else None
    plan = RunPlan(
        name=name,
        config=config,
        snapshots=tuple(snapshots),
        selection=selection,
        created=created,
        folder=folder,
        device=device,
        num_workers=_default_workers(device) if num_workers is None else num_workers,
        map_features=features,
    )
    description = describe_run(
        name,
        config=config,
        snapshots=snapshots,
        pretrained_source=created.pretrained_source,
        device=str(device),
    )
    write_json(folder.config, description)
    return plan


def _check_crops_show_view(stored: CropConfig, *, config: TrainConfig) -> None:
    view = config.view
    if view is not None and stored.margin < view.needed_margin:
        wanted = stored.model_copy(update={"margin": view.needed_margin})
        raise ConfigError(
            f"the crops were stored with the margin {stored.margin:g}, and `view` shows squares of "
            f"up to {view.needed_margin:g}",
            hint=f"Ingest the corpus for training with {ingest_options_of(wanted)}.",
        )
    if stored.edge == "mirror":
        logger.warning(
            "the crops were ingested with --edge mirror: a face that fills its picture is seen "
            "nearly twice; ingest with --edge inside"
        )


def _default_workers(device: torch.device) -> int:
    return 1 if device.type == "cpu" else 4


def _create_network(config: TrainConfig, *, kept: dict[str, Any] | None) -> CreatedModel:
    # The weights of a resumed run come from its checkpoint; where they once started is on record.
    detector = _starting_detector(config) if kept is None else None
    created = create_model(
        config.model,
        pretrained=config.pretrained if kept is None and detector is None else "none",
        input_size=config.input_size,
        num_heads=len(heads_of(config.method)),
    )
    if detector is not None:
        created = load_weights(
            created,
            _starting_state(detector, method=config.method),
            source=f"detector {detector.spec.name} ({detector.digest})",
            path=detector.path,
        )
    freeze_stages(created.module, config.frozen_stages)
    if kept is None:
        return created
    return replace(created, pretrained_source=str(kept["pretrained_source"]))


def _starting_state(detector: Bundle, *, method: TrainMethod) -> dict[str, torch.Tensor]:
    """Return the weights of a detector's network.

    Of a joint detector these are the weights of the network that was trained by the method, or by
    one that learns both kinds of fakes, or of its first one where none was.
    """
    network = load_module(detector).network
    if not isinstance(network, JointNetwork):
        return network.state_dict()
    methods = [one.train_config.method for one in detector.spec.joined]
    likely = (name for name in (method, "two_headed", "mixed") if name in methods)
    number = methods.index(next(likely, methods[0]))
    return network.networks[number].state_dict()


def _starting_detector(config: TrainConfig) -> Bundle | None:
    packaged = packaged_detector() if config.pretrained == "packaged" else None
    if packaged is not None:
        return load_bundle(packaged)
    path = Path(config.pretrained)
    return load_bundle(path) if path.is_dir() else None
