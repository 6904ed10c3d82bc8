"""Plan a training on lips and sound: check its options, select its runs, create its networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch

from deepfake.config import SyncTrainConfig
from deepfake.corpora.held_out import reject_held_out_media
from deepfake.corpora.shards import Snapshot
from deepfake.detectors.sync.torch_networks import load_sync_module
from deepfake.detectors.sync.towers import SyncNetwork, create_sync_network
from deepfake.detectors.sync_bundle import load_sync_bundle, packaged_sync_detector
from deepfake.errors import ConfigError
from deepfake.storage import write_json
from deepfake.training.lightning_warnings import quiet_lightning
from deepfake.training.run_folder import RunFolder, check_resumable, describe_run
from deepfake.training.sync.select_runs import RunSelection, select_runs

__all__ = ["SyncPlan", "plan_sync_run"]


@dataclass(frozen=True, slots=True)
class SyncPlan:
    """A checked training on lips and sound: its options, runs, networks and folder.

    Attributes:
        name: The detector's name.
        config: The recipe.
        snapshots: One a corpus.
        selection: Runs to train on and to choose with.
        network: Both networks.
        pretrained_source: Where their weights come from, `scratch` for nowhere.
        folder: Where the run's files lie.
        device: Where it computes.
        num_workers: Processes that decode.
    """

    name: str
    config: SyncTrainConfig
    snapshots: tuple[Snapshot, ...]
    selection: RunSelection
    network: SyncNetwork
    pretrained_source: str
    folder: RunFolder
    device: torch.device
    num_workers: int

    @property
    def is_validated(self) -> bool:
        """Whether the choosing half of `val` has runs; else the last epoch is kept."""
        return len(self.selection.choose) > 0


def plan_sync_run(
    snapshots: Sequence[Snapshot],
    *,
    config: SyncTrainConfig,
    folder: RunFolder,
    name: str,
    device: torch.device,
    num_workers: int | None,
    resume: bool,
) -> SyncPlan:
    """Check everything that can be wrong, then write the run's `config.json`.

    Args:
        snapshots: One a corpus, cut with the same settings.
        config: The recipe.
        folder: The run's folder.
        name: The detector's name.
        device: Where training computes.
        num_workers: Processes that decode and augment; None for 1 on the CPU and 8 on CUDA.
        resume: Continue the run in `folder`.

    Raises:
        ConfigError: Snapshots or options contradict each other, or the run cannot be resumed.
        BundleError: What training begins with is not a detector of lips against sound.
        DataError: `train` lacks real runs.
        SplitLeakageError: A group or a medium stands in two splits, or is held out.
    """
    reject_held_out_media(snapshots)
    selection = select_runs(snapshots, config=config)
    kept = check_resumable(folder, config=config, snapshots=snapshots, resume=resume)
    with quiet_lightning():
        pl.seed_everything(config.seed, workers=True, verbose=False)
    network, source = _create_network(config, kept=kept)
    default_workers = 1 if device.type == "cpu" else 8
    plan = SyncPlan(
        name=name,
        config=config,
        snapshots=tuple(snapshots),
        selection=selection,
        network=network,
        pretrained_source=source,
        folder=folder,
        device=device,
        num_workers=default_workers if num_workers is None else num_workers,
    )
    description = describe_run(
        name, config=config, snapshots=snapshots, pretrained_source=source, device=str(device)
    )
    write_json(folder.config, description)
    return plan


def _create_network(
    config: SyncTrainConfig, *, kept: dict[str, Any] | None
) -> tuple[SyncNetwork, str]:
    """Return the networks, and where their weights come from.

    Args:
        config: The recipe.
        kept: The `config.json` of the run that is resumed; its weights come from a checkpoint.
    """
    if kept is not None:
        return create_sync_network(), str(kept["pretrained_source"])
    if config.pretrained == "none":
        return create_sync_network(), "scratch"
    packaged = packaged_sync_detector() if config.pretrained == "packaged" else None
    folder = Path(config.pretrained) if packaged is None else packaged
    if not folder.is_dir():
        raise ConfigError(
            f"no detector of lips against sound to begin with: {config.pretrained!r}",
            hint="Name none, packaged, or the folder of such a detector.",
        )
    detector = load_sync_bundle(folder)
    source = f"detector {detector.spec.name} ({detector.digest})"
    # Lightning trains modules in the mode that they are in.
    return load_sync_module(detector).train(), source
