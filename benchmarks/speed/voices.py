"""Measure what judging voices costs: CPU milliseconds a second of sound, and beside the faces.

    python -m benchmarks.speed.voices FOLDER --voice-weights BUNDLE --output voices.json

Every file is scored with and without its voice, one after the other in this process, with one
thread; the order changes from round to round. The ratio is of the CPU seconds of all files, its
interval from drawing files. What a second of sound costs is measured alone: decoding, finding
speech, the network.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from deepfake.config import MediaLimits
from deepfake.corpora.layouts import scan_media
from deepfake.detectors.bundles import packaged_detector
from deepfake.detectors.identity import DetectorIdentity
from deepfake.errors import MediaError
from deepfake.extract.extractor import ExtractRequest
from deepfake.media.sound import SAMPLE_RATE, open_sound
from deepfake.scoring import Scorer, ScorerSetup
from deepfake.scoring.voice_scorer import VoiceScorer
from deepfake.storage import engine_cache, path_of_uri
from deepfake.types import Kind, Status

__all__ = ["main", "measure_costs", "summarise_ratio"]

_DRAWS = 2000


def measure_costs(
    paths: Sequence[Path], *, setup: ScorerSetup, rounds: int
) -> dict[str, list[float]]:
    """Return CPU seconds of each file: `with_voice`, `without`, `voice_alone`, and `sound_seconds`.

    The least of all rounds counts, since on a busy machine the same work costs more.

    Args:
        paths: Media.
        setup: With a detector of voices.
        rounds: How often each is scored.
    """
    assert setup.voice is not None, "a detector of voices is measured"
    arms: dict[str, Callable[[ExtractRequest], object]] = {
        "with_voice": Scorer(setup).score,
        "without": Scorer(replace(setup, voice=None)).score,
    }
    voice = VoiceScorer(setup.voice, limits=setup.limits, cache=setup.cache)
    arms["voice_alone"] = lambda request: voice.answer(request, status=Status.OK, kind=Kind.VIDEO)
    found: dict[str, list[float]] = {name: [] for name in arms}
    for path in paths:
        request = ExtractRequest(str(path), "0" * 64)
        costs: dict[str, list[float]] = {name: [] for name in arms}
        for number in range(rounds + 1):
            for name in list(arms)[:: 1 if number % 2 else -1]:
                began = time.process_time()
                arms[name](request)
                costs[name].append(time.process_time() - began)
        for name, own in costs.items():
            found[name].append(min(own[1:]))  # the first round warms caches
    found["sound_seconds"] = [_sound_seconds(path) for path in paths]
    return found


def _sound_seconds(path: Path) -> float:
    """Return how much sound a file has that can be decoded."""
    try:
        reader = open_sound(path, limits=MediaLimits())
        if reader is None:
            return 0.0
        with reader:
            return sum(len(piece.samples) for piece in reader.read()) / SAMPLE_RATE
    except MediaError:
        return 0.0


def summarise_ratio(
    top: Sequence[float], bottom: Sequence[float], *, seed: int = 0
) -> tuple[float, float, float]:
    """Return the ratio of two sums over files, and its 95 % interval from drawing files.

    Args:
        top: Of each file, shape (N,).
        bottom: Likewise.
        seed: Of the draws.

    Example:
        >>> summarise_ratio([2.0, 4.0], [1.0, 2.0])
        (2.0, 2.0, 2.0)
    """
    over, under = np.asarray(top), np.asarray(bottom)
    drawn = np.random.default_rng(seed).integers(0, len(over), (_DRAWS, len(over)))
    ratios = over[drawn].sum(axis=1) / under[drawn].sum(axis=1)
    low, high = np.percentile(ratios, (2.5, 97.5))
    return float(over.sum() / under.sum()), float(low), float(high)


def main() -> None:
    """Measure, print, and write a JSON file where one is named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--voice-weights", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    packaged = packaged_detector()
    assert packaged is not None, "the package comes with a detector"
    setup = ScorerSetup(
        DetectorIdentity(packaged, "packaged"),
        device="cpu",
        cache=engine_cache(),
        voice=DetectorIdentity(given.voice_weights.resolve(), "voice"),
    )
    paths = [path_of_uri(row.uri) for row in scan_media(given.folder)]
    measured = measure_costs(paths, setup=setup, rounds=given.rounds)
    text = json.dumps(_summary(measured, rounds=given.rounds), indent=2)
    print(text)
    if given.output is not None:
        given.output.write_text(text + "\n", encoding="utf-8")


def _summary(measured: dict[str, list[float]], *, rounds: int) -> dict[str, Any]:
    has_sound = [seconds > 0 for seconds in measured["sound_seconds"]]
    heard = {
        name: [v for v, is_in in zip(values, has_sound, strict=True) if is_in]
        for name, values in measured.items()
    }
    ratio = summarise_ratio(heard["with_voice"], heard["without"])
    cost = summarise_ratio(heard["voice_alone"], heard["sound_seconds"])
    return {
        "files_with_sound": sum(has_sound),
        "rounds": rounds,
        "sound_seconds": round(sum(heard["sound_seconds"]), 1),
        "with_voice_over_without": [round(value, 3) for value in ratio],
        "cpu_ms_a_second_of_sound": [round(1000 * value, 2) for value in cost],
        "load_average": os.getloadavg(),
    }


if __name__ == "__main__":
    main()
