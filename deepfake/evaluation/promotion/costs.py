"""Compare what two detectors cost a face or a window of speech, measured side by side."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Literal, Protocol, TypeVar

import pandas as pd

from deepfake.corpora.shards import VOICE, Snapshot
from deepfake.detectors.inference import load_detector
from deepfake.detectors.voice.detector import load_voice_detector
from deepfake.errors import DataError
from deepfake.media import decode_crop
from deepfake.media.sound_codec import decode_sound

__all__ = ["CostComparison", "compare_costs", "measure_bundle_costs"]

_ROUNDS = 7
_FACES = 64
_WINDOWS = 16
"""A window of speech costs several times as much as a face."""

_Input = TypeVar("_Input")
_Input_contra = TypeVar("_Input_contra", contravariant=True)


class _TimedDetector(Protocol[_Input_contra]):
    """A detector of faces or of voices, as far as its cost is measured."""

    @property
    def device(self) -> str: ...

    def head_outputs(self, inputs: Sequence[_Input_contra], /) -> object: ...


@dataclass(frozen=True, slots=True)
class CostComparison:
    """Two detectors on the same inputs, in turns.

    Attributes:
        first_ms: Milliseconds an input of the one, the median of rounds.
        second_ms: The same of the other.
        ratio: Second over first, the median of the rounds' ratios.
        clock: `cpu` for time of all threads, `wall` on CUDA.
        num_inputs: Inputs of a round.
        rounds: Rounds.
        unit: What an input is: `face`, or `window` of speech.
    """

    first_ms: float
    second_ms: float
    ratio: float
    clock: str
    num_inputs: int
    rounds: int
    unit: Literal["face", "window"] = "face"


def compare_costs(
    first: _TimedDetector[_Input],
    second: _TimedDetector[_Input],
    inputs: Sequence[_Input],
    *,
    unit: Literal["face", "window"] = "face",
    rounds: int = _ROUNDS,
) -> CostComparison:
    """Measure what an input costs two detectors, in turns and after a round that does not count.

    A machine that is busy slows both halves of a round alike, so the ratio means more than the
    milliseconds.

    Args:
        first: The one.
        second: The other.
        inputs: RGB squares, or windows of speech; the same for both.
        unit: What an input is.
        rounds: Rounds that count.

    Raises:
        DataError: There is no input.
    """
    if not inputs:
        raise DataError(f"cost is measured on {unit}s, and there is none")
    is_cpu = first.device == second.device == "cpu"
    clock = time.process_time if is_cpu else time.perf_counter
    pairs: list[tuple[float, float]] = []
    for number in range(rounds + 1):
        # Who goes first changes: caches and clocks favour neither.
        turns = (first, second) if number % 2 else (second, first)
        took = {id(detector): _seconds(detector, inputs, clock=clock) for detector in turns}
        pairs.append((took[id(first)], took[id(second)]))
    counted = pairs[1:]
    each = 1000 / len(inputs)
    return CostComparison(
        first_ms=each * median(one for one, _ in counted),
        second_ms=each * median(other for _, other in counted),
        ratio=median(other / max(one, 1e-9) for one, other in counted),
        clock="cpu" if is_cpu else "wall",
        num_inputs=len(inputs),
        rounds=rounds,
        unit=unit,
    )


def _seconds(
    detector: _TimedDetector[_Input], inputs: Sequence[_Input], *, clock: Callable[[], float]
) -> float:
    began = clock()
    detector.head_outputs(inputs)
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
    """Measure what a face, or a window of speech, costs two bundles, on the first of an index.

    Args:
        first: A bundle's folder.
        second: The other's.
        snapshot: Whose records the index lists.
        index: Rows of its index.
        device: Where.
        cache: Folder of converted networks.

    Returns:
        The comparison; None without a record.
    """
    if index.empty:
        return None
    is_voice = snapshot.kind == VOICE
    reader = snapshot.reader()
    places = index[["shard", "row"]].head(_WINDOWS if is_voice else _FACES)
    encoded = [
        reader.encoded(shard, int(row)) for shard, row in places.itertuples(index=False, name=None)
    ]
    # One thread: more of them wait for one another, and the CPU time counts that too.
    settings: dict[str, Any] = {"device": device, "cache": cache, "num_threads": 1}
    if is_voice:
        windows = [decode_sound(data) for data in encoded]
        voices = [load_voice_detector(path, **settings) for path in (first, second)]
        return compare_costs(voices[0], voices[1], windows, unit="window")
    crops = [decode_crop(data) for data in encoded]
    faces = [load_detector(path, **settings) for path in (first, second)]
    return compare_costs(faces[0], faces[1], crops)
