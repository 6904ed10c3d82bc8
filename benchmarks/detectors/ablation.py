"""Compare networks on an equal, small budget, with and without self-blended images.

    python -m benchmarks.detectors.ablation --data-root data --cpu-minutes 2

trains each cell by the recipe `ablation` on the ingested corpus `openforensics`, evaluates it on
`val` (networks are chosen there), and writes `benchmarks/results/ablation.json` and the table of
`docs/model-card.md`. Each cell is a training and an evaluation in MLflow. A cell that was measured
is not measured again; `--only` names models.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import RESULTS
from benchmarks.detectors.model_card_tables import fill_tables
from benchmarks.detectors.short_training import CARD, parser_of_short_runs, short_run
from deepfake.detectors.inference import load_detector
from deepfake.detectors.models import create_model
from deepfake.errors import WeightsUnavailableError
from deepfake.storage import read_json, write_json, write_text
from deepfake.storage.environment import configure_environment
from flows.server.run import share_server

__all__ = ["main"]

OUTPUT = RESULTS / "ablation.json"

_CELLS = (
    ("resnet50", "none"),
    ("xception", "none"),
    ("efficientnet_b0", "none"),
    ("tf_efficientnet_lite0", "none"),
    ("tf_efficientnet_lite0", "imagenet"),
    ("tf_efficientnet_lite1", "imagenet"),
    ("tf_efficientnet_lite2", "imagenet"),
    ("resnet50", "imagenet"),
    ("xception", "imagenet"),
    ("efficientnet_b0", "imagenet"),
)
_METHODS = ("labels", "two_headed")
_TIMED_CROPS = 20


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure every cell that is not measured yet, and write what is known after each."""
    options = _parse(arguments)
    configure_environment(options.data_root)
    rows: list[dict[str, Any]] = read_json(OUTPUT)["ablation"] if OUTPUT.is_file() else []
    known = {_key_of(row) for row in rows if row.get("budget") == options.cpu_minutes}
    with share_server():
        for model, weights in _CELLS:
            for method in _METHODS:
                key = (model, weights, method)
                if key in known or (options.only and model not in options.only):
                    continue
                rows = [row for row in rows if _key_of(row) != key]
                rows.append(_cell(*key, options=options))
                _write(rows)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = parser_of_short_runs("benchmarks.detectors.ablation", __doc__)
    parser.add_argument("--only", nargs="*", help="models")
    return parser.parse_args(arguments)


def _key_of(row: dict[str, Any]) -> tuple[str, str, str]:
    return row["model"], row["weights"], row["method"]


def _write(rows: list[dict[str, Any]]) -> None:
    order = [(m, w, how) for m, w in _CELLS for how in _METHODS]
    rows = sorted(rows, key=lambda row: order.index(_key_of(row)))
    write_json(OUTPUT, {"ablation": rows})
    if CARD.is_file():
        write_text(CARD, fill_tables(CARD.read_text(encoding="utf-8"), {"ablation": rows}))


def _cell(model: str, weights: str, method: str, *, options: argparse.Namespace) -> dict[str, Any]:
    row: dict[str, Any] = {"model": model, "weights": weights, "method": method, "why": None}
    row["begins_with"] = "ImageNet" if weights == "imagenet" else "nothing"
    try:
        created = create_model(model, pretrained=weights)
    except WeightsUnavailableError as error:
        print(f"{model}, {weights}: {error.message}")
        return {**row, "why": f"not to be had offline ({error.message})"}
    row["parameters"] = sum(p.numel() for p in created.module.parameters())
    run = short_run(
        f"ablation-{model}-{weights}-{method}",
        options=options,
        recipe="ablation",
        model=model,
        pretrained=weights,
        method=method,
    )
    metrics, head = run.metrics, run.report["headline"]
    return {
        **row,
        **run.row,
        "budget": options.cpu_minutes,
        "ms_a_face": _cost(run.bundle),
        "val_blends_auc": metrics.get("val_blends_auc"),
        "matched_auc": head["auc"] if head["basis"] == "matched" else None,
        "matched_pairs": head["n_pairs"],
    }


def _cost(bundle: Path) -> float:
    """Return CPU milliseconds a face, one thread, as scoring computes it."""
    detector = load_detector(bundle, device="cpu", num_threads=1)
    crops = list(
        np.random.default_rng(0).integers(0, 256, size=(_TIMED_CROPS, 256, 256, 3), dtype=np.uint8)
    )
    detector.head_outputs(crops)
    seconds = []
    for _ in range(5):
        began = time.process_time()
        detector.head_outputs(crops)
        seconds.append(time.process_time() - began)
    return 1000 * statistics.median(seconds) / len(crops)


if __name__ == "__main__":
    main()
