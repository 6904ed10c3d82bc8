"""From tables of scores to what a report holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from deepfake.errors import DataError
from deepfake.evidence import evidence_folder, kept_evidence, read_evidence, read_picture
from deepfake.storage import Location, local_copy, read_json
from deepfake.types import EXPECTED_STATUSES
from deepfake.views.report.content import MAX_ROWS, NUM_BINS, Item, Report, Rows, false_alarms

__all__ = ["about_detector", "read_report", "report_of_rows"]

_COLUMNS = (
    "uri",
    "media_id",
    "kind",
    "status",
    "verdict",
    "reason",
    "prob_fake",
    "num_faces",
    "num_frames",
    "strongest_pts_seconds",
)
_SCHEMA = {b"schema": b"deepfake.scores", b"schema_version": b"1"}
_MAX_FAILURES = 200
_MAX_ITEMS = 1000


def read_report(output: Location, *, version: Location) -> Report:
    """Return the report of a folder of scores.

    Args:
        output: The folder.
        version: Below it, the folder of the version that is shown.

    Raises:
        DataError: The tables are missing or damaged, or of another version of this program.
    """
    told = read_json(version / "run.json")
    if not isinstance(told, dict):
        raise DataError("does not describe a run", path=version / "run.json")
    with (
        local_copy(version / "scores.parquet") as path,
        duckdb.connect(config={"memory_limit": "1GB"}) as db,
    ):
        _check(path, shown=version / "scores.parquet")
        db.execute("CREATE VIEW scores AS SELECT * FROM read_parquet('" + _quoted(path) + "')")
        columns = ", ".join(_COLUMNS)
        rows = _records(
            db,
            f"SELECT {columns} FROM scores ORDER BY prob_fake DESC NULLS LAST, uri "
            f"LIMIT {MAX_ROWS}",
        )
        statuses = _counts(db, "status")
        expected = ", ".join(f"'{status}'" for status in sorted(EXPECTED_STATUSES))
        failures = _records(
            db,
            "SELECT status, reason, count(*) AS num_files, min(uri) AS example FROM scores "
            f"WHERE status NOT IN ({expected}) GROUP BY status, reason "
            f"ORDER BY num_files DESC, status, reason LIMIT {_MAX_FAILURES}",
        )
        bins = _records(
            db,
            f"SELECT least(floor(prob_fake * {NUM_BINS})::INT, {NUM_BINS - 1}) AS bin, "
            "count(*) AS n FROM scores WHERE prob_fake IS NOT NULL GROUP BY bin",
        )
        verdicts = _counts(db, "verdict")
    counted = {row["bin"]: row["n"] for row in bins}
    detector = dict(told.get("detector") or {})
    return Report(
        title=str(told.get("folder") or output),
        detector=about_detector(detector),
        notes=tuple(str(note) for note in told.get("notes") or ()),
        rows=Rows.of(rows, num_files=sum(statuses.values())),
        statuses=statuses,
        verdicts=verdicts,
        histogram=[counted.get(at, 0) for at in range(NUM_BINS)],
        failures=failures,
        items=list(_items(version, rows)),
        where=str(output),
        **_reading(told.get("reading")),
    )


def report_of_rows(
    scores: Sequence[Mapping[str, Any]],
    *,
    detector: str,
    notes: Sequence[str],
    reading: Mapping[str, Any],
    items: Sequence[Item],
) -> Report:
    """Return the report of a few files.

    Args:
        scores: Rows of the scores table.
        detector: Which detector, in words.
        notes: What a reader of its verdicts must know.
        reading: Of the detector: `thresholds_still`, `thresholds_video`, `notes`.
        items: Evidence.
    """
    expected = {str(status) for status in EXPECTED_STATUSES}
    probs = [float(row["prob_fake"]) for row in scores if row["prob_fake"] is not None]
    bins = Counter(min(int(prob * NUM_BINS), NUM_BINS - 1) for prob in probs)
    failed = Counter(
        (str(row["status"]), row["reason"], str(row["uri"]))
        for row in scores
        if str(row["status"]) not in expected
    )
    return Report(
        title=str(scores[0]["uri"]) if len(scores) == 1 else f"{len(scores)} files",
        detector=detector,
        notes=tuple(notes),
        rows=Rows.of(sorted(scores, key=lambda row: -(row["prob_fake"] or -1.0))),
        statuses=Counter(str(row["status"]) for row in scores),
        verdicts=Counter(str(row["verdict"]) for row in scores),
        histogram=[bins.get(at, 0) for at in range(NUM_BINS)],
        failures=[
            {"status": status, "reason": reason, "num_files": count, "example": uri}
            for (status, reason, uri), count in failed.items()
        ],
        items=items,
        **_reading(reading),
    )


def about_detector(told: Mapping[str, Any]) -> str:
    """Return which detector it was, in words."""
    version = f" version {told['version']}" if told.get("version") else ""
    digest = f", digest {told['digest']}" if told.get("digest") else ""
    return f"{told.get('name') or 'unknown'}{version}{digest}"


def _reading(told: Any) -> dict[str, Any]:
    """Return the parts of a report that the detector's description gives; nothing is made up."""
    known = told if isinstance(told, dict) else {}
    thresholds: dict[str, tuple[float, float] | None] = {}
    alarms = []
    for kind in ("still", "video"):
        own = known.get(f"thresholds_{kind}")
        is_known = isinstance(own, dict) and {"real_below", "fake_from"} <= own.keys()
        thresholds[kind] = (
            (float(own["real_below"]), float(own["fake_from"])) if own and is_known else None
        )
        alarms.append(false_alarms(f"{kind}s", own if is_known else None))
    return {
        "model_notes": tuple(str(note) for note in known.get("notes") or ()),
        "thresholds": thresholds,
        "alarms": [told for told in alarms if told is not None],
    }


def _items(version: Location, rows: Sequence[Mapping[str, Any]]) -> Iterator[Item]:
    """Yield the evidence that is there, in the order of the table."""
    folder = evidence_folder(version)
    kept = set(kept_evidence(folder))
    shown: set[str] = set()
    for row in rows:
        media_id = row["media_id"]
        if media_id not in kept or media_id in shown or len(shown) == _MAX_ITEMS:
            continue
        shown.add(media_id)
        record = read_evidence(folder, media_id)
        if record is not None:
            found = {name: read_picture(folder, media_id, name) for name in record.pictures}
            yield Item(record, {name: told for name, told in found.items() if told is not None})


def _check(path: Path, *, shown: Location) -> None:
    try:
        found = pq.read_schema(path)
    except (OSError, pa.ArrowException) as error:
        raise DataError(
            f"no table of scores that can be read ({error})",
            path=shown,
            hint="Name what was --output of `deepfake score`.",
        ) from error
    metadata = found.metadata or {}
    if {key: metadata.get(key) for key in _SCHEMA} != _SCHEMA:
        raise DataError(
            "the scores are of another version of this program",
            path=shown,
            hint="Score the folder anew with this version.",
        )


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _counts(db: duckdb.DuckDBPyConnection, column: str) -> dict[str, int]:
    rows = db.execute(f"SELECT {column}, count(*) FROM scores GROUP BY 1 ORDER BY 2 DESC, 1")
    return {str(value): int(count) for value, count in rows.fetchall()}


def _records(db: duckdb.DuckDBPyConnection, query: str) -> list[dict[str, Any]]:
    found = db.execute(query)
    names = [str(told[0]) for told in found.description or ()]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
