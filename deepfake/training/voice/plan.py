"""Plan a training on voices: check its options, select its windows, create its network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch

from deepfake.config import VoiceTrainConfig
from deepfake.corpora.held_out import reject_held_out_media
from deepfake.corpora.shards import Snapshot
from deepfake.detectors.voice.create import VoiceNetwork, create_voice_network
from deepfake.detectors.voice.torch_networks import load_voice_module
from deepfake.detectors.voice_bundle import (
    VoiceBundle,
    load_voice_bundle,
    packaged_voice_detector,
)
from deepfake.errors import ConfigError
from deepfake.storage import write_json
from deepfake.training.crop_selection import has_both_classes
from deepfake.training.lightning_warnings import quiet_lightning
from deepfake.training.run_folder import RunFolder, check_resumable, describe_run
from deepfake.training.voice.copy_synthesis import reject_unavailable_copies
from deepfake.training.voice.window_selection import WindowSelection, select_windows

__all__ = ["VoicePlan", "plan_voice_run"]


@dataclass(frozen=True, slots=True)
class VoicePlan:
    """A checked training on voices: its options, windows, network and folder.

    Attributes:
        name: The detector's name.
        config: The recipe.
        snapshots: One a corpus.
        selection: Windows to train on, choose with and calibrate with.
        network: The network.
        pretrained_source: Where its weights come from, `scratch` for nowhere.
        folder: Where the run's files lie.
        device: Where it computes.
        num_workers: Processes that decode.
    """

    name: str
    config: VoiceTrainConfig
    snapshots: tuple[Snapshot, ...]
    selection: WindowSelection
    network: VoiceNetwork
    pretrained_source: str
    folder: RunFolder
    device: torch.device
    num_workers: int

    @property
    def is_validated(self) -> bool:
        """Whether the choosing half of `val` has both classes; else the last epoch is kept."""
        return has_both_classes(self.selection.choose)


def plan_voice_run(
    snapshots: Sequence[Snapshot],
    *,
    config: VoiceTrainConfig,
    folder: RunFolder,
    name: str,
    device: torch.device,
    num_workers: int | None,
    resume: bool,
) -> VoicePlan:
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
        BundleError: What training begins with is not a detector of voices.
        DataError: `train` lacks a class that is needed.
        SplitLeakageError: A group or a medium stands in two splits, or is held out.
        UnknownModelError: There is no such architecture.
    """
    reject_unavailable_copies(config.copy_kinds)
    reject_held_out_media(snapshots)
    selection = select_windows(snapshots, needs_fakes=config.copy_share < 1)
    kept = check_resumable(folder, config=config, snapshots=snapshots, resume=resume)
    with quiet_lightning():
        pl.seed_everything(config.seed, workers=True, verbose=False)
    network, source = _create_network(config, kept=kept)
    default_workers = 1 if device.type == "cpu" else 8
    plan = VoicePlan(
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
    config: VoiceTrainConfig, *, kept: dict[str, Any] | None
) -> tuple[VoiceNetwork, str]:
    """Return the network, and where its weights come from.

    Args:
        config: The recipe.
        kept: The `config.json` of the run that is resumed; its weights come from a checkpoint.
    """
    if kept is not None:
        return create_voice_network(config.architecture), str(kept["pretrained_source"])
    detector = _starting_detector(config)
    if detector is None:
        return create_voice_network(config.architecture), "scratch"
    if detector.spec.architecture != config.architecture:
        raise ConfigError(
            f"the network {config.architecture} cannot begin with the weights of "
            f"{detector.spec.name}, a {detector.spec.architecture}",
            hint="Begin with new weights: --pretrained none, for `retrain` --start scratch.",
        )
    source = f"detector {detector.spec.name} ({detector.digest})"
    # Lightning trains modules in the mode that they are in.
    return load_voice_module(detector).network.train(), source


def _starting_detector(config: VoiceTrainConfig) -> VoiceBundle | None:
    if config.pretrained == "none":
        return None
    packaged = packaged_voice_detector() if config.pretrained == "packaged" else None
    folder = Path(config.pretrained) if packaged is None else packaged
    if not folder.is_dir():
        raise ConfigError(
            f"no detector of voices to begin with: {config.pretrained!r}",
            hint="Name none, packaged, or the folder of a detector of voices.",
        )
    return load_voice_bundle(folder)
