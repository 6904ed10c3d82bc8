"""Write the folder of an evaluation: report, table, figures, and a page for people."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deepfake.evaluation.figures import write_figures
from deepfake.evaluation.result import EvaluationResult, write_evaluation_json
from deepfake.evaluation.summary_page import summary_markdown
from deepfake.storage import atomic_path, write_json, write_text

__all__ = ["write_evaluation"]


def write_evaluation(
    result: EvaluationResult,
    folder: Path,
    *,
    notes: Sequence[str],
    compared: tuple[dict[str, Any], str] | None = None,
) -> str:
    """Write report, table and figures, and return the page.

    Args:
        result: The evaluation.
        folder: Where to.
        notes: What a reader of the detector's verdicts must know, a sentence each.
        compared: Its comparison with another detector, for programs and for people.
    """
    write_evaluation_json(result, folder / "report.json")
    if compared is not None:
        write_json(folder / "comparison.json", compared[0])
    with atomic_path(folder / "files.parquet") as temporary:
        result.table.to_parquet(temporary)
    write_figures(result, folder / "figures")
    markdown = summary_markdown(result, notes=notes)
    if compared is not None:
        markdown = f"{markdown}\n{compared[1]}"
    write_text(folder / "summary.md", markdown)
    return markdown
