"""Write the folder of an evaluation of voices: report, table, and a page for people."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from deepfake.evaluation.markdown import markdown_table
from deepfake.evaluation.metrics import binary_metrics, bootstrap_intervals
from deepfake.evaluation.voice.evaluate import Interval, VoiceEvaluation, groups_of_files
from deepfake.storage import atomic_path, write_json, write_text
from deepfake.types import Label, Verdict

__all__ = ["by_method", "voice_markdown", "voice_metrics", "write_voice_evaluation"]

_VERDICTS = (Verdict.FAKE, Verdict.UNCERTAIN, Verdict.REAL)


def write_voice_evaluation(
    result: VoiceEvaluation, folder: Path, *, notes: Sequence[str], seed: int = 0
) -> str:
    """Write report and table, and return the page.

    Args:
        result: The evaluation.
        folder: Where to.
        notes: What a reader of the detector's verdicts must know, a sentence each.
        seed: Of the bootstrap.
    """
    methods = by_method(result, seed=seed)
    report = {**result.to_json(), "summary": voice_metrics(result), "by_method": methods}
    write_json(folder / "report.json", report)
    with atomic_path(folder / "files.parquet") as temporary:
        result.table.to_parquet(temporary)
    markdown = voice_markdown(result, methods=methods, notes=notes)
    write_text(folder / "summary.md", markdown)
    return markdown


def voice_metrics(result: VoiceEvaluation) -> dict[str, float | int | None]:
    """Return the numbers of an evaluation under the names that MLflow has."""
    numbers = ("auc", "eer", "accuracy", "uncertain", "n_files", "n_real", "n_fake")
    own = {f"voice_{name}": getattr(result, name) for name in numbers}
    flagged = len(result.flagged_reals)
    own["voice_reals_flagged"] = flagged / result.n_real if result.n_real else None
    return own


def by_method(result: VoiceEvaluation, *, seed: int = 0) -> list[dict[str, Any]]:
    """Return for each method of fakes its AUC against all reals, with interval and verdicts.

    Args:
        result: The evaluation.
        seed: Of the bootstrap.
    """
    table = result.table
    is_fake = (table["label"] == str(Label.FAKE)).to_numpy()
    methods = table["method"].astype("string").fillna("unknown")
    found = []
    for method in sorted(set(methods[is_fake])):
        own = table[~is_fake | (methods == method).to_numpy()]
        auc, interval = _auc(own, seed=seed)
        verdicts = result.verdicts_by_method.get(method, {})
        found.append(
            {
                "method": method,
                "n_fake": int((own["label"] == str(Label.FAKE)).sum()),
                "auc": auc,
                "auc_interval": interval,
                "verdicts": {str(verdict): verdicts.get(verdict, 0) for verdict in _VERDICTS},
            }
        )
    return found


def _auc(files: pd.DataFrame, *, seed: int) -> tuple[float | None, Interval | None]:
    is_fake = (files["label"] == str(Label.FAKE)).to_numpy()
    prob, logit = (files[name].to_numpy("float64") for name in ("prob_fake", "logit"))
    drawn = bootstrap_intervals(is_fake, prob, groups=groups_of_files(files), rank=logit, seed=seed)
    return binary_metrics(is_fake, prob, rank=logit).auc, drawn.values["auc"]


def voice_markdown(
    result: VoiceEvaluation, *, methods: Sequence[dict[str, Any]], notes: Sequence[str]
) -> str:
    """Return the page of an evaluation.

    Args:
        result: The evaluation.
        methods: From `by_method`.
        notes: What a reader of the detector's verdicts must know, a sentence each.
    """
    head = [
        f"# Voices of {result.corpus}, {result.split}",
        "",
        (
            f"{result.n_files} labelled files: {result.n_real} reals and {result.n_fake} fakes "
            f"with speech, {result.n_without_score} without a score."
        ),
        "",
        *markdown_table(
            ["", "value", "95 %"],
            [
                ["AUC", _number(result.auc), _interval(result.auc_interval)],
                ["equal error rate", _share(result.eer), _interval(result.eer_interval)],
                ["accuracy", _share(result.accuracy), ""],
                ["uncertain", _share(result.uncertain), ""],
                ["reals called fake", f"{len(result.flagged_reals)} of {result.n_real}", ""],
            ],
        ),
    ]
    rows = [
        [
            one["method"],
            str(one["n_fake"]),
            _number(one["auc"]),
            _interval(one["auc_interval"]),
            *(str(one["verdicts"][verdict]) for verdict in _VERDICTS),
        ]
        for one in methods
    ]
    columns = ["method", "fakes", "AUC against all reals", "95 %", *map(str, _VERDICTS)]
    table = ["", "## By method", "", *markdown_table(columns, rows)] if rows else []
    said = ["", "## Notes", "", *(f"- {note}" for note in (*result.notes, *notes))]
    return "\n".join([*head, *table, *said]) + "\n"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _interval(interval: Interval | None) -> str:
    return "-" if interval is None else f"{interval[0]:.3f} to {interval[1]:.3f}"
