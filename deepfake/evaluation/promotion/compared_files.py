"""The files that champion and challenger are compared on: held-out ones and test splits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from deepfake.corpora.held_out import HeldOutSet, open_held_out_set
from deepfake.corpora.shards import FACES, VOICE, Snapshot
from deepfake.detectors.bundles import Bundle
from deepfake.detectors.open_bundle import AnyBundle
from deepfake.errors import ConfigError
from deepfake.evaluation.predict import check_crops_fit
from deepfake.evaluation.voice.predict import check_windows_fit
from deepfake.storage import DataRoot
from deepfake.types import Label, Split

__all__ = ["ComparedFiles", "files_to_compare"]


@dataclass(frozen=True, slots=True)
class ComparedFiles:
    """Files that both are measured on.

    Attributes:
        name: What they are, for people.
        snapshot: Whose crops, or windows of speech, they are.
        index: The crops or windows.
        outcomes: The files.
        notes: What a reader must know, a sentence each.
        is_held_out: Whether they decide.
    """

    name: str
    snapshot: Snapshot
    index: pd.DataFrame
    outcomes: pd.DataFrame
    notes: tuple[str, ...] = ()
    is_held_out: bool = False


def files_to_compare(
    root: DataRoot,
    snapshots: Sequence[Snapshot],
    *,
    held_out: HeldOutSet | None,
    champion: AnyBundle,
) -> list[ComparedFiles]:
    """Return what both will be measured on; that they can be is found out before training.

    Args:
        root: The data root.
        snapshots: What the challenger learns from.
        held_out: The held-out set that decides; None for none.
        champion: Who is challenged.

    Raises:
        ConfigError: Crops or windows of speech were made otherwise than those that the champion
            scores, or files are of the other modality.
        DataError: Nothing is left of the held-out set.
    """
    compared = []
    if held_out is not None:
        found = open_held_out_set(root, held_out)
        notes = list(found.notes)
        learnt = {**champion.spec.data_digests, **champion.spec.calibration_digests}
        if held_out.split == "all" and held_out.corpus in learnt:
            notes.append(f"the champion learnt from {held_out.corpus}: it is favoured here")
        name = f"held-out set {held_out.name}"
        compared.append(
            ComparedFiles(name, found.snapshot, found.index, found.outcomes, tuple(notes), True)
        )
    for snapshot in snapshots:
        index, outcomes = snapshot.index(), snapshot.outcomes()
        index = index[index["split"] == str(Split.TEST)].reset_index(drop=True)
        outcomes = outcomes[outcomes["split"] == str(Split.TEST)].reset_index(drop=True)
        if set(index["label"].dropna()) == {str(label) for label in Label}:
            compared.append(ComparedFiles(f"{snapshot.corpus}, test", snapshot, index, outcomes))
    for files in compared:
        _check_fit(files, champion)
    return compared


def _check_fit(files: ComparedFiles, champion: AnyBundle) -> None:
    wanted = FACES if isinstance(champion, Bundle) else VOICE
    found = files.snapshot.kind
    if found != wanted:
        raise ConfigError(
            f"{files.name} was ingested for {found}, and the champion is a detector of {wanted}",
            hint=f"Retrain with --modality {found}, or name files for {wanted}.",
        )
    if isinstance(champion, Bundle):
        check_crops_fit(files.snapshot, champion.spec.crop, role="champion")
    else:
        check_windows_fit(files.snapshot, champion.spec.speech, role="champion")
