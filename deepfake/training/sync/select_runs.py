"""Select the runs of mouths that train, choose the checkpoint and calibrate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from deepfake.config import SyncExtractConfig, SyncTrainConfig
from deepfake.corpora.shards import Snapshot
from deepfake.corpora.splits import halve_by_group
from deepfake.detectors.sync.windows import NUM_MOUTHS
from deepfake.errors import ConfigError, DataError
from deepfake.training.crop_selection import check_leaks, groups_of
from deepfake.training.data import collect_crops
from deepfake.types import Label, Split

__all__ = ["RunSelection", "select_runs", "shared_sync_config"]


@dataclass(frozen=True, slots=True)
class RunSelection:
    """The real runs of a training; no group is in both tables.

    Attributes:
        train: Runs that the networks learn from.
        choose: Those of the half of `val` that chooses the checkpoint; may be empty.
        config: The settings that all of them were cut with.
    """

    train: pd.DataFrame
    choose: pd.DataFrame
    config: SyncExtractConfig


def select_runs(snapshots: Sequence[Snapshot], *, config: SyncTrainConfig) -> RunSelection:
    """Return the real runs to train on and to choose with; shorter ones are left out.

    Raises:
        ConfigError: No snapshot, one twice, or they were cut with different settings.
        SplitLeakageError: A group or a medium stands in two splits.
        DataError: `train` has fewer real runs than two.
    """
    shared = shared_sync_config(snapshots)
    runs = collect_crops(snapshots)
    runs = runs.assign(split_group=groups_of(runs))
    check_leaks(runs)
    is_long = runs["num_mouths"].astype(int) >= _shortest(config)
    real = runs[(runs["label"] == str(Label.REAL)) & is_long]
    train, val = (
        real[real["split"] == str(split)].reset_index(drop=True)
        for split in (Split.TRAIN, Split.VAL)
    )
    if len(train) < 2:
        raise DataError(
            f"training needs real runs in the split `train`, got {len(train)} of "
            f"{_shortest(config)} mouths or more",
            hint="Ingest a corpus with --modality sync and the label real, and split it.",
        )
    is_choosing = halve_by_group(val["split_group"].tolist())
    return RunSelection(train, val[is_choosing].reset_index(drop=True), shared)


def _shortest(config: SyncTrainConfig) -> int:
    """Return how many mouths a run needs for its windows, however fast it is played."""
    needed = NUM_MOUTHS + (config.windows_per_run - 1) * config.min_gap_frames
    return int(needed * config.speed[1]) + 2


def shared_sync_config(snapshots: Sequence[Snapshot]) -> SyncExtractConfig:
    """Return the one way in which the runs of all snapshots were cut.

    Raises:
        ConfigError: No snapshot, a corpus twice, or two were cut with different settings.
        ShardError: A snapshot holds no runs of mouths.
    """
    if not snapshots:
        raise ConfigError("training needs at least one snapshot")
    names = [s.corpus for s in snapshots]
    if len(set(names)) < len(names):
        raise ConfigError(f"a corpus is named twice: {names}")
    first, *others = (snapshot.sync_config for snapshot in snapshots)
    for name, other in zip(names[1:], others, strict=True):
        if other.run_settings != first.run_settings:
            raise ConfigError(
                f"the mouths of {names[0]} and {name} were cut with different settings",
                hint="Ingest one of them again with the settings of the other.",
            )
    return first
