"""Select the crops that train, choose the checkpoint and calibrate; refuse leaks between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from deepfake.config import CropConfig, ExtractConfig, TrainMethod
from deepfake.corpora.shards import Snapshot
from deepfake.corpora.splits import halve_by_group
from deepfake.errors import ConfigError, DataError, SplitLeakageError
from deepfake.training.data import collect_crops, has_usable_landmarks, labels_of
from deepfake.types import Label, Split

__all__ = [
    "Selection",
    "check_leaks",
    "groups_of",
    "has_both_classes",
    "select_crops",
    "shared_config",
]


@dataclass(frozen=True, slots=True)
class Selection:
    """The labelled crops of a run; no group is in two of the tables.

    Attributes:
        train: Crops that the network learns from; both classes, or reals alone for `sbi`.
        choose: The half of `val` that chooses the checkpoint; may be empty.
        calibrate: The half of `val` that fits temperature and thresholds; may be empty.
        config: The settings that all of them were extracted with.
        blendable: Reals of `choose` whose self-blended pairs choose the checkpoint in its stead;
            empty where `choose` has both classes, or the method blends nothing.
        notes: What was left out of `train` and why, a sentence each.
    """

    train: pd.DataFrame
    choose: pd.DataFrame
    calibrate: pd.DataFrame
    config: ExtractConfig
    blendable: pd.DataFrame
    notes: tuple[str, ...]


def select_crops(
    snapshots: Sequence[Snapshot],
    *,
    method: TrainMethod = "labels",
    max_files: int | None = None,
    seed: int = 0,
) -> Selection:
    """Return the crops to train on, to choose with and to calibrate with.

    Args:
        snapshots: One a corpus, extracted with the same settings.
        method: What fakes are learnt from; it decides what `train` needs.
        max_files: Files that are learnt from, at most, in equal shares of both classes.
        seed: Of the choice of these.

    Raises:
        ConfigError: No snapshot, one twice, or they were extracted with different settings.
        SplitLeakageError: A group or a medium stands in two splits.
        DataError: `train` lacks a class that the method needs.
    """
    config = shared_config(snapshots)
    crops = collect_crops(snapshots)
    crops = crops.assign(split_group=groups_of(crops))
    check_leaks(crops)
    labelled = crops[~np.isnan(labels_of(crops))]
    parts = {split: labelled[labelled["split"] == str(split)] for split in Split}
    train, val = (parts[split].reset_index(drop=True) for split in (Split.TRAIN, Split.VAL))
    train, bystanders = _without_bystanders(_some_files(train, max_files=max_files, seed=seed))
    learned, notes = _learned(train, method=method, crop=config.crop)
    notes = (*bystanders, *notes)
    is_choosing = halve_by_group(val["split_group"].tolist())
    choose = val[is_choosing].reset_index(drop=True)
    return Selection(
        train=learned,
        choose=choose,
        calibrate=val[~is_choosing].reset_index(drop=True),
        config=config,
        blendable=_blendable(choose, method=method, crop=config.crop),
        notes=notes,
    )


def _some_files(train: pd.DataFrame, *, max_files: int | None, seed: int) -> pd.DataFrame:
    if max_files is None:
        return train
    files = train[["corpus", "uri", "label"]].drop_duplicates(["corpus", "uri"])
    kept = pd.concat(
        rows.sample(n=min(len(rows), max_files // 2), random_state=seed)
        for _, rows in files.groupby("label", sort=True)
    )
    return train.merge(kept[["corpus", "uri"]], on=["corpus", "uri"]).reset_index(drop=True)


def _without_bystanders(train: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Keep only the largest face of each fake, as the others may be real."""
    keys = ["corpus", "uri"]
    tracks = train.groupby([*keys, "track_id"])["face_px"].transform("median")
    largest = tracks.groupby([train[key] for key in keys]).transform("max")
    is_bystander = ((train["label"] == str(Label.FAKE)) & (tracks < largest)).to_numpy()
    count = int(is_bystander.sum())
    note = (
        "Where a fake shows several people only the largest face was learnt from, since the others "
        f"may be real (face crops left out of the training split: {count:,})."
    )
    return train[~is_bystander].reset_index(drop=True), (note,) if count else ()


def _learned(
    train: pd.DataFrame, *, method: TrainMethod, crop: CropConfig
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return the crops of `train` that a method learns from, and notes on those left out."""
    if method == "labels":
        _check_classes(train, needs_fakes=True)
        return train, ()
    is_real = (train["label"] == str(Label.REAL)).to_numpy()
    is_usable = ~is_real
    is_usable[is_real] = has_usable_landmarks(train[is_real], crop=crop)
    wanted = is_usable & is_real if method == "sbi" else is_usable
    learned = train[wanted].reset_index(drop=True)
    _check_classes(learned, needs_fakes=method != "sbi")
    lost = int((~is_usable).sum())
    note = (
        "Real faces on which eyes, nose and mouth could not be placed were not learnt from "
        f"(face crops left out of the training split: {lost:,})."
    )
    return learned, (note,) if lost else ()


def _blendable(choose: pd.DataFrame, *, method: TrainMethod, crop: CropConfig) -> pd.DataFrame:
    # Labelled fakes choose better than blends made like those trained on. But they cannot judge a
    # head that learns from blends alone.
    if method == "labels" or (method != "two_headed" and has_both_classes(choose)):
        return choose[:0]
    reals = choose[choose["label"] == str(Label.REAL)]
    return reals[has_usable_landmarks(reals, crop=crop)].reset_index(drop=True)


def _check_classes(crops: pd.DataFrame, *, needs_fakes: bool) -> None:
    if has_both_classes(crops) or (not needs_fakes and len(crops)):
        return
    counts = crops["label"].value_counts().to_dict() or "none"
    if not needs_fakes:
        raise DataError(
            "training on self-blended reals needs reals with landmarks in the split `train`, "
            "and there are none",
            hint="Ingest a corpus with the label real, and split it.",
        )
    raise DataError(
        f"training needs crops of both classes in the split `train`, got {counts}",
        hint="Ingest a corpus with the labels real and fake, and split it; with reals alone, train "
        "by `--method sbi`.",
    )


def shared_config(snapshots: Sequence[Snapshot]) -> ExtractConfig:
    """Return the one extraction configuration of all snapshots.

    Raises:
        ConfigError: No snapshot, a corpus twice, or two differ in sampling, faces or crops.
    """
    if not snapshots:
        raise ConfigError("training needs at least one snapshot")
    names = [s.corpus for s in snapshots]
    if len(set(names)) < len(names):
        raise ConfigError(f"a corpus is named twice: {names}")
    first = snapshots[0].config
    for other in snapshots[1:]:
        for part in ("sampling", "faces", "crop"):
            if getattr(other.config, part) != getattr(first, part):
                raise ConfigError(
                    f"{snapshots[0].corpus} and {other.corpus} were ingested with different "
                    f"settings of {part!r}",
                    hint="Ingest one of them again with the settings of the other.",
                )
    return first


def has_both_classes(crops: pd.DataFrame) -> bool:
    """Return whether reals and fakes are among the crops."""
    return {"real", "fake"} <= set(crops["label"].dropna())


def groups_of(crops: pd.DataFrame) -> pd.Series[str]:
    """Return the group of each row of an index; a medium without one is a group of its own."""
    return crops["group"].where(crops["group"].notna(), "media:" + crops["media_id"].astype(str))


def check_leaks(crops: pd.DataFrame) -> None:
    """Reject rows of which a medium or a group stands in two splits.

    Args:
        crops: Of an index, with `split_group` from `groups_of`.

    Raises:
        SplitLeakageError: There is such a medium or group.
    """
    placed = crops[crops["split"].notna()]
    for column, what in (("media_id", "medium"), ("split_group", "group")):
        pairs = placed[[column, "split"]].drop_duplicates()
        doubled = pairs[pairs.duplicated(column, keep=False)]
        if doubled.empty:
            continue
        name = str(doubled[column].iloc[0])
        splits = sorted(doubled.loc[doubled[column] == name, "split"])
        uris = placed.loc[placed[column] == name].drop_duplicates("split")["uri"].tolist()
        raise SplitLeakageError(
            f"the {what} {name!r} stands in {' and '.join(splits)}: {' and '.join(uris[:2])}"
        )
