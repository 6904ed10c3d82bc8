"""Choose the files of a scored folder that get evidence, and find what is missing or stale."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from deepfake.detectors.bundles import Bundle
from deepfake.errors import DataError
from deepfake.evidence.records import evidence_folder, list_evidence, read_record, remove_evidence
from deepfake.evidence.request import (
    BLOCK_COLUMNS,
    FRAME_COLUMNS,
    SCORE_COLUMNS,
    WINDOW_COLUMNS,
    EvidenceRequest,
    create_request,
    has_score,
)
from deepfake.storage import Location, read_locally, translate_parquet_errors
from deepfake.types import PICTURE_KINDS
from deepfake.verdicts.judgement import JudgementSettings, judgement_kind

__all__ = ["find_missing_evidence", "find_request", "remove_stale_evidence"]

_MIN_DISTANCE = 1e-6
"""Least distance of the middle of the uncertain band from 0 and 1, where log-odds are infinite."""

Row = Mapping[str, Any]


def find_missing_evidence(
    version_dir: Location, *, bundle: Bundle, num_files: int, is_retrying_failed: bool = False
) -> list[EvidenceRequest]:
    """Choose files that need a look, and return those whose evidence is missing or stale.

    Half of the files are those with the highest probability, of a fake, of spoofed speech or of
    lips that do not fit. The
    other half are those whose faces are nearest to the middle between the two thresholds, where a
    person has to look, then those with a voice alone, the highest first. A content with several
    names counts once.

    Args:
        version_dir: Folder of one version of the scores, with its tables.
        bundle: The detector.
        num_files: For how many files evidence is wanted.
        is_retrying_failed: Whether incomplete evidence is made again.
    """
    chosen = (
        read_locally(
            version_dir / "scores.parquet",
            lambda path: _choose_scores(path, bundle=bundle, num_files=num_files),
        )
        if num_files
        else []
    )
    folder = evidence_folder(version_dir)
    missing = [
        row for row in chosen if not _has_evidence(folder, row, must_be_complete=is_retrying_failed)
    ]
    return list(_create_requests(version_dir, missing))


def remove_stale_evidence(version_dir: Location) -> None:
    """Remove the evidence for scores that have changed or are there no more.

    Args:
        version_dir: Folder of one version of the scores, with its tables.
    """
    folder = evidence_folder(version_dir)
    kept = list(list_evidence(folder))
    if not kept:
        return
    current = {row["media_id"]: row for row in _read_scores(version_dir, kept)}
    for media_id in kept:
        row = current.get(media_id)
        if row is None or not _has_evidence(folder, row, must_be_complete=False):
            remove_evidence(folder, media_id)


def find_request(version_dir: Location, media_id: str) -> EvidenceRequest:
    """Return the request for the evidence of one score.

    Args:
        version_dir: Folder of one version of the scores, with its tables.
        media_id: Whose score.

    Raises:
        DataError: There is no score of that content.
    """
    for request in _create_requests(version_dir, _read_scores(version_dir, [media_id])[:1]):
        return request
    raise DataError("no score of that content is there", path=version_dir)


def _read_scores(version_dir: Location, media_ids: Sequence[str]) -> list[Row]:
    """Return rows of the scores table that have a score, those of one content under each name."""
    scores = version_dir / "scores.parquet"
    with translate_parquet_errors(scores):
        table = read_locally(
            scores,
            lambda path: _read_known(
                path, columns=SCORE_COLUMNS, filters=[("media_id", "in", list(media_ids))]
            ),
        )
    return [row for row in table.to_pylist() if has_score(row)]


def _has_evidence(folder: Location, row: Row, *, must_be_complete: bool) -> bool:
    record = read_record(folder, row["media_id"])
    if record is None or record.made_for != create_request(row, ()).made_for:
        return False
    return record.is_whole or not must_be_complete


def _create_requests(version_dir: Location, rows: Sequence[Row]) -> Iterator[EvidenceRequest]:
    if not rows:
        return
    uris = [row["uri"] for row in rows]
    frames = _rows_by_uri(version_dir / "frames.parquet", FRAME_COLUMNS, uris=uris)
    windows = version_dir / "windows.parquet"
    # It is there where voices were judged.
    speech = _rows_by_uri(windows, WINDOW_COLUMNS, uris=uris) if windows.is_file() else {}
    blocks = version_dir / "blocks.parquet"
    lips = _rows_by_uri(blocks, BLOCK_COLUMNS, uris=uris) if blocks.is_file() else {}
    for row in rows:
        uri = row["uri"]
        yield create_request(row, frames.get(uri, []), speech.get(uri, []), lips.get(uri, []))


def _rows_by_uri(
    place: Location, columns: Sequence[str], *, uris: Sequence[str]
) -> dict[str, list[Row]]:
    with translate_parquet_errors(place):
        table = read_locally(
            place,
            lambda path: _read_known(path, columns=columns, filters=[("uri", "in", list(uris))]),
        )
    by_uri: dict[str, list[Row]] = {}
    for row in table.to_pylist():
        by_uri.setdefault(row["uri"], []).append(row)
    return by_uri


def _read_known(path: Path, *, columns: Sequence[str], filters: list[Any]) -> pa.Table:
    """Read rows of a table; of one of an earlier version, the columns that it has."""
    known = set(pq.read_schema(path).names)
    return pq.read_table(path, columns=[n for n in columns if n in known], filters=filters)


def _choose_scores(path: Path, *, bundle: Bundle, num_files: int) -> list[Row]:
    """Return the chosen rows of the scores table; each content once, under its first name."""
    judged = {
        str(k): own for k in PICTURE_KINDS if (own := bundle.spec.judgement.get(judgement_kind(k)))
    }
    middles = [value for own in judged.values() for value in _middle_of_uncertain(own)]
    cases = " ".join(f"WHEN '{kind}' THEN abs(logit - ?) / ?" for kind in judged)
    columns = ", ".join(SCORE_COLUMNS)
    known = set(pq.read_schema(path).names)
    read = ", ".join(n if n in known else f"NULL::DOUBLE AS {n}" for n in SCORE_COLUMNS)
    with duckdb.connect(config={"memory_limit": "1GB"}) as db:
        db.execute(
            f"CREATE TEMP TABLE contents AS SELECT *, CASE kind {cases} END AS distance FROM "
            f"(SELECT {read} FROM read_parquet(?)) "
            "WHERE (status = 'ok' AND prob_fake IS NOT NULL) OR prob_fake_voice IS NOT NULL "
            "QUALIFY row_number() OVER (PARTITION BY media_id ORDER BY uri) = 1",
            [*middles, str(path)],
        )
        db.execute(
            "CREATE TEMP TABLE highest AS SELECT * FROM contents "
            # The greatest of a number and of none is the number.
            "ORDER BY greatest(prob_fake, prob_fake_voice, prob_mismatch) DESC, media_id LIMIT ?",
            [-(-num_files // 2)],
        )
        found = db.execute(
            f"SELECT {columns} FROM highest UNION ALL SELECT {columns} FROM ("
            "SELECT * FROM contents WHERE media_id NOT IN (SELECT media_id FROM highest) "
            "ORDER BY distance NULLS LAST, prob_fake_voice DESC NULLS LAST, media_id LIMIT ?)",
            [num_files // 2],
        )
        return [dict(zip(SCORE_COLUMNS, row, strict=True)) for row in found.fetchall()]


def _middle_of_uncertain(settings: JudgementSettings) -> tuple[float, float]:
    """Return the logit in the middle of the uncertain band, and how many logits are 1 log-odds."""
    calibration, thresholds = settings.calibration, settings.thresholds
    middle = (thresholds.real_below + min(thresholds.fake_from, 1.0)) / 2
    middle = min(max(middle, _MIN_DISTANCE), 1 - _MIN_DISTANCE)
    log_odds = math.log(middle / (1 - middle))
    return (log_odds - calibration.bias) * calibration.temperature, calibration.temperature
