"""Train on a small CPU budget and evaluate on `val`, to compare settings.

The budget is CPU time: on a shared machine, minutes of the clock are not comparable.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import ROOT
from deepfake.storage import new_run_name, read_json

__all__ = ["CARD", "ShortRun", "parser_of_short_runs", "short_run"]

CARD = ROOT / "docs" / "model-card.md"


@dataclass(frozen=True, slots=True)
class ShortRun:
    """A training and its evaluation, both in MLflow.

    Attributes:
        bundle: The detector.
        metrics: Of the training.
        report: Of the evaluation on all of `val`.
        row: The row of the results file.
    """

    bundle: Path
    metrics: dict[str, Any]
    report: dict[str, Any]
    row: dict[str, Any]


def parser_of_short_runs(module: str, about: str | None) -> argparse.ArgumentParser:
    """Return a parser with `--data-root`, `--dataset` and `--cpu-minutes`."""
    parser = argparse.ArgumentParser(description=about, prog=f"python -m {module}")
    parser.add_argument("--data-root", type=Path, default=ROOT / "data")
    parser.add_argument("--dataset", default="openforensics")
    parser.add_argument(
        "--cpu-minutes", type=float, default=2.0, help="of each training, all cores together"
    )
    return parser


def short_run(name: str, *, options: argparse.Namespace, **settings: Any) -> ShortRun:
    """Train and evaluate on `val`.

    Args:
        name: Of the run; the time is put behind it.
        options: Of `parser_of_short_runs`.
        **settings: Of the flow `train`.
    """
    from flows.evaluate import evaluate
    from flows.train import train

    began = _cpu_seconds()
    trained = train(
        options.dataset,
        data_root=str(options.data_root),
        max_cpu_minutes=options.cpu_minutes,
        name="deepfake-ablation",
        run_name=new_run_name(name),
        **settings,
    )
    minutes = (_cpu_seconds() - began) / 60
    bundle = Path(trained["bundle"])
    measured = evaluate(
        options.dataset, weights=str(bundle), data_root=str(options.data_root), split="val"
    )
    report = read_json(Path(measured["folder"]) / "report.json")["corpora"][options.dataset]
    files = report["files"]
    low, high = files["intervals"]["values"]["auc"] or (None, None)
    row = {
        "cpu_minutes": minutes,
        "n": files["metrics"]["n"],
        "auc": files["metrics"]["auc"],
        "auc_low": low,
        "auc_high": high,
        "train_run": trained["run_id"],
        "evaluate_run": measured["run_id"],
    }
    return ShortRun(bundle=bundle, metrics=trained["metrics"], report=report, row=row)


def _cpu_seconds() -> float:
    """Return what this process and those of its children that have ended used."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
