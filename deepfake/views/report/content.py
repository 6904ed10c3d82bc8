"""What a report holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

from deepfake.evidence import EvidenceRecord

__all__ = [
    "MAX_ROWS",
    "NUM_BINS",
    "FalseAlarms",
    "Item",
    "Report",
    "Rows",
    "false_alarms",
]

MAX_ROWS = 100_000
NUM_BINS = 20
"""Of the histogram of `prob_fake`."""

_SHARES = (0.5, 0.1, 0.01)
"""Of fakes among the media."""
_MAX_NAME_BYTES = 20 * 2**20
"""Of all names and reasons together: the rest of the report has to fit in too."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Item:
    """The evidence for one content.

    Attributes:
        record: What it says.
        pictures: JPEG by name; those that are gone are lacking.
    """

    record: EvidenceRecord
    pictures: Mapping[str, bytes]


@dataclass(frozen=True)
class Rows:
    """The rows of the table, a list a column, all of one length.

    Attributes:
        columns: By name; those with few different values hold positions in `names`.
        names: The values of such columns.
        num_left_out: Files that there was no room for.
    """

    columns: Mapping[str, list[Any]]
    names: Mapping[str, list[str]]
    num_left_out: int = 0

    def __len__(self) -> int:
        return len(self.columns["uri"])

    @property
    def folder(self) -> str:
        """The folder that all files lie in, with its last slash; empty where there is none."""
        uris = self.columns["uri"]
        if not uris:
            return ""
        # What the first and the last in order share, all between them share.
        pairs = zip(min(uris).split("/")[:-1], max(uris).split("/")[:-1], strict=False)
        shared = takewhile(lambda pair: pair[0] == pair[1], pairs)
        folder = "".join(f"{part}/" for part, _ in shared)
        return folder if folder.strip("/") else ""

    @classmethod
    def of(cls, rows: Sequence[Row], *, num_files: int | None = None) -> Rows:
        """Return rows as they are embedded; those over the limits are counted and left out.

        Args:
            rows: Of the scores table, the most telling first.
            num_files: All files, where `rows` are not all of them.
        """
        taken: list[Row] = []
        room = _MAX_NAME_BYTES
        for row in rows[:MAX_ROWS]:
            room -= len(str(row["uri"])) + len(row["reason"] or "")
            if room < 0:
                break
            taken.append(row)
        columns: dict[str, list[Any]] = {
            "uri": [row["uri"] for row in taken],
            "media_id": [row["media_id"] for row in taken],
            "prob_fake": [_rounded(row["prob_fake"], 4) for row in taken],
            "num_faces": [row["num_faces"] for row in taken],
            "num_frames": [row["num_frames"] for row in taken],
            "strongest_pts_seconds": [_rounded(row["strongest_pts_seconds"], 2) for row in taken],
        }
        names: dict[str, list[str]] = {}
        for column in ("verdict", "status", "kind", "reason"):
            values = [str(row[column] or "") for row in taken]
            names[column] = sorted(set(values))
            at = {value: position for position, value in enumerate(names[column])}
            columns[column] = [at[value] for value in values]
        total = len(rows) if num_files is None else num_files
        return cls(columns, names, total - len(taken))


@dataclass(frozen=True)
class FalseAlarms:
    """How many of the files called fake are real, at least, where so many are fake.

    Attributes:
        kind: `stills` or `videos`.
        rate: Share of reals that are called fake, at most, when the thresholds were chosen.
        num_real: Reals that they were chosen on.
        shares: Share of fakes met -> share of false alarms among alarms, if no fake is missed.
    """

    kind: str
    rate: float
    num_real: int
    shares: Mapping[float, float]


def false_alarms(kind: str, thresholds: Mapping[str, Any] | None) -> FalseAlarms | None:
    """Return how many alarms are false, from what a detector's thresholds were chosen for.

    Args:
        kind: `stills` or `videos`.
        thresholds: As a detector's description has them; None where they are not known.

    Example:
        >>> told = {"max_false_alarm": 0.05, "is_fitted": True, "num_real": 100}
        >>> round(false_alarms("stills", told).shares[0.01], 2)
        0.83
    """
    rate = (thresholds or {}).get("max_false_alarm")
    if thresholds is None or not thresholds.get("is_fitted") or not isinstance(rate, float):
        return None
    shares = {p: (1 - p) * rate / ((1 - p) * rate + p) for p in _SHARES}
    return FalseAlarms(kind, rate, int(thresholds.get("num_real") or 0), shares)


@dataclass(frozen=True)
class Report:
    """All of a report.

    Attributes:
        title: What was scored.
        detector: Which detector, in words.
        notes: What a reader of its verdicts must know: scope, calibration.
        model_notes: What else is known of the detector, a sentence each.
        statuses: Files by status.
        verdicts: Files by verdict.
        histogram: Files by `prob_fake`, in `NUM_BINS` equal bins.
        thresholds: By `still` and `video`: where `real` ends and `fake` begins; None if unknown.
        alarms: How many alarms are false; empty where that is unknown.
        rows: The table.
        failures: Status, reason, number of files and one of them, the most frequent first.
        items: Evidence, the most telling first.
        where: Where all rows are, and the files of the failures.
    """

    title: str
    detector: str
    rows: Rows
    notes: Sequence[str] = ()
    model_notes: Sequence[str] = ()
    statuses: Mapping[str, int] = field(default_factory=dict)
    verdicts: Mapping[str, int] = field(default_factory=dict)
    histogram: Sequence[int] = (0,) * NUM_BINS
    thresholds: Mapping[str, tuple[float, float] | None] = field(default_factory=dict)
    alarms: Sequence[FalseAlarms] = ()
    failures: Sequence[Mapping[str, Any]] = ()
    items: Sequence[Item] = ()
    where: str | None = None


def _rounded(value: Any, digits: int) -> float | None:
    return None if value is None else round(float(value), digits)
