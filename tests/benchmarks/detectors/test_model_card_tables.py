"""The model card's tables are what was measured, and say what was not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from benchmarks import RESULTS, ROOT
from benchmarks.detectors.model_card_tables import fill_tables

PAGES = (ROOT / "docs" / "model-card.md", ROOT / "README.md")
PAGE = "before\n<!-- table: {name} -->\nold\n<!-- end -->\nafter\n"


def _filled(name: str, found: dict[str, Any]) -> str:
    return fill_tables(PAGE.format(name=name), found)


def test_a_table_that_was_not_measured_stays() -> None:
    for name in ("stills", "robustness", "ablation", "unheard_of"):
        assert _filled(name, {}) == PAGE.format(name=name)


def test_a_filled_place_can_be_filled_again() -> None:
    row = {
        "model": "resnet50",
        "begins_with": "ImageNet",
        "method": "labels",
        "why": "not to be had offline (no server)",
    }
    once = _filled("ablation", {"ablation": [row]})
    assert "| `resnet50` | ImageNet | labels | not to be had offline (no server) |" in once
    assert "old" not in once
    assert fill_tables(once, {"ablation": [row]}) == once
    widths = {line.count("|") for line in once.splitlines() if line.startswith("|")}
    assert len(widths) == 1, "every row has every cell"


def test_an_undefined_number_is_described_not_shown() -> None:
    condition = {
        "name": "jpeg",
        "value": 40.0,
        "n": 10,
        "n_scored": 9,
        "accuracy": 0.8,
        "accuracy_low": 0.6,
        "accuracy_high": 0.9,
        "auc": None,
        "auc_low": None,
        "auc_high": None,
        "uncertain": None,
    }
    part = {"conditions": [condition]}
    text = _filled("robustness", {"robustness": {"sweep": part, "every_file": part}})
    row = "| jpeg 40 | 10 | 9 | 0.800 (0.600 to 0.900) | undefined | undefined |"
    assert text.count(row) == 2


def test_precision_is_listed_from_the_most_fakes_to_the_fewest() -> None:
    report = {"precision_at": {"0.01": 0.1, "0.1": None, "0.5": 0.9}}
    text = _filled("precision", {"evaluations": {"openforensics": {"report": report}}})
    assert "| 50% | 0.900 |\n| 10% | undefined |\n| 1% | 0.100 |" in text


@pytest.mark.parametrize("name", ["quality", "ablation", "self_blends", "generalisation"])
def test_the_pages_show_what_was_measured_last(name: str) -> None:
    found = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    for path in PAGES:
        page = path.read_text(encoding="utf-8")
        assert fill_tables(page, found) == page
        assert "<!-- table:" in page
