"""The folder of a robustness measurement: report, summary, figure and a row a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from deepfake.evaluation.robustness.figure import write_robustness_figure
from deepfake.evaluation.robustness.measure import ConditionResult
from deepfake.storage import atomic_path, write_json, write_text

__all__ = ["condition_metrics", "write_robustness"]

_NUMBERS = ("auc", "auc_low", "auc_high", "accuracy", "uncertain", "n", "n_scored")


def write_robustness(
    folder: Path,
    results: Sequence[ConditionResult],
    *,
    files: Sequence[pd.DataFrame],
    markdown: str,
) -> None:
    """Write what a robustness measurement found.

    Args:
        folder: Gets `report.json`, `summary.md`, `files.parquet` and `figures/robustness.png`.
        results: One a condition.
        files: The scored files of each condition.
        markdown: The summary for people.
    """
    write_json(folder / "report.json", {"conditions": [asdict(result) for result in results]})
    write_text(folder / "summary.md", markdown)
    write_robustness_figure(results, folder / "figures" / "robustness.png")
    with atomic_path(folder / "files.parquet") as temporary:
        pd.concat(files, ignore_index=True).to_parquet(temporary)


def condition_metrics(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Return each condition's numbers under flat names: `robust_jpeg_40_auc`.

    Args:
        rows: Fields of `ConditionResult`.
    """
    flat: dict[str, float] = {}
    for row in rows:
        name = "clean" if row["name"] == "clean" else f"{row['name']}_{row['value']:g}"
        for key in _NUMBERS:
            if row[key] is not None:
                flat[f"robust_{name}_{key}"] = float(row[key])
    return flat
