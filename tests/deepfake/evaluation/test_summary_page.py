"""Figures, Markdown and JSON of an evaluation."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from deepfake.errors import DataError
from deepfake.evaluation import (
    compare_evaluations,
    comparison_markdown,
    summary_markdown,
    write_evaluation_json,
    write_figures,
)
from deepfake.verdicts.calibration import Support, Thresholds
from deepfake.verdicts.judgement import JudgementSettings

ALL = {
    *("roc", "precision_recall", "confusion_matrix", "reliability", "score_histogram"),
    "tippett",
}


def test_figures_are_readable_pictures(predictions: Callable[..., Any], tmp_path: Path) -> None:
    written = write_figures(predictions(40).evaluate(), tmp_path / "figures")
    assert {path.stem for path in written} == ALL
    for path in written:
        with Image.open(path) as picture:
            assert min(picture.size) >= 400
            assert np.asarray(picture.convert("L")).std() > 10
    assert {path.suffix for path in (tmp_path / "figures").iterdir()} == {".png"}


def test_what_goes_to_the_tracker_names_no_file(predictions: Callable[..., Any]) -> None:
    """`deepfake forget` has nothing to do there, and says so."""
    given = predictions(8)
    result, base = given.evaluate(), given.evaluate(seed=1)
    text = json.dumps(result.to_json()) + summary_markdown(result)
    text += comparison_markdown(compare_evaluations(base, result), first="a", second="b")
    names = [*given.outcomes["uri"], *given.outcomes["media_id"]]
    assert len(names) == 32
    assert [name for name in names if name in text] == []


def test_the_summary_has_the_cost_of_likelihood_ratios(predictions: Callable[..., Any]) -> None:
    text = summary_markdown(predictions(40).evaluate())
    files, frames, matched = next(
        line.split("|")[2:5] for line in text.splitlines() if line.startswith("| Cllr |")
    )
    assert re.fullmatch(r" 0\.\d{3} \(0\.\d{3} to 0\.\d{3}\) ", files)
    assert frames.strip() == "undefined"
    assert matched.strip() != "undefined"
    assert "- Cllr of frames: there are no likelihood ratios" in text


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
    text = summary_markdown(predictions(8).evaluate(), title="A title", notes=["Not learnt: x."])
    assert "> Not learnt: x." in text
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
    path = write_evaluation_json(result, tmp_path / "deep" / "report.json")
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


def test_slices_by_face_are_listed_and_the_weakest_is_named(
    predictions: Callable[..., Any],
) -> None:
    given = predictions(80, shift=3.0)
    # Where faces are small, fakes look like reals.
    small = given.crops["face_px"] < given.crops["face_px"].quantile(0.25)
    fakes = set(given.outcomes.loc[given.outcomes["label"] == "fake", "uri"])
    is_fake = given.crops["uri"].isin(fakes)
    given.crops.loc[small & is_fake, "logit"] = -3.0
    result = given.evaluate()
    parts = [part for part in result.corpora["set"].slices if part.by == "face_px"]
    assert len(parts) == 4
    assert sum(part.n for part in parts) == 160
    text = summary_markdown(result)
    assert "Weakest where `face_px` is" in text
    weakest = min(parts, key=lambda part: part.rate)
    assert f"is {weakest.value}:" in text


def test_false_alarms_are_listed_by_people_in_the_picture(predictions: Callable[..., Any]) -> None:
    given = predictions(60, kind="image", frames=1)
    second = given.crops.assign(track_id=1)
    crowded = second[second["uri"].str.contains("/real/00[0-2]")]
    more = type(given)(pd.concat([given.crops, crowded], ignore_index=True), given.outcomes)
    parts = [p for p in more.evaluate().corpora["set"].slices if p.by == "people"]
    assert [(p.value, p.n, p.rate_of) for p in parts] == [
        ("1", 30, "specificity"),
        ("2", 30, "specificity"),
    ]


def test_share_of_uncertain_has_its_reasons(predictions: Callable[..., Any]) -> None:
    given = predictions(40, kind="image", frames=1)
    largest = float(given.crops["face_px"].median())
    settings = JudgementSettings(
        thresholds=Thresholds(real_below=0.5, fake_from=0.5), support=Support(min_face_px=largest)
    )
    result = given.evaluate(judgement={"still": settings})
    corpus = result.corpora["set"]
    assert corpus.uncertain == pytest.approx(0.5, abs=0.01)
    assert list(corpus.uncertain_reasons) == ["the face is too small"]
    assert corpus.coverage == pytest.approx(1 - corpus.uncertain)
    assert "because the face is too small" in summary_markdown(result)


def test_two_detectors_are_compared_on_the_same_files(predictions: Callable[..., Any]) -> None:
    weak, strong = (predictions(80, shift=s).evaluate() for s in (0.5, 3.0))
    found = compare_evaluations(weak, strong)["set"]
    assert found["all"].difference is not None and found["all"].difference > 0.1
    assert found["all"].low is not None and found["all"].low > 0
    assert found["matched"].n < found["all"].n
    page = comparison_markdown({"set": found}, first="weak", second="strong")
    assert "| set, all | 160 |" in page
    same = compare_evaluations(weak, weak)["set"]["all"]
    assert same.difference == 0
    with pytest.raises(DataError, match="these differ"):
        compare_evaluations(weak, predictions(30).evaluate())
