"""Read the content of a report from a scored folder, or create it from a few scores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from deepfake.detectors.identity import name_with_version
from deepfake.errors import DataError
from deepfake.evidence import Evidence, evidence_folder, list_evidence, load_evidence
from deepfake.storage import Location, local_copy, read_json
from deepfake.types import EXPECTED_STATUSES
from deepfake.verdicts.judgement import judgement_plural
from deepfake.views.report.content import MAX_ROWS, NUM_BINS, Report, Rows, false_alarms

__all__ = ["create_report", "read_report"]

_COLUMNS = (
    "uri",
    "media_id",
    "kind",
    "status",
    "verdict",
    "reason",
    "prob_fake",
    "likelihood_ratio",
    "likelihood_ratio_min",
    "likelihood_ratio_max",
    "num_faces",
    "num_frames",
    "strongest_pts_seconds",
    "verdict_voice",
    "reason_voice",
    "prob_fake_voice",
    "verdict_sync",
    "reason_sync",
    "prob_mismatch",
    "verdict_file",
    "reason_file",
    "prob_fake_file",
)
_SCHEMA = {b"schema": b"deepfake.scores", b"schema_version": b"1"}
_PROBABILITIES = ("prob_fake", "prob_fake_voice", "prob_mismatch")
_MAX_FAILURES = 200
_MAX_WITH_EVIDENCE = 1000


def read_report(output: Location, *, version_dir: Location) -> Report:
    """Return the report of a scored folder.

    Args:
        output: The scored folder.
        version_dir: In it, the folder of the version that is shown.

    Raises:
        DataError: The tables are missing or damaged, or of another version of this program.
    """
    run = read_json(version_dir / "run.json")
    if not isinstance(run, dict):
        raise DataError("does not describe a run", path=version_dir / "run.json")
    scores = version_dir / "scores.parquet"
    with local_copy(scores) as path, duckdb.connect(config={"memory_limit": "1GB"}) as db:
        lacking = _lacking_columns(_checked_schema(path, shown=scores))
        db.execute(f"CREATE VIEW scores AS SELECT *{lacking} FROM read_parquet('{_quoted(path)}')")
        rows = _query(
            db,
            f"SELECT {', '.join(_COLUMNS)} FROM scores "
            # The greatest of a number and of none is the number.
            "ORDER BY greatest(prob_fake, prob_fake_voice, prob_mismatch) DESC NULLS LAST, uri "
            f"LIMIT {MAX_ROWS}",
        )
        statuses, verdicts = _count_by(db, "status"), _count_by(db, "verdict")
        voice_verdicts, sync_verdicts = (
            _count_by(db, "verdict_voice"),
            _count_by(db, "verdict_sync"),
        )
        has_more = bool(voice_verdicts or sync_verdicts)
        file_verdicts = _count_by(db, "verdict_file") if has_more else {}
        histogram, failures = _histogram(db), _failures(db)
    return Report(
        title=str(run.get("folder") or output),
        detector=_detector_name(dict(run.get("detector") or {})),
        voice_detector=_further_detector_name(run.get("voice_detector")),
        sync_detector=_further_detector_name(run.get("sync_detector")),
        rows=Rows.of(rows, num_files=sum(statuses.values())),
        statuses=statuses,
        verdicts=verdicts,
        voice_verdicts=voice_verdicts,
        sync_verdicts=sync_verdicts,
        file_verdicts=file_verdicts,
        histogram=histogram,
        failures=failures,
        evidence=list(_load_evidence(version_dir, rows)),
        where=str(output),
        **_reading_notes(run.get("reading"), notes=run.get("notes") or ()),
    )


def create_report(
    scores: Sequence[Mapping[str, Any]],
    *,
    detector: str,
    notes: Sequence[str],
    reading: Mapping[str, Any],
    evidence: Sequence[Evidence],
    voice_detector: str | None = None,
    sync_detector: str | None = None,
) -> Report:
    """Return the report of a few files.

    Args:
        scores: Rows of the scores table.
        detector: Name, version and digest of the detector.
        notes: What a reader of its verdicts must know.
        reading: From `describe_for_report` the detector: `thresholds`, `missed`, `notes`.
        evidence: The evidence for these files.
        voice_detector: Name, version and digest of the detector of voices; None where nobody asked.
        sync_detector: The same of the detector of lips and sound.
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
        voice_detector=voice_detector,
        sync_detector=sync_detector,
        rows=Rows.of(sorted(scores, key=_highest_probability, reverse=True)),
        statuses=Counter(str(row["status"]) for row in scores),
        verdicts=Counter(str(row["verdict"]) for row in scores),
        voice_verdicts=_counts_of(scores, "verdict_voice"),
        sync_verdicts=_counts_of(scores, "verdict_sync"),
        file_verdicts=_counts_of(scores, "verdict_file")
        if _counts_of(scores, "verdict_voice") or _counts_of(scores, "verdict_sync")
        else {},
        histogram=[bins.get(number, 0) for number in range(NUM_BINS)],
        failures=[
            {"status": status, "reason": reason, "num_files": count, "example": uri}
            for (status, reason, uri), count in failed.items()
        ],
        evidence=evidence,
        **_reading_notes(reading, notes=notes),
    )


def _counts_of(scores: Sequence[Mapping[str, Any]], column: str) -> dict[str, int]:
    return dict(Counter(str(row[column]) for row in scores if row.get(column) is not None))


def _highest_probability(row: Mapping[str, Any]) -> float:
    known = (row.get(name) for name in _PROBABILITIES)
    return max((float(prob) for prob in known if prob is not None), default=-1.0)


def _further_detector_name(detector: object) -> str | None:
    return _detector_name(detector) if isinstance(detector, dict) else None


def _detector_name(detector: Mapping[str, Any]) -> str:
    name = name_with_version(detector.get("name") or "unknown", detector.get("version"))
    digest = f", digest {detector['digest']}" if detector.get("digest") else ""
    return f"{name}{digest}"


def _reading_notes(reading: object, *, notes: Sequence[object]) -> dict[str, Any]:
    """Return thresholds, false alarms and notes, as far as the detector's description has them."""
    known = reading if isinstance(reading, dict) else {}
    thresholds: dict[str, tuple[float, float] | None] = {}
    alarms = []
    for kind, kind_thresholds in _thresholds_by_kind(known).items():
        is_known = (
            isinstance(kind_thresholds, dict)
            and {"real_below", "fake_from"} <= kind_thresholds.keys()
        )
        thresholds[kind] = (
            (float(kind_thresholds["real_below"]), float(kind_thresholds["fake_from"]))
            if kind_thresholds and is_known
            else None
        )
        alarms.append(false_alarms(judgement_plural(kind), kind_thresholds if is_known else None))
    # Folders scored by earlier versions do not say which of the notes these are.
    missed = tuple(str(note) for note in known.get("missed") or ())
    return {
        "missed": missed,
        "notes": tuple(str(note) for note in notes if str(note) not in missed),
        "model_notes": tuple(str(note) for note in known.get("notes") or ()),
        "thresholds": thresholds,
        "alarms": [alarm for alarm in alarms if alarm is not None],
    }


def _thresholds_by_kind(reading: Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(thresholds := reading.get("thresholds"), dict):
        return thresholds
    # Folders scored until version 0.1 name them one by one.
    return {kind: reading.get(f"thresholds_{kind}") for kind in ("still", "video")}


def _load_evidence(version_dir: Location, rows: Sequence[Mapping[str, Any]]) -> Iterator[Evidence]:
    """Yield the evidence that is kept for these rows, in their order, each content once."""
    folder = evidence_folder(version_dir)
    kept = set(list_evidence(folder))
    media_ids = dict.fromkeys(row["media_id"] for row in rows if row["media_id"] in kept)
    for media_id in list(media_ids)[:_MAX_WITH_EVIDENCE]:
        evidence = load_evidence(folder, media_id)
        if evidence is not None:
            yield evidence


def _lacking_columns(schema: pa.Schema) -> str:
    """Return SQL for the columns that tables of earlier versions lack, which are empty."""
    lacking = [name for name in _COLUMNS if name not in schema.names]
    return "".join(f", NULL::DOUBLE AS {name}" for name in lacking)


def _checked_schema(path: Path, *, shown: Location) -> pa.Schema:
    try:
        schema = pq.read_schema(path)
    except (OSError, pa.ArrowException, ValueError) as error:
        raise DataError(
            f"not a readable table of scores ({error})",
            path=shown,
            hint="Name the folder that was --output of `deepfake score`.",
        ) from error
    metadata = schema.metadata or {}
    if {key: metadata.get(key) for key in _SCHEMA} != _SCHEMA:
        raise DataError(
            "the scores were written by another version of this program",
            path=shown,
            hint="Score the folder again with this version.",
        )
    return schema


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _count_by(db: duckdb.DuckDBPyConnection, column: str) -> dict[str, int]:
    rows = db.execute(
        f"SELECT {column}, count(*) FROM scores WHERE {column} IS NOT NULL "
        "GROUP BY 1 ORDER BY 2 DESC, 1"
    )
    return {str(value): int(count) for value, count in rows.fetchall()}


def _histogram(db: duckdb.DuckDBPyConnection) -> list[int]:
    """Return the number of files in each bin of `prob_fake`."""
    rows = db.execute(
        f"SELECT least(floor(prob_fake * {NUM_BINS})::INT, {NUM_BINS - 1}), count(*) "
        "FROM scores WHERE prob_fake IS NOT NULL GROUP BY 1"
    )
    counts = dict(rows.fetchall())
    return [counts.get(number, 0) for number in range(NUM_BINS)]


def _failures(db: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Return the most frequent failures: status, reason, number of files and one of them."""
    expected = ", ".join(f"'{status}'" for status in sorted(EXPECTED_STATUSES))
    return _query(
        db,
        "SELECT status, reason, count(*) AS num_files, min(uri) AS example FROM scores "
        f"WHERE status NOT IN ({expected}) GROUP BY status, reason "
        f"ORDER BY num_files DESC, status, reason LIMIT {_MAX_FAILURES}",
    )


def _query(db: duckdb.DuckDBPyConnection, query: str) -> list[dict[str, Any]]:
    result = db.execute(query)
    names = [str(column[0]) for column in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]
