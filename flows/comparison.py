"""A champion and a challenger on the same files: the benchmark's, and the new data's test parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from deepfake.corpora.held_out import HeldOutSet, open_held_out_set
from deepfake.corpora.shards import Snapshot
from deepfake.detectors.bundles import Bundle
from deepfake.errors import ConfigError
from deepfake.evaluation.promotion import CostComparison, Evidence, MeasuredPair, measure_pair
from deepfake.storage import DataRoot
from deepfake.types import Label, Split
from tasks import evaluate as evaluating
from tasks import retrain as steps

__all__ = ["ComparedFiles", "files_to_compare", "gather_evidence"]


@dataclass(frozen=True, slots=True)
class ComparedFiles:
    """Files that both are measured on.

    Attributes:
        name: What they are, for people.
        snapshot: Whose crops they are.
        index: The crops.
        outcomes: The files.
        notes: What a reader must know, a sentence each.
        is_benchmark: Whether they decide.
    """

    name: str
    snapshot: Snapshot
    index: pd.DataFrame
    outcomes: pd.DataFrame
    notes: tuple[str, ...] = ()
    is_benchmark: bool = False


def files_to_compare(
    root: DataRoot,
    snapshots: Sequence[Snapshot],
    *,
    benchmark: HeldOutSet | None,
    champion: Bundle,
) -> list[ComparedFiles]:
    """Return what both will be measured on; that they can be is found out before training.

    Args:
        root: The data root.
        snapshots: What the challenger learns from.
        benchmark: The frozen benchmark; None for none.
        champion: Who is challenged.

    Raises:
        ConfigError: Crops were made otherwise than those that the champion scores.
        DataError: Nothing is left of the benchmark.
    """
    parts = []
    if benchmark is not None:
        found = open_held_out_set(root, benchmark)
        notes = list(found.notes)
        learnt = {**champion.spec.data_digests, **champion.spec.calibration_digests}
        if benchmark.split == "all" and benchmark.corpus in learnt:
            notes.append(f"the champion learnt from {benchmark.corpus}: it is favoured here")
        name = f"benchmark {benchmark.name}"
        parts.append(
            ComparedFiles(name, found.snapshot, found.index, found.outcomes, tuple(notes), True)
        )
    for snapshot in snapshots:
        index, outcomes = snapshot.index(), snapshot.outcomes()
        index = index[index["split"] == str(Split.TEST)].reset_index(drop=True)
        outcomes = outcomes[outcomes["split"] == str(Split.TEST)].reset_index(drop=True)
        if set(index["label"].dropna()) == {str(label) for label in Label}:
            parts.append(ComparedFiles(f"{snapshot.corpus}, test", snapshot, index, outcomes))
    for part in parts:
        _check_crops(champion, part.snapshot)
    return parts


def _check_crops(champion: Bundle, snapshot: Snapshot) -> None:
    wanted, found = champion.spec.crop, snapshot.config.crop
    if wanted != found:
        raise ConfigError(
            f"the crops of {snapshot.corpus} were made with {found}, the champion takes {wanted}: "
            "the two cannot be compared on them",
            hint=f"Ingest it with --face-size {wanted.size} --margin {wanted.margin:g} "
            f"--codec {wanted.codec}.",
        )


def gather_evidence(
    champion: Bundle,
    challenger: Bundle,
    parts: Sequence[ComparedFiles],
    *,
    device: str,
    root: DataRoot,
) -> Evidence:
    pairs = [
        (part, _measure_part(champion, challenger, part, device=device, cache=root.engine_cache))
        for part in parts
    ]
    return Evidence(
        benchmark=next((pair for part, pair in pairs if part.is_benchmark), None),
        tests=tuple(pair for part, pair in pairs if not part.is_benchmark),
        cost=_cost(champion, challenger, parts, device=device, cache=root.engine_cache),
        notes=tuple(f"{part.name}: {note}" for part in parts for note in part.notes),
    )


def _measure_part(
    champion: Bundle, challenger: Bundle, part: ComparedFiles, *, device: str, cache: Path
) -> MeasuredPair:
    seed = challenger.spec.seed
    results = []
    for bundle in (champion, challenger):
        crops = evaluating.predict(
            bundle.path, part.snapshot, part.index, device=device, precision="f32", cache=cache
        )
        results.append(evaluating.measure(bundle.path, crops, part.outcomes, seed=seed))
    return measure_pair(part.name, results[0], results[1], seed=seed)


def _cost(
    champion: Bundle,
    challenger: Bundle,
    parts: Sequence[ComparedFiles],
    *,
    device: str,
    cache: Path,
) -> CostComparison | None:
    if not parts:
        return None
    part = parts[0]
    found: CostComparison | None = steps.measure_cost(
        champion.path, challenger.path, part.snapshot, part.index, device=device, cache=cache
    )
    return found
