"""Two detectors on the same media."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pandas as pd

from deepfake.errors import DataError
from deepfake.evaluation.result import EvaluationResult
from deepfake.metrics import PairedComparison, paired_bootstrap
from deepfake.types import Label

__all__ = ["compare_evaluations", "comparison_json", "comparison_markdown"]

_KEYS = ["corpus", "uri"]


def compare_evaluations(
    first: EvaluationResult, second: EvaluationResult, *, seed: int = 0
) -> dict[str, dict[str, PairedComparison]]:
    """Compare the AUC of two detectors, corpus by corpus, on the files that both have a score for.

    Args:
        first: Of the one.
        second: Of the other, on the same files.
        seed: Of the bootstrap.

    Returns:
        By corpus, `all` files and `matched` ones; a difference over 0 is in favour of the second.

    Raises:
        DataError: The two are not of the same files.
    """
    names = [*_KEYS, "label", "group", "pair_id", "log_odds"]
    both = first.table[names].merge(
        second.table[[*_KEYS, "log_odds"]],
        on=_KEYS,
        suffixes=("", "_other"),
        how="outer",
        indicator=True,
    )
    if (both["_merge"] != "both").any():
        raise DataError("two detectors are compared on the same files, and these differ")
    scored = both[both["log_odds"].notna() & both["log_odds_other"].notna()]
    return {
        str(corpus): {
            "all": _compared(rows, seed=seed),
            "matched": _compared(rows[rows["pair_id"].notna()], seed=seed),
        }
        for corpus, rows in scored.groupby("corpus", sort=True)
    }


def _compared(rows: pd.DataFrame, *, seed: int) -> PairedComparison:
    return paired_bootstrap(
        (rows["label"] == Label.FAKE).to_numpy().astype(int),
        rows["log_odds"].to_numpy(dtype=float),
        rows["log_odds_other"].to_numpy(dtype=float),
        rows["group"].to_numpy(dtype=str),
        seed=seed,
    )


def comparison_json(found: dict[str, dict[str, PairedComparison]]) -> dict[str, Any]:
    """Return a comparison in JSON types."""
    return {
        corpus: {part: asdict(compared) for part, compared in parts.items()}
        for corpus, parts in found.items()
    }


def comparison_markdown(
    found: dict[str, dict[str, PairedComparison]], *, first: str, second: str
) -> str:
    """Return the comparison as a section of a page.

    Args:
        found: What was found.
        first: Name of the one.
        second: Name of the other.
    """
    lines = [
        f"## {second} against {first}",
        "",
        f"AUC on the same files, paired bootstrap over groups; over 0 is in favour of {second}.",
        "",
        f"| corpus | files | {first} | {second} | difference (95 %) | p |",
        "|---|---|---|---|---|---|",
    ]
    for corpus, parts in found.items():
        for part, compared in parts.items():
            lines.append(f"| {corpus}, {part} | {compared.n} | {' | '.join(_cells(compared))} |")
    return "\n".join(lines) + "\n"


def _cells(compared: PairedComparison) -> list[str]:
    if compared.difference is None:
        return ["undefined"] * 4
    interval = (
        "not estimable"
        if compared.low is None or compared.high is None
        else f"{compared.low:+.3f} to {compared.high:+.3f}"
    )
    p = "not estimable" if compared.p_value is None else f"{compared.p_value:.3f}"
    return [
        f"{compared.auc_a:.3f}",
        f"{compared.auc_b:.3f}",
        f"{compared.difference:+.3f} ({interval})",
        p,
    ]
