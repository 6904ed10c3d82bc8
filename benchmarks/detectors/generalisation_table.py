"""The model card's table of kinds of fakes that a detector did not learn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from deepfake.evaluation import markdown_table

__all__ = ["generalisation_lines"]

_HEAD = (
    "set",
    "real + fake",
    "AUC (95 % interval)",
    "each head alone",
    "sharpness alone",
    "size alone",
    "AUC matched by sharpness (n a class)",
    "AUC matched by size (n a class)",
    "fake above its own real",
    "reals called fake",
    "fakes called real",
    "uncertain",
    "AUC at one size and compression (sharpness alone)",
)


def generalisation_lines(found: Mapping[str, Any]) -> list[str] | None:
    """Return the lines of the table; None where it was not measured."""
    measured = found.get("generalisation")
    if measured is None:
        return None
    return list(markdown_table(_HEAD, _cells_of_sets(measured["sets"])))


def _cells_of_sets(sets: list[Mapping[str, Any]]) -> Iterator[list[str]]:
    for media_set in sets:
        for row in media_set["rows"]:
            part = row["part"]
            yield [media_set["title"] if part is None else f"of these, {part}", *_cells(row)]


def _cells(row: Mapping[str, Any]) -> list[str]:
    has_both = bool(row["n_real"] and row["n_fake"])
    lacking = row["n_without_score"]
    counts = f"{row['n_real']} + {row['n_fake']}"
    return [
        f"{counts} ({lacking} without a score)" if lacking else counts,
        _auc(row),
        ", ".join(f"{name} {_number(auc)}" for name, auc in row["heads"].items() if has_both),
        _number(row["sharpness_auc"]),
        _number(row["size_auc"]),
        _matched(row["sharpness_matched_auc"], row["n_sharpness_matched"]) if has_both else "",
        _matched(row["size_matched_auc"], row["n_size_matched"]) if has_both else "",
        "" if row["pair_accuracy"] is None else f"{row['pair_accuracy']:.3f} of {row['n_pairs']}",
        _called(row, label="real", verdict="fake"),
        _called(row, label="fake", verdict="real"),
        _uncertain(row),
        _equalised(row),
    ]


def _auc(row: Mapping[str, Any]) -> str:
    if row["auc"] is None:
        return "undefined"
    if row["auc_low"] is None:
        return f"{row['auc']:.3f} (not estimable, {row['n_groups']} groups)"
    return f"{row['auc']:.3f} ({row['auc_low']:.3f} to {row['auc_high']:.3f})"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _matched(auc: float | None, n: int) -> str:
    return "" if auc is None else f"{auc:.3f} ({n})"


def _called(row: Mapping[str, Any], *, label: str, verdict: str) -> str:
    counts = row["verdicts"].get(label)
    return "" if counts is None else f"{counts[verdict]} of {sum(counts.values())}"


def _uncertain(row: Mapping[str, Any]) -> str:
    counts = row["verdicts"].values()
    total = sum(sum(of_label.values()) for of_label in counts)
    return f"{sum(of_label['uncertain'] for of_label in counts) / total:.0%}" if total else ""


def _equalised(row: Mapping[str, Any]) -> str:
    auc, sharpness = row["equalised_auc"], row["equalised_sharpness_auc"]
    return "" if auc is None else f"{auc:.3f} ({_number(sharpness)})"
