"""Ablate self-blending: train again without each of its steps.

    python -m benchmarks.detectors.self_blends --data-root data --cpu-minutes 2

trains on self-blended reals of the ingested corpus `openforensics`, once as published and once
without each step, and measures each on `val`: on the labelled fakes, which none has learnt from,
and on self-blended reals made with all steps. It writes `benchmarks/results/self_blends.json` and
the table of `docs/model-card.md`. What was measured already is not measured again.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks import RESULTS
from benchmarks.detectors.model_card_tables import fill_tables
from benchmarks.detectors.short_training import CARD, parser_of_short_runs, short_run
from deepfake.config import SelfBlendConfig
from deepfake.corpora.shards import open_snapshot
from deepfake.detectors.inference import load_detector
from deepfake.evaluation.metrics import binary_metrics
from deepfake.evaluation.predict import predict_crops
from deepfake.storage import DataRoot, read_json, write_json, write_text
from deepfake.storage.environment import configure_environment
from deepfake.training.calibrate import predict_self_blends
from flows.server.run import share_server

__all__ = ["main"]

OUTPUT = RESULTS / "self_blends.json"

_RECIPE = """
model = "tf_efficientnet_lite0"
method = "sbi"
epochs = 1000
patience = 1000
learning_rate = 6e-4
optimizer = "adamw"
weight_decay = 0.01
schedule = "constant"
input_size = 192
frozen_stages = 2

[self_blend]
"""

_WITHOUT = {
    "nothing": "",
    "colour": "shift_p = 0.0\nbrightness = 0.0\ncontrast = 0.0",
    "sharpness and resolution": "downscale_p = 0.0\nsharpen = [0.0, 0.0]",
    "shift and scale": "shift_xy = [0.0, 0.0]\nmin_scale = 1.0",
    "elastic deformation and varied outline": "elastic_strength = 0.0\njitter = 0.0",
    "soft border": "blur_kernel = [3, 3]\nblur_sigma = [0.5, 0.5]",
    "weak blends": "ratios = [1.0]",
    "changes of the target": "source_p = 1.0",
}
"""What is left out -> the settings that leave it out."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is not measured yet, and write what is known after each."""
    options = parser_of_short_runs("benchmarks.detectors.self_blends", __doc__).parse_args(
        arguments
    )
    configure_environment(options.data_root)
    rows: list[dict[str, Any]] = read_json(OUTPUT)["self_blends"] if OUTPUT.is_file() else []
    rows = [row for row in rows if row["budget"] == options.cpu_minutes]
    known = {row["without"] for row in rows}
    with share_server():
        for part, settings in _WITHOUT.items():
            if part in known:
                continue
            rows.append({"without": part, **_measured(part, settings, options=options)})
            found = {"self_blends": rows}
            write_json(OUTPUT, found)
            write_text(CARD, fill_tables(CARD.read_text(encoding="utf-8"), found))


def _measured(part: str, settings: str, *, options: argparse.Namespace) -> dict[str, Any]:
    recipe = DataRoot(options.data_root).path / ".cache" / "self-blends.toml"
    recipe.parent.mkdir(parents=True, exist_ok=True)
    write_text(recipe, _RECIPE + settings + "\n")
    run = short_run(f"blends-{part.split()[0]}", options=options, recipe=str(recipe))
    snapshot = open_snapshot(DataRoot(options.data_root), options.dataset)
    index = snapshot.index()
    reals = index[(index["split"] == "val") & (index["label"] == "real")]
    detector = load_detector(run.bundle, device="cpu")
    outputs = predict_crops(detector, snapshot, reals)
    blends = predict_self_blends(detector, [snapshot], outputs, config=SelfBlendConfig())
    logits = np.concatenate([outputs["logit"], blends["logit"]])
    labels = np.repeat([0, 1], [len(outputs), len(blends)])
    auc = binary_metrics(labels, np.zeros(len(labels)), rank=logits).auc
    row = {**run.row, "budget": options.cpu_minutes}
    return {**row, "blends_auc": auc, "num_blends": len(blends), "num_reals": len(outputs)}


if __name__ == "__main__":
    main()
