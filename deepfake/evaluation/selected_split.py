"""Which split of a corpus a detector is measured on, and what a reader of the numbers must know."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from deepfake.corpora.shards import Snapshot
from deepfake.detectors.bundles import Bundle, load_bundle
from deepfake.detectors.identity import DetectorIdentity
from deepfake.errors import ConfigError

__all__ = ["SelectedSplit", "caveats", "distinct_names", "select_split"]


@dataclass(frozen=True, slots=True)
class SelectedSplit:
    """The files that a detector is measured on.

    Attributes:
        name: `train`, `val`, `test` or `all`.
        index: Their crops.
        outcomes: The files.
        notes: How the split was chosen.
    """

    name: str
    index: pd.DataFrame
    outcomes: pd.DataFrame
    notes: tuple[str, ...] = ()


def select_split(snapshot: Snapshot, split: str) -> SelectedSplit:
    """Return the crops and the files of a split.

    Args:
        snapshot: Of the corpus.
        split: A split, `all`, or `auto`: the test split where there is one, else all.

    Raises:
        ConfigError: The split has no labelled file.
    """
    index, outcomes = snapshot.index(), snapshot.outcomes()
    files_of_split = outcomes.loc[outcomes["label"].notna(), "split"].value_counts()
    notes: tuple[str, ...] = ()
    if split == "auto":
        split = "test" if files_of_split.get("test", 0) else "all"
        chosen = "its test split" if split == "test" else "all of it, since it has no test split"
        notes = (f"--split auto: {chosen}",)
    if split != "all":
        if not files_of_split.get(split, 0):
            known = ", ".join(f"{k} ({v})" for k, v in files_of_split.items()) or "none"
            raise ConfigError(
                f"{snapshot.corpus} has no labelled files in {split!r}; there are: {known}"
            )
        index = index[index["split"] == split]
        outcomes = outcomes[outcomes["split"] == split]
    return SelectedSplit(
        split, index.reset_index(drop=True), outcomes.reset_index(drop=True), notes
    )


def caveats(bundle: Bundle, snapshot: Snapshot, split: str) -> list[str]:
    """Return why the numbers on a split may not be what they seem, a sentence each."""
    return [*_overlap(bundle, snapshot, split), *_other_input(bundle, snapshot)]


def _overlap(bundle: Bundle, snapshot: Snapshot, split: str) -> list[str]:
    known = {**bundle.spec.data_digests, **bundle.spec.calibration_digests}
    if snapshot.corpus not in known or split == "test":
        return []
    sentence = f"the detector was trained and calibrated on splits of {snapshot.corpus}: "
    return [sentence + f"its numbers on {split!r} are no evaluation"]


def _other_input(bundle: Bundle, snapshot: Snapshot) -> list[str]:
    found = snapshot.config
    return [
        f"{snapshot.corpus} was ingested with other {name} than the detector scores with: "
        "its files get other logits here than from `score`"
        for name in ("sampling", "faces")
        if getattr(found, name) != getattr(bundle.spec, name)
    ]


def distinct_names(first: DetectorIdentity, second: DetectorIdentity) -> tuple[str, str]:
    """Return names that distinguish two detectors, also where both have the same name."""
    named = [f"{d.name} {d.version}" if d.version else d.name for d in (first, second)]
    if named[0] != named[1]:
        return named[0], named[1]
    digests = [load_bundle(d.path).digest[:6] for d in (first, second)]
    return f"{named[0]} {digests[0]}", f"{named[1]} {digests[1]}"
