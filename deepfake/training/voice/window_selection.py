"""Select the windows of speech that train, choose the checkpoint and calibrate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from deepfake.config import SpeechConfig
from deepfake.corpora.shards import Snapshot
from deepfake.corpora.splits import halve_by_group
from deepfake.errors import ConfigError, DataError
from deepfake.training.crop_selection import check_leaks, groups_of
from deepfake.training.data import collect_crops, labels_of
from deepfake.types import Label, Split

__all__ = ["WindowSelection", "select_windows", "shared_speech_config"]


@dataclass(frozen=True, slots=True)
class WindowSelection:
    """The labelled windows of a run; no group is in two of the tables.

    Attributes:
        train: Windows that the network learns from.
        choose: The half of `val` that chooses the checkpoint; may be empty.
        calibrate: The half of `val` that fits temperature and thresholds; may be empty.
        speech: The settings that all of them were cut with.
    """

    train: pd.DataFrame
    choose: pd.DataFrame
    calibrate: pd.DataFrame
    speech: SpeechConfig


def select_windows(snapshots: Sequence[Snapshot], *, needs_fakes: bool = True) -> WindowSelection:
    """Return the windows to train on, to choose with and to calibrate with.

    Args:
        snapshots: One a corpus, cut with the same settings.
        needs_fakes: Whether `train` has to have labelled fakes; copies of reals need none.

    Raises:
        ConfigError: No snapshot, one twice, or they were cut with different settings.
        SplitLeakageError: A group or a medium stands in two splits.
        DataError: `train` lacks a class that is needed.
    """
    speech = shared_speech_config(snapshots)
    windows = collect_crops(snapshots)
    windows = windows.assign(split_group=groups_of(windows))
    check_leaks(windows)
    labelled = windows[~np.isnan(labels_of(windows))]
    train, val = (
        labelled[labelled["split"] == str(split)].reset_index(drop=True)
        for split in (Split.TRAIN, Split.VAL)
    )
    _check_classes(train, needs_fakes=needs_fakes)
    is_choosing = halve_by_group(val["split_group"].tolist())
    return WindowSelection(
        train=train,
        choose=val[is_choosing].reset_index(drop=True),
        calibrate=val[~is_choosing].reset_index(drop=True),
        speech=speech,
    )


def shared_speech_config(snapshots: Sequence[Snapshot]) -> SpeechConfig:
    """Return the one way in which the windows of all snapshots were cut.

    Raises:
        ConfigError: No snapshot, a corpus twice, or two were cut with different settings.
        ShardError: A snapshot holds no speech.
    """
    if not snapshots:
        raise ConfigError("training needs at least one snapshot")
    names = [s.corpus for s in snapshots]
    if len(set(names)) < len(names):
        raise ConfigError(f"a corpus is named twice: {names}")
    first = snapshots[0].speech_config.speech
    for other in snapshots[1:]:
        if other.speech_config.speech != first:
            raise ConfigError(
                f"the speech of {names[0]} and {other.corpus} was cut with different settings",
                hint="Ingest one of them again with the settings of the other.",
            )
    return first


def _check_classes(train: pd.DataFrame, *, needs_fakes: bool) -> None:
    wanted = {str(Label.REAL), *({str(Label.FAKE)} if needs_fakes else ())}
    if not wanted <= set(train["label"]):
        counts = train["label"].value_counts().to_dict() or "none"
        raise DataError(
            f"training needs speech that is {' and '.join(sorted(wanted))} in the split `train`, "
            f"got {counts}",
            hint="Ingest a corpus with the labels real and fake, and split it; with reals alone, "
            "set copy_share = 1 in the recipe.",
        )
