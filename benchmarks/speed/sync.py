"""Measure what comparing lips with sound costs beside the faces: CPU time, in one run.

    python -m benchmarks.speed.sync FOLDER --sync-weights BUNDLE --output sync.json

Every file is scored with and without, one after the other in this process, with one thread; the
order changes from round to round. The ratio is of the CPU seconds of all files, its interval from
drawing files.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.speed.voices import summarise_ratio
from deepfake.corpora.layouts import scan_media
from deepfake.detectors.bundles import packaged_detector
from deepfake.detectors.identity import DetectorIdentity
from deepfake.extract.extractor import ExtractRequest
from deepfake.scoring import Scorer, ScorerSetup
from deepfake.storage import engine_cache, path_of_uri
from deepfake.types import SyncVerdict

__all__ = ["main", "measure_costs"]


def measure_costs(
    paths: Sequence[Path], *, setup: ScorerSetup, rounds: int
) -> tuple[dict[str, list[float]], list[bool]]:
    """Return CPU seconds of each file, `with_sync` and `without`, and which were compared.

    The least of all rounds counts, since on a busy machine the same work costs more.

    Args:
        paths: Media.
        setup: With a detector of lips and sound.
        rounds: How often each is scored.
    """
    arms = {"with_sync": Scorer(setup), "without": Scorer(replace(setup, sync=None))}
    found: dict[str, list[float]] = {name: [] for name in arms}
    is_compared = []
    for path in paths:
        request = ExtractRequest(str(path), "0" * 64)
        costs: dict[str, list[float]] = {name: [] for name in arms}
        for number in range(rounds + 1):
            for name in list(arms)[:: 1 if number % 2 else -1]:
                began = time.process_time()
                score = arms[name].score(request).score
                costs[name].append(time.process_time() - began)
                if name == "with_sync" and number == 0:
                    is_compared.append(score.verdict_sync != SyncVerdict.NOT_APPLICABLE)
        for name, own in costs.items():
            found[name].append(min(own[1:]))  # the first round warms caches
    return found, is_compared


def main() -> None:
    """Measure, print, and write a JSON file where one is named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sync-weights", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    packaged = packaged_detector()
    assert packaged is not None, "the package comes with a detector"
    setup = ScorerSetup(
        DetectorIdentity(packaged, "packaged"),
        device="cpu",
        cache=engine_cache(),
        sync=DetectorIdentity(given.sync_weights.resolve(), "sync"),
    )
    paths = [path_of_uri(row.uri) for row in scan_media(given.folder)]
    costs, is_compared = measure_costs(paths, setup=setup, rounds=given.rounds)
    text = json.dumps(_summary(costs, is_compared, rounds=given.rounds), indent=2)
    print(text)
    if given.output is not None:
        given.output.write_text(text + "\n", encoding="utf-8")


def _summary(
    costs: dict[str, list[float]], is_compared: list[bool], *, rounds: int
) -> dict[str, Any]:
    own = {
        name: [v for v, is_in in zip(values, is_compared, strict=True) if is_in]
        for name, values in costs.items()
    }
    ratio = summarise_ratio(own["with_sync"], own["without"])
    more = sum(own["with_sync"]) - sum(own["without"])
    return {
        "files_compared": sum(is_compared),
        "rounds": rounds,
        "with_sync_over_without": [round(value, 3) for value in ratio],
        "cpu_ms_a_file": round(1000 * more / sum(is_compared), 1),
        "load_average": os.getloadavg(),
    }


if __name__ == "__main__":
    main()
