"""Write the folder of an evaluation of lips against sound: report, table, and a page for people."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from deepfake.evaluation.markdown import markdown_table
from deepfake.evaluation.sync.evaluate import MeasuredAuc, SyncEvaluation
from deepfake.storage import atomic_path, write_json, write_text
from deepfake.types import SyncVerdict

__all__ = ["sync_markdown", "sync_metrics", "write_sync_evaluation"]

_MS_PER_MOUTH = 40


def write_sync_evaluation(result: SyncEvaluation, folder: Path, *, notes: Sequence[str]) -> str:
    """Write report and table, and return the page.

    Args:
        result: The evaluation.
        folder: Where to.
        notes: What a reader of the detector's verdicts must know, a sentence each.
    """
    write_json(folder / "report.json", {**result.to_json(), "summary": sync_metrics(result)})
    with atomic_path(folder / "files.parquet") as temporary:
        result.table.to_parquet(temporary)
    markdown = sync_markdown(result, notes=notes)
    write_text(folder / "summary.md", markdown)
    return markdown


def sync_metrics(result: SyncEvaluation) -> dict[str, float | int | None]:
    """Return the numbers of an evaluation under the names that MLflow has."""
    own: dict[str, float | int | None] = {
        f"sync_{name}": getattr(result, name)
        for name in ("n_files", "n_real", "n_fake", "n_out_of_sync")
    }
    own |= {f"sync_auc_shift_{name}": one.auc for name, one in result.shifts.items()}
    own |= {f"sync_auc_foreign_{name}": one.auc for name, one in result.foreign.items()}
    own["sync_auc"] = result.labelled.auc
    own["sync_auc_intervals"] = None if result.in_intervals is None else result.in_intervals.auc
    flagged = len(result.flagged_reals)
    own["sync_reals_flagged"] = flagged / result.n_real if result.n_real else None
    return own


def sync_markdown(result: SyncEvaluation, *, notes: Sequence[str]) -> str:
    """Return the page of an evaluation.

    Args:
        result: The evaluation.
        notes: What a reader of the detector's verdicts must know, a sentence each.
    """
    measured = {
        **{
            f"sound moved by {int(name) * _MS_PER_MOUTH} ms, at the offset 0": one
            for name, one in result.shifts.items()
        },
        **{
            f"sound of another clip, {name.replace('_', ' ')}": one
            for name, one in result.foreign.items()
        },
        "labelled fakes": result.labelled,
        **(
            {} if result.in_intervals is None else {"blocks in fake intervals": result.in_intervals}
        ),
    }
    head = [
        f"# Lips and sound of {result.corpus}, {result.split}",
        "",
        (
            f"{result.n_files} labelled files: {result.n_real} reals and {result.n_fake} fakes "
            f"with a face that speaks, {result.n_without_score} without a score. "
            f"{result.n_out_of_sync} reals are out of sync."
        ),
        "",
        *markdown_table(_COLUMNS, [_row(name, one) for name, one in measured.items()]),
    ]
    people = [_row(name, one) for name, one in result.by_identity.items()]
    by_person = ["", "## By person", "", *markdown_table(_COLUMNS, people)] if people else []
    verdicts = [
        [name, *(str(counts.get(str(verdict), 0)) for verdict in SyncVerdict)]
        for name, counts in result.verdicts.items()
    ]
    called = ["", "## Verdicts", "", *markdown_table(["", *map(str, SyncVerdict)], verdicts)]
    said = ["", "## Notes", "", *(f"- {note}" for note in (*result.notes, *notes))]
    return "\n".join([*head, *by_person, *called, *said]) + "\n"


_COLUMNS = ["mismatch", "matching pairs", "mismatches", "AUC", "95 %"]


def _row(name: str, one: MeasuredAuc) -> list[str]:
    auc = "-" if one.auc is None else f"{one.auc:.3f}"
    low_high = "-" if one.interval is None else f"{one.interval[0]:.3f} to {one.interval[1]:.3f}"
    return [name, str(one.num_matching), str(one.num_mismatches), auc, low_high]
