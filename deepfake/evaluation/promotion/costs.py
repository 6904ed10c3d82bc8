"""Compare what two detectors cost a face, measured side by side."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deepfake.corpora.shards import Snapshot
from deepfake.detectors.inference import Detector, load_detector
from deepfake.errors import DataError
from deepfake.media import decode_crop

__all__ = ["CostComparison", "compare_costs", "measure_bundle_costs"]

_ROUNDS = 7
_FACES = 64


@dataclass(frozen=True, slots=True)
class CostComparison:
    """Two detectors on the same crops, in turns.

    Attributes:
        first_ms: Milliseconds a face of the one, the median of rounds.
        second_ms: The same of the other.
        ratio: Second over first, the median of the rounds' ratios.
        clock: `cpu` for time of all threads, `wall` on CUDA.
        num_faces: Faces of a round.
        rounds: Rounds.
    """

    first_ms: float
    second_ms: float
    ratio: float
    clock: str
    num_faces: int
    rounds: int


def compare_costs(
    first: Detector,
    second: Detector,
    crops: Sequence[NDArray[np.uint8]],
    *,
    rounds: int = _ROUNDS,
) -> CostComparison:
    """Measure what a face costs two detectors, in turns and after a round that does not count.

    A machine that is busy slows both halves of a round alike, so the ratio means more than the
    milliseconds.

    Args:
        first: The one.
        second: The other.
        crops: RGB squares, the same for both.
        rounds: Rounds that count.

    Raises:
        DataError: There is no crop.
    """
    if not crops:
        raise DataError("cost is measured on crops, and there is none")
    is_cpu = first.device == second.device == "cpu"
    clock = time.process_time if is_cpu else time.perf_counter
    pairs: list[tuple[float, float]] = []
    for number in range(rounds + 1):
        # Who goes first changes: caches and clocks favour neither.
        turns = (first, second) if number % 2 else (second, first)
        took = {id(detector): _seconds(detector, crops, clock=clock) for detector in turns}
        pairs.append((took[id(first)], took[id(second)]))
    counted = pairs[1:]
    each = 1000 / len(crops)
    return CostComparison(
        first_ms=each * median(one for one, _ in counted),
        second_ms=each * median(other for _, other in counted),
        ratio=median(other / max(one, 1e-9) for one, other in counted),
        clock="cpu" if is_cpu else "wall",
        num_faces=len(crops),
        rounds=rounds,
    )


def _seconds(
    detector: Detector, crops: Sequence[NDArray[np.uint8]], *, clock: Callable[[], float]
) -> float:
    began = clock()
    detector.logits(crops)
    return clock() - began


def measure_bundle_costs(
    first: Path,
    second: Path,
    snapshot: Snapshot,
    index: pd.DataFrame,
    *,
    device: str,
    cache: Path,
) -> CostComparison | None:
    """Measure what a face costs two bundles, on the first faces of an index.

    Args:
        first: A bundle's folder.
        second: The other's.
        snapshot: Whose crops the index lists.
        index: Rows of its index.
        device: Where.
        cache: Folder of converted networks.

    Returns:
        The comparison; None without a face.
    """
    if index.empty:
        return None
    reader = snapshot.reader()
    places = index[["shard", "row"]].head(_FACES).itertuples(index=False, name=None)
    crops = [decode_crop(reader.encoded(shard, int(row))) for shard, row in places]
    # One thread: more of them wait for one another, and the CPU time counts that too.
    one, other = (
        load_detector(path, device=device, cache=cache, num_threads=1) for path in (first, second)
    )
    return compare_costs(one, other, crops)
