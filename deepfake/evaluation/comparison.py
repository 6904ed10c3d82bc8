"""Compare two detectors on the same media."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

import pandas as pd

from deepfake.errors import DataError
from deepfake.evaluation.corpus import (
    against_reals,
    is_correct,
    iter_column_slices,
    iter_slices,
)
from deepfake.evaluation.metrics import PairedComparison, paired_bootstrap
from deepfake.evaluation.result import EvaluationResult
from deepfake.types import Label

__all__ = [
    "SliceComparison",
    "compare_evaluations",
    "compare_slices",
    "compare_tables",
    "comparison_json",
    "comparison_markdown",
]

_KEYS = ["corpus", "uri"]
_OF_THE_DETECTOR = ["log_odds", "prob_fake", "threshold", "logit"]


@dataclass(frozen=True, slots=True)
class SliceComparison:
    """Two detectors on one slice of a corpus.

    Attributes:
        corpus: Which corpus.
        by: The column that the slice is cut by, such as `method`.
        value: Of that column.
        n: Files with a score; with both classes, those of the rarer one.
        measure: `auc`, or for a slice of reals `specificity`: the share called real.
        first: The first detector's.
        second: The second detector's.
        difference: `second - first`.
        low: Lower end of the 95 % interval of an AUC's difference; None where not estimable.
        high: Upper end.
    """

    corpus: str
    by: str
    value: str
    n: int
    measure: Literal["auc", "specificity"]
    first: float
    second: float
    difference: float
    low: float | None = None
    high: float | None = None


def compare_evaluations(
    first: EvaluationResult, second: EvaluationResult, *, seed: int = 0
) -> dict[str, dict[str, PairedComparison]]:
    """Compare the AUC of two detectors, corpus by corpus, on the files that both have a score for.

    Args:
        first: Of the first detector.
        second: Of the second, on the same files.
        seed: Of the bootstrap.

    Returns:
        By corpus, `all` files and `matched` ones; a difference over 0 is in favour of the second.

    Raises:
        DataError: The two are not of the same files.
    """
    scored = _of_both(first.table, second.table)
    return {
        str(corpus): {
            "all": _compared(rows, seed=seed),
            "matched": _compared(rows[rows["pair_id"].notna()], seed=seed),
        }
        for corpus, rows in scored.groupby("corpus", sort=True)
    }


def compare_slices(
    first: EvaluationResult, second: EvaluationResult, *, seed: int = 0
) -> list[SliceComparison]:
    """Compare two detectors slice by slice, on the files that both have a score for.

    Args:
        first: Of the first detector.
        second: Of the second, on the same files.
        seed: Of the bootstrap.

    Returns:
        The slices in which the measure is defined: AUC where there are fakes, against all reals of
        the corpus where the slice has none, and the share called real in slices of reals.

    Raises:
        DataError: The two are not of the same files.
    """
    return _slices_compared(_of_both(first.table, second.table), slices=iter_slices, seed=seed)


def compare_tables(
    first: pd.DataFrame, second: pd.DataFrame, *, seed: int = 0
) -> tuple[PairedComparison, list[SliceComparison]]:
    """Compare two detectors on all files of one corpus, and by method, kind and compression.

    Args:
        first: Of the first detector, a row a file: `corpus`, `uri`, `label`, `method`, `kind`,
            `compression`, `group`, `logit`, `log_odds` (what orders the files), `prob_fake`, and
            `threshold`, from which on a file is called fake.
        second: Of the second, on the same files.
        seed: Of the bootstrap.

    Raises:
        DataError: The two are not of the same files.
    """
    scored = _of_both(first, second)
    slices = _slices_compared(scored, slices=iter_column_slices, seed=seed)
    return _compared(scored, seed=seed), slices


def _slices_compared(
    scored: pd.DataFrame,
    *,
    slices: Callable[[pd.DataFrame], Iterator[tuple[str, str, pd.DataFrame]]],
    seed: int,
) -> list[SliceComparison]:
    found = [
        _slice_compared(str(corpus), files, rows, by=by, value=value, seed=seed)
        for corpus, files in scored.groupby("corpus", sort=True)
        for by, value, rows in slices(files.reset_index(drop=True))
    ]
    return [part for part in found if part is not None]


def _of_both(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Return the files that both have a score for; the second one's columns end in `_other`."""
    both = first.merge(
        second[[*_KEYS, *_OF_THE_DETECTOR]],
        on=_KEYS,
        suffixes=("", "_other"),
        how="outer",
        indicator=True,
    )
    if (both["_merge"] != "both").any():
        raise DataError("two detectors are compared on the same files, and these differ")
    return both[both["log_odds"].notna() & both["log_odds_other"].notna()]


def _slice_compared(
    corpus: str, files: pd.DataFrame, rows: pd.DataFrame, *, by: str, value: str, seed: int
) -> SliceComparison | None:
    num_fake = int((rows["label"] == Label.FAKE).sum())
    if num_fake == 0:
        return _specificities(corpus, rows, by=by, value=value)
    compared = _compared(against_reals(files, rows), seed=seed)
    if compared.difference is None or compared.auc_a is None or compared.auc_b is None:
        return None
    return SliceComparison(
        corpus=corpus,
        by=by,
        value=value,
        n=num_fake if num_fake == len(rows) else min(num_fake, len(rows) - num_fake),
        measure="auc",
        first=compared.auc_a,
        second=compared.auc_b,
        difference=compared.difference,
        low=compared.low,
        high=compared.high,
    )


def _specificities(corpus: str, rows: pd.DataFrame, *, by: str, value: str) -> SliceComparison:
    other = rows.assign(**{name: rows[f"{name}_other"] for name in _OF_THE_DETECTOR})
    first, second = (float(is_correct(of).mean()) for of in (rows, other))
    return SliceComparison(
        corpus, by, value, len(rows), "specificity", first, second, second - first
    )


def _compared(rows: pd.DataFrame, *, seed: int) -> PairedComparison:
    return paired_bootstrap(
        (rows["label"] == Label.FAKE).to_numpy().astype(int),
        rows["log_odds"].to_numpy(dtype=float),
        rows["log_odds_other"].to_numpy(dtype=float),
        rows["group"].to_numpy(dtype=str),
        seed=seed,
    )


def comparison_json(comparisons: dict[str, dict[str, PairedComparison]]) -> dict[str, Any]:
    """Return a comparison in JSON types."""
    return {
        corpus: {part: asdict(compared) for part, compared in parts.items()}
        for corpus, parts in comparisons.items()
    }


def comparison_markdown(
    comparisons: dict[str, dict[str, PairedComparison]], *, first: str, second: str
) -> str:
    """Return the comparison as a section of a page.

    Args:
        comparisons: From `compare_evaluations`.
        first: Name of the first detector.
        second: Name of the second.
    """
    lines = [
        f"## {second} against {first}",
        "",
        f"AUC on the same files, paired bootstrap over groups; over 0 is in favour of {second}.",
        "",
        f"| corpus | files | {first} | {second} | difference (95 %) | p |",
        "|---|---|---|---|---|---|",
    ]
    for corpus, parts in comparisons.items():
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
