"""The content of a report, before it is rendered: totals, rows, failures, evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

from deepfake.evidence import Evidence

__all__ = [
    "FAKE_SHARES",
    "MAX_ROWS",
    "NUM_BINS",
    "FalseAlarms",
    "Report",
    "Rows",
    "false_alarms",
]

MAX_ROWS = 100_000
"""Rows in the table of a report."""

NUM_BINS = 20
"""Bins of the histogram of `prob_fake`."""

FAKE_SHARES = (0.5, 0.1, 0.01)
"""Shares of fakes among the media, for which false alarms are computed."""
_MAX_TEXT_CHARS = 20 * 2**20
"""Length of all names and reasons together: the rest of the report has to fit in too."""

_REASONS = ("reason", "reason_voice", "reason_sync", "reason_file")

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Rows:
    """The table of files, a list of equal length for each column.

    Attributes:
        columns: Values by column; those of columns in `names` are positions in it.
        names: Different values by column, for columns with few of them. Columns of the voice, and
            of lips and sound, are there if any file has a verdict on them, those of the file with
            either.
        num_left_out: Number of files that there was no room for.
    """

    columns: Mapping[str, list[Any]]
    names: Mapping[str, list[str]]
    num_left_out: int = 0

    def __len__(self) -> int:
        return len(self.columns["uri"])

    @property
    def folder(self) -> str:
        """The folder that contains all files, with its last slash; empty where there is none."""
        uris = self.columns["uri"]
        if not uris:
            return ""
        # What the first and the last in sorted order share, all others share.
        pairs = zip(min(uris).split("/")[:-1], max(uris).split("/")[:-1], strict=False)
        shared = takewhile(lambda pair: pair[0] == pair[1], pairs)
        folder = "".join(f"{part}/" for part, _ in shared)
        return folder if folder.strip("/") else ""

    @classmethod
    def of(cls, rows: Sequence[Row], *, num_files: int | None = None) -> Rows:
        """Return the table of some rows; those over the limits are left out and counted.

        Args:
            rows: Rows of the scores table, the most important first.
            num_files: Number of all files, where `rows` are not all of them.
        """
        taken: list[Row] = []
        room = _MAX_TEXT_CHARS
        for row in rows[:MAX_ROWS]:
            room -= len(str(row["uri"])) + sum(len(row.get(n) or "") for n in _REASONS)
            if room < 0:
                break
            taken.append(row)
        columns: dict[str, list[Any]] = {
            "uri": [row["uri"] for row in taken],
            "media_id": [row["media_id"] for row in taken],
            "prob_fake": [_rounded(row["prob_fake"], 4) for row in taken],
            "likelihood_ratio": [_significant(row.get("likelihood_ratio")) for row in taken],
            "bound": [_bound_of(row) for row in taken],
            "num_faces": [row["num_faces"] for row in taken],
            "num_frames": [row["num_frames"] for row in taken],
            "strongest_pts_seconds": [_rounded(row["strongest_pts_seconds"], 2) for row in taken],
        }
        named = ["verdict", "status", "kind", "reason"]
        if any(row.get("verdict_voice") is not None for row in taken):
            probs = [_rounded(row.get("prob_fake_voice"), 4) for row in taken]
            columns["prob_fake_voice"] = probs
            named += ["verdict_voice", "reason_voice"]
        if any(row.get("verdict_sync") is not None for row in taken):
            columns["prob_mismatch"] = [_rounded(row.get("prob_mismatch"), 4) for row in taken]
            named += ["verdict_sync", "reason_sync"]
        has_more = {"verdict_voice", "verdict_sync"} & set(named)
        if has_more and any(row.get("verdict_file") is not None for row in taken):
            columns["prob_fake_file"] = [_rounded(row.get("prob_fake_file"), 4) for row in taken]
            named += ["verdict_file", "reason_file"]
        names: dict[str, list[str]] = {}
        for column in named:
            values = [str(row.get(column) or "") for row in taken]
            names[column] = sorted(set(values))
            positions = {value: position for position, value in enumerate(names[column])}
            columns[column] = [positions[value] for value in values]
        total = len(rows) if num_files is None else num_files
        return cls(columns, names, total - len(taken))


@dataclass(frozen=True)
class FalseAlarms:
    """The share of false alarms among all alarms (files with verdict `fake`), at least.

    Attributes:
        kind: `stills` or `videos`.
        rate: False-alarm rate that the thresholds were chosen for.
        num_real: Number of reals that they were chosen on.
        shares: Share of false alarms by share of fakes among the media, if no fake is missed.
    """

    kind: str
    rate: float
    num_real: int
    shares: Mapping[float, float]


def false_alarms(kind: str, thresholds: Mapping[str, Any] | None) -> FalseAlarms | None:
    """Return how many alarms are false, given the rate that the thresholds were chosen for.

    Args:
        kind: `stills` or `videos`.
        thresholds: From the detector's description; None where they are not known.

    Example:
        >>> thresholds = {"max_false_alarm": 0.05, "is_fitted": True, "num_real": 100}
        >>> round(false_alarms("stills", thresholds).shares[0.01], 2)
        0.83
    """
    rate = (thresholds or {}).get("max_false_alarm")
    if thresholds is None or not thresholds.get("is_fitted") or not isinstance(rate, float):
        return None
    shares = {p: (1 - p) * rate / ((1 - p) * rate + p) for p in FAKE_SHARES}
    return FalseAlarms(kind, rate, int(thresholds.get("num_real") or 0), shares)


@dataclass(frozen=True)
class Report:
    """The content of a report.

    Attributes:
        title: What was scored.
        detector: Name, version and digest of the detector.
        voice_detector: The same of the detector of voices; None where nobody asked.
        rows: The table of files.
        missed: How often fakes of kinds that it did not learn are called real, a sentence each.
        notes: What else a reader of its verdicts must know: scope, calibration.
        model_notes: How the detector was trained and calibrated, for engineers, a sentence each.
        statuses: Number of files by status.
        verdicts: Number of files by verdict.
        voice_verdicts: The same by verdict on the voice; empty where nobody asked.
        sync_verdicts: The same by verdict on lips and sound; empty where nobody asked.
        file_verdicts: The same by verdict on all answers; empty where faces alone were judged.
        sync_detector: Name, version and digest of the detector of lips and sound, or None.
        histogram: Number of files by `prob_fake`, in `NUM_BINS` equal bins.
        thresholds: By `still` and `video`: where `real` ends and `fake` begins; None if unknown.
        alarms: How many alarms are false; empty where that is unknown.
        failures: Status, reason, number of files and one of them, the most frequent first.
        evidence: Evidence, the most important first.
        where: The scored folder, which has all rows and all failures.
    """

    title: str
    detector: str
    rows: Rows
    missed: Sequence[str] = ()
    notes: Sequence[str] = ()
    model_notes: Sequence[str] = ()
    statuses: Mapping[str, int] = field(default_factory=dict)
    verdicts: Mapping[str, int] = field(default_factory=dict)
    voice_verdicts: Mapping[str, int] = field(default_factory=dict)
    sync_verdicts: Mapping[str, int] = field(default_factory=dict)
    file_verdicts: Mapping[str, int] = field(default_factory=dict)
    histogram: Sequence[int] = (0,) * NUM_BINS
    thresholds: Mapping[str, tuple[float, float] | None] = field(default_factory=dict)
    alarms: Sequence[FalseAlarms] = ()
    failures: Sequence[Mapping[str, Any]] = ()
    evidence: Sequence[Evidence] = ()
    where: str | None = None
    voice_detector: str | None = None
    sync_detector: str | None = None


def _significant(value: Any) -> float | None:
    return None if value is None else float(f"{float(value):.2g}")


def _bound_of(row: Row) -> int:
    """Return 1 where the likelihood ratio is the most that is stated, -1 the least, else 0."""
    value = row.get("likelihood_ratio")
    ends = (row.get("likelihood_ratio_max"), row.get("likelihood_ratio_min"))
    at_most, at_least = (value is not None and end is not None and value == end for end in ends)
    return int(at_most) - int(at_least)


def _rounded(value: Any, digits: int) -> float | None:
    return None if value is None else round(float(value), digits)
