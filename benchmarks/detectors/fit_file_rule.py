"""Fit calibration and thresholds of the rule that joins the answers on a file.

    python -m benchmarks.detectors.fit_file_rule RESULTS LABELS.csv --output file_rule.toml

RESULTS is what `deepfake score` wrote with detectors of faces, voices, and lips and sound;
LABELS.csv has the columns `uri` and `label` (real or fake). Files that lack an answer are left out.
The weights stay as they are.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from deepfake.scoring.file_answers import answers_of
from deepfake.types import Verdict
from deepfake.verdicts.file_rule import FileRule, fit_file_rule, load_file_rule

__all__ = ["fit_on_scores", "main", "rule_as_toml"]

_NUM_WAYS = 3


def fit_on_scores(scores: pd.DataFrame, labels: pd.Series, *, source: str) -> tuple[FileRule, int]:
    """Return the fitted rule, and on how many files it was fitted.

    Args:
        scores: Rows of the scores table.
        labels: `real` or `fake`, by the name of the file.
        source: What the files are.
    """
    rows = [
        row
        for row in scores.astype(object).where(scores.notna(), None).to_dict("records")
        if row["uri"] in labels.index and _has_all_answers(row)
    ]
    files = [answers_of(row) for row in rows]
    is_fake = [int(labels[row["uri"]] == "fake") for row in rows]
    prior = float(rows[0]["prior"]) if rows else 0.5
    fitted = fit_file_rule(files, is_fake, rule=load_file_rule(), prior=prior, source=source)
    return fitted, len(rows)


def _has_all_answers(row: dict[str, object]) -> bool:
    judged = [a for a in answers_of(row) if a.verdict is not Verdict.NOT_APPLICABLE]
    return len(judged) == _NUM_WAYS


def rule_as_toml(rule: FileRule) -> str:
    """Return a rule as `load_file_rule` reads it."""
    lines, tables = [], []
    for name, value in rule.model_dump(mode="json").items():
        if isinstance(value, dict):
            own = [f"{k} = {_literal(v)}" for k, v in value.items() if v is not None]
            tables += ["", f"[{name}]", *own]
        else:
            lines.append(f"{name} = {_literal(value)}")
    return "\n".join([*lines, *tables]) + "\n"


def _literal(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return repr(value)


def main() -> None:
    """Fit, and write the rule."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("results", type=Path)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    given = parser.parse_args()
    scores = pd.read_parquet(given.results / "scores.parquet")
    labels = pd.read_csv(given.labels).set_index("uri")["label"]
    rule, num = fit_on_scores(scores, labels, source=f"{given.labels.name}, all answers")
    given.output.write_text(rule_as_toml(rule), encoding="utf-8")
    print(f"fitted on {num} files: {given.output}")


if __name__ == "__main__":
    main()
