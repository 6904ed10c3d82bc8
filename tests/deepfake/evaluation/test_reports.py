"""Figures, Markdown and JSON of an evaluation."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from deepfake.evaluation import summary_markdown, write_figures, write_report_json

ALL = {"roc", "precision_recall", "confusion_matrix", "reliability", "score_histogram"}


def test_figures_are_readable_pictures(predictions: Callable[..., Any], tmp_path: Path) -> None:
    written = write_figures(predictions(40).evaluate(), tmp_path / "figures")
    assert {path.stem for path in written} == ALL
    for path in written:
        with Image.open(path) as picture:
            assert min(picture.size) >= 400
            assert np.asarray(picture.convert("L")).std() > 10
    assert {path.suffix for path in (tmp_path / "figures").iterdir()} == {".png"}


def test_one_class_has_no_curves(predictions: Callable[..., Any], tmp_path: Path) -> None:
    written = write_figures(predictions(20, labels=("real",)).evaluate(), tmp_path)
    assert {path.stem for path in written} == {"confusion_matrix", "score_histogram"}


def test_each_corpus_has_its_folder(predictions: Callable[..., Any], tmp_path: Path) -> None:
    given = predictions(20, corpus="one") + predictions(20, corpus="two")
    written = write_figures(given.evaluate(), tmp_path)
    assert {path.parent.name for path in written} == {"one", "two"}
    assert len(written) == 2 * len(ALL)


def test_no_score_at_all_draws_nothing(predictions: Callable[..., Any], tmp_path: Path) -> None:
    given = predictions(3)
    failed = type(given)(given.crops.iloc[:0], given.outcomes.assign(status="timeout"))
    assert write_figures(failed.evaluate(), tmp_path) == []
    assert "6 timeout" in summary_markdown(failed.evaluate())


def test_the_summary_says_what_is_undefined_and_why(predictions: Callable[..., Any]) -> None:
    text = summary_markdown(predictions(8).evaluate(), title="A title")
    assert text.startswith("# A title\n")
    assert "| TPR at 1 % FPR | undefined |" in text
    assert "8 reals, at least 500 are needed" in text
    assert "not estimable: 8 groups, at least 10 are needed" in text
    assert "nan" not in text.lower()
    assert "None" not in text


def test_the_summary_names_headline_and_basis(predictions: Callable[..., Any]) -> None:
    result = predictions(100).evaluate()
    head = result.corpora["set"].headline
    assert f"| {head.auc:.3f} (" in summary_markdown(result)
    assert f"matched ({head.n_pairs} pairs)" in summary_markdown(result)


def test_the_report_is_a_json_file(predictions: Callable[..., Any], tmp_path: Path) -> None:
    result = predictions(20).evaluate()
    path = write_report_json(result, tmp_path / "deep" / "report.json")
    assert json.loads(path.read_text()) == json.loads(json.dumps(result.to_json()))


@pytest.mark.parametrize("heavy", ["torch", "mlflow", "prefect"])
def test_arithmetic_does_not_import(heavy: str) -> None:
    code = f"import deepfake.evaluation, sys; sys.exit({heavy!r} in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_the_table_goes_to_parquet_and_back(
    predictions: Callable[..., Any], tmp_path: Path
) -> None:
    given = predictions(5)
    outcomes = given.outcomes.copy()
    outcomes.loc[outcomes.index[:1], "status"] = "no_face"
    kept = given.crops[given.crops["uri"] != outcomes["uri"].iloc[0]]
    table = type(given)(kept, outcomes).evaluate().table
    table.to_parquet(tmp_path / "files.parquet")
    again = pd.read_parquet(tmp_path / "files.parquet")
    assert again["prob_fake"].isna().tolist() == [True] + [False] * 9
    assert again["num_frames"].dropna().tolist() == [3] * 9
