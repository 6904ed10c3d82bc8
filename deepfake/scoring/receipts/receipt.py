"""Export a score as a receipt: one JSON file with all that is needed to compute it again.

A receipt may come from a stranger: it is read as data, of one schema, and names nothing that is
opened but the file that was scored.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pyarrow.parquet as pq
from pydantic import Field, ValidationError

from deepfake.config import StoredRecord, first_problem
from deepfake.errors import DataError
from deepfake.scoring.output.folder import ScoresFolder
from deepfake.scoring.output.listing import listed_file
from deepfake.scoring.parts import parts_holding, read_made_with
from deepfake.scoring.schemas import SCORES_SCHEMA
from deepfake.scoring.setups import (
    DetectorName,
    Environment,
    ScoringConfiguration,
    StoredSetup,
    read_setup,
)
from deepfake.scoring.state.queries import find_part, find_size_and_time
from deepfake.storage import (
    Location,
    StorePath,
    medium_file,
    read_locally,
    sampled_digest_of,
    sha256_of,
    stat_medium,
    to_uri,
    translate_parquet_errors,
)
from deepfake.types import Status, SyncVerdict, Verdict

__all__ = ["Receipt", "ScoreRow", "make_receipt", "read_receipt"]

_MAX_BYTES = 2**20
_MEDIA_ID = re.compile(r"[0-9a-f]{64}")
_HASH = r"^[0-9a-f]{64}$"


class ScoreRow(StoredRecord):
    """A row of the scores table; see `SCORES_SCHEMA`.

    Columns that older receipts lack have a default.
    """

    uri: str = Field(max_length=10_000)
    media_id: str = Field(pattern=_HASH)
    kind: Literal["image", "video", "audio"] | None
    status: Status
    verdict: Verdict
    reason: str | None = Field(max_length=10_000)
    prob_fake: float | None = Field(ge=0, le=1)
    logit: float | None
    likelihood_ratio: float | None = Field(default=None, gt=0)
    likelihood_ratio_min: float | None = Field(default=None, gt=0)
    likelihood_ratio_max: float | None = Field(default=None, gt=0)
    num_faces: int | None
    num_tracks: int | None
    num_frames: int | None
    strongest_track_id: int | None
    strongest_pts_seconds: float | None
    turned_degrees: Literal[0, 90, 180, 270] | None = None
    is_partial: bool
    frames_wanted: int | None
    frames_read: int | None
    error_type: str | None = Field(max_length=1000)
    message: str | None = Field(max_length=10_000)
    model_name: str = Field(max_length=1000)
    model_version: str | None = Field(max_length=1000)
    model_digest: str = Field(max_length=1000)
    config_digest: str = Field(max_length=1000)
    prior: float = Field(gt=0, lt=1)
    seconds: float | None
    verdict_voice: Verdict | None = None
    reason_voice: str | None = Field(default=None, max_length=10_000)
    prob_fake_voice: float | None = Field(default=None, ge=0, le=1)
    logit_voice: float | None = None
    likelihood_ratio_voice: float | None = Field(default=None, gt=0)
    likelihood_ratio_voice_min: float | None = Field(default=None, gt=0)
    likelihood_ratio_voice_max: float | None = Field(default=None, gt=0)
    novelty_voice: float | None = None
    speech_seconds: float | None = Field(default=None, ge=0)
    num_windows: int | None = Field(default=None, ge=0)
    strongest_voice_pts_seconds: float | None = None
    strongest_voice_end_seconds: float | None = None
    voice_model_name: str | None = Field(default=None, max_length=1000)
    voice_model_version: str | None = Field(default=None, max_length=1000)
    voice_model_digest: str | None = Field(default=None, max_length=1000)
    verdict_sync: SyncVerdict | None = None
    reason_sync: str | None = Field(default=None, max_length=10_000)
    prob_mismatch: float | None = Field(default=None, ge=0, le=1)
    logit_sync: float | None = None
    likelihood_ratio_sync: float | None = Field(default=None, gt=0)
    likelihood_ratio_sync_min: float | None = Field(default=None, gt=0)
    likelihood_ratio_sync_max: float | None = Field(default=None, gt=0)
    offset_sync_seconds: float | None = None
    is_out_of_sync: bool | None = None
    num_runs: int | None = Field(default=None, ge=0)
    speaking_track_id: int | None = None
    strongest_sync_pts_seconds: float | None = None
    strongest_sync_end_seconds: float | None = None
    sync_model_name: str | None = Field(default=None, max_length=1000)
    sync_model_version: str | None = Field(default=None, max_length=1000)
    sync_model_digest: str | None = Field(default=None, max_length=1000)
    verdict_file: Verdict | None = None
    reason_file: str | None = Field(default=None, max_length=10_000)
    prob_fake_file: float | None = Field(default=None, ge=0, le=1)
    likelihood_ratio_file: float | None = Field(default=None, gt=0)


class Receipt(StoredRecord):
    """A score, and all that it was made with.

    Attributes:
        schema_name: What this is.
        schema_version: Of these fields.
        made_at: When it was exported; ISO 8601, UTC.
        uri: The file.
        sha256: Of all bytes of the file, computed when it was exported.
        size_bytes: Of the file.
        score: Its row.
        detector: Which detector.
        configuration: How it scored.
        made_with: Versions and processor of the run that scored it.
        voice_detector: Which detector judged its voice; None where voices were left out.
        sync_detector: Which detector compared its lips with its sound; None where that was left
            out.
    """

    schema_name: Literal["deepfake.receipt"] = "deepfake.receipt"
    schema_version: Literal[1] = 1
    made_at: str = Field(max_length=100)
    uri: str = Field(max_length=10_000)
    sha256: str = Field(pattern=_HASH)
    size_bytes: int = Field(ge=0)
    score: ScoreRow
    detector: DetectorName
    configuration: ScoringConfiguration
    made_with: Environment
    voice_detector: DetectorName | None = None
    sync_detector: DetectorName | None = None


def read_receipt(path: Path) -> Receipt:
    """Read a receipt, which may be anybody's.

    Raises:
        DataError: It is none; where and why, the message says.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise DataError(f"larger than {_MAX_BYTES} bytes, which no receipt is", path=path)
        text = path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror})", path=path) from error
    try:
        return Receipt.model_validate(json.loads(text))
    except ValidationError as error:
        raise DataError(f"not a receipt ({first_problem(error)})", path=path) from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"not JSON ({error})", path=path) from error


def make_receipt(output: ScoresFolder, which: str) -> Receipt:
    """Return the receipt of a file's score, if the file is still the one that was scored.

    Args:
        output: The output folder; the tables at its top count.
        which: A file, or a media_id.

    Raises:
        DataError: There is no such score, or the file is no longer what was scored.
    """
    version = output.shown_version
    setup = read_setup(output.version(version))
    rows = list(_rows_of(output.version(version) / "scores.parquet", which))
    if not rows:
        raise DataError(
            f"no score of {which} is among the tables",
            path=output.path,
            hint="Name a file as the tables do, or its media_id; or score it first.",
        )
    row, sha256, size = _first_unchanged(output, rows)
    made_with = _made_with(output, version, str(row["media_id"]), setup)
    return Receipt(
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        uri=str(row["uri"]),
        sha256=sha256,
        size_bytes=size,
        score=ScoreRow.model_validate(row),
        detector=setup.detector,
        configuration=setup.configuration.model_copy(
            update={"worker_limits": made_with.configuration.worker_limits}
        ),
        made_with=made_with.made_with,
        voice_detector=setup.voice_detector,
        sync_detector=setup.sync_detector,
    )


def _rows_of(table: Location, which: str) -> Iterator[dict[str, Any]]:
    is_id = _MEDIA_ID.fullmatch(which) is not None
    column, value = ("media_id", which) if is_id else ("uri", _uri_of(which))
    wanted = [(column, "==", value)]
    with translate_parquet_errors(table):
        found = read_locally(table, lambda local: pq.read_table(local, filters=wanted))
    for row in found.to_pylist():
        yield {name: row.get(name) for name in SCORES_SCHEMA.names}


def _uri_of(name: str) -> str:
    return name if "://" in name else to_uri(name)


def _first_unchanged(
    output: ScoresFolder, rows: list[dict[str, Any]]
) -> tuple[dict[str, Any], str, int]:
    """Return the first of several names whose file is what was scored, its SHA-256 and size."""
    refusals = []
    for row in sorted(rows, key=lambda row: str(row["uri"])):
        try:
            return row, *_checked(output, row)
        except DataError as error:
            refusals.append(error)
    raise refusals[0]


def _checked(output: ScoresFolder, row: Mapping[str, Any]) -> tuple[str, int]:
    uri, media_id = str(row["uri"]), row["media_id"]
    if media_id is None:
        raise DataError("its bytes were never read: there is nothing to vouch for", path=uri)
    try:
        before = stat_medium(uri)
        with medium_file(uri, max_bytes=sys.maxsize) as path:
            sha256 = sha256_of(path)
            is_sampled = sha256 != media_id
            is_same = not is_sampled or sampled_digest_of(path) == media_id
        after = stat_medium(uri)
    except OSError as error:
        raise DataError(
            f"the file is no longer what was scored ({error.strerror or error})", path=uri
        ) from error
    if is_sampled and is_same:
        # Bytes between the samples may differ: only its time tells that nobody wrote to it.
        is_same = _size_and_time(output, uri) == before
    if not is_same or before != after:
        raise DataError(
            "the file is no longer what was scored", path=uri, hint="Score the folder again first."
        )
    return sha256, before[0]


def _size_and_time(output: ScoresFolder, uri: str) -> tuple[int, int] | None:
    if isinstance(output.path, StorePath) and not output.state.is_file():
        return listed_file(output.path, uri)
    return find_size_and_time(output.state, uri)


def _part_of(output: ScoresFolder, version: str, media_id: str) -> str | None:
    if isinstance(output.path, StorePath) and not output.state.is_file():
        # Another machine's run scored it. Of several parts none says which one holds.
        keys = parts_holding(output.parts(version), {media_id})
        return keys[0] if len(keys) == 1 else None
    return find_part(output.state, version=version, media_id=media_id)


def _made_with(
    output: ScoresFolder, version: str, media_id: str, setup: StoredSetup
) -> StoredSetup:
    """Return the set-up with versions and limits of the run that scored the medium, if known."""
    key = _part_of(output, version, media_id)
    used = {} if key is None else read_made_with(output.parts(version), key)
    if not used:
        return setup
    limits = setup.configuration.worker_limits.model_validate(used["worker_limits"])
    return setup.model_copy(
        update={
            "made_with": Environment.model_validate(used["environment"]),
            "configuration": setup.configuration.model_copy(update={"worker_limits": limits}),
        }
    )
