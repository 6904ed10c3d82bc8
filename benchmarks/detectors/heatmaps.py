"""Test whether heat maps mark the pixels that change the score.

    python -m benchmarks.detectors.heatmaps --data-root data

takes 100 faces of `openforensics/val`, half of them fakes, one a group, and measures how far the
calibrated log-odds move when the hottest tenth of the map is blurred, compared with as many random
cells, and with the same shape moved elsewhere. It writes `benchmarks/results/heatmaps.json`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks import RESULTS
from deepfake.corpora.shards import open_snapshot
from deepfake.detectors.bundles import Bundle, load_bundle, packaged_detector
from deepfake.errors import BundleError
from deepfake.evidence.heat_maps import GRID, HeatMap, HeatMapper, mask_hottest, measure_moves
from deepfake.media import decode_crop, limit_threads
from deepfake.storage import DataRoot, write_json
from deepfake.types import Kind

__all__ = ["main"]

OUTPUT = RESULTS / "heatmaps.json"

_DRAWS = 4
_BOOTSTRAP = 2000
_SHIFTS = (GRID // 3, GRID // 2)
"""Cells down and across by which a shape is moved, around the edges."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and write the results."""
    parser = argparse.ArgumentParser("benchmarks.detectors.heatmaps", description=__doc__)
    parser.add_argument("--data-root", type=Path, default=Path("data"))
    parser.add_argument("--dataset", default="openforensics")
    parser.add_argument("--weights", type=Path, default=packaged_detector())
    parser.add_argument("--faces", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    if options.weights is None:
        raise BundleError("there is no packaged detector: name one with --weights")
    limit_threads()
    bundle = load_bundle(options.weights)
    faces, labels = _faces(options)
    moves = _moves(bundle, faces, seed=options.seed)
    found = {
        "detector": {"name": bundle.spec.name, "digest": bundle.digest},
        "dataset": options.dataset,
        "num_faces": len(faces),
        "num_fake": labels.count("fake"),
        "seed": options.seed,
        "moves": _summary(moves, seed=options.seed),
    }
    write_json(OUTPUT, found)
    for name, move in found["moves"].items():
        print(name, move)


def _faces(options: argparse.Namespace) -> tuple[list[NDArray[np.uint8]], list[str]]:
    snapshot = open_snapshot(DataRoot(options.data_root), options.dataset)
    index = snapshot.index()
    val = index[index["split"] == "val"].drop_duplicates("group")
    half = options.faces // 2
    chosen = pd.concat(
        val[val["label"] == label].sample(half, random_state=options.seed)
        for label in ("real", "fake")
    )
    reader = snapshot.reader()
    crops = [
        decode_crop(bytes(reader.encoded(str(row["shard"]), int(row["row"]))))
        for row in chosen.to_dict("records")
    ]
    return crops, [str(label) for label in chosen["label"]]


def _moves(
    bundle: Bundle, faces: Sequence[NDArray[np.uint8]], *, seed: int
) -> dict[str, NDArray[np.float64]]:
    """Return how far the log-odds of each face go, by what is masked."""
    mapper, calibration = HeatMapper(bundle), bundle.spec.judgement_of(Kind.IMAGE).calibration
    rows = []
    for number, picture in enumerate(mapper.squares(faces)):
        (heat,) = mapper.maps(picture[None], calibration=calibration)
        hottest, at_random = measure_moves(
            mapper, picture, heat, calibration=calibration, draws=_DRAWS, seed=seed + number
        )
        moved = HeatMap(np.roll(heat.values, _SHIFTS, axis=(0, 1)), heat.log_odds)
        masked = mask_hottest(picture, moved)
        (elsewhere,) = mapper.log_odds(masked[None], calibration=calibration)
        rows.append((hottest, at_random, abs(elsewhere - heat.log_odds)))
    columns = np.asarray(rows).T
    return dict(zip(("hottest", "random", "same_shape_elsewhere"), columns, strict=True))


def _summary(moves: dict[str, NDArray[np.float64]], *, seed: int) -> dict[str, Any]:
    moves: dict[str, Any] = {
        name: {"mean": round(float(values.mean()), 4)} for name, values in moves.items()
    }
    rng = np.random.default_rng(seed)
    for name in ("random", "same_shape_elsewhere"):
        over = moves["hottest"] - moves[name]
        draws = rng.integers(0, len(over), size=(_BOOTSTRAP, len(over)))
        low, high = np.quantile(over[draws].mean(axis=1), [0.025, 0.975])
        moves[f"hottest_over_{name}"] = {
            "mean": round(float(over.mean()), 4),
            "interval_95": [round(float(low), 4), round(float(high), 4)],
            "share_of_faces": round(float((over > 0).mean()), 4),
        }
    return moves


if __name__ == "__main__":
    main()
