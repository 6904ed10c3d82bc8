"""A folder's scores on disk: finished parts, and the tables put together from them."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from deepfake.batches import Batch, Work, plan_batches
from deepfake.bundles import Bundle, load_bundle
from deepfake.config import WorkerLimits, digest_of
from deepfake.errors import DataError
from deepfake.extract import ExtractRequest
from deepfake.manifest import ManifestRow
from deepfake.probing import probe_rows
from deepfake.scoring.scorer import (
    ScoredMedium,
    ScorerSetup,
    score_medium,
    score_row,
    scorer_setup,
    scoring_digest,
)
from deepfake.scoring.tables import SCORES_SCHEMA, TABLES, count_statuses
from deepfake.storage import atomic_path, read_json, read_table, write_json, write_table, write_text
from deepfake.types import TRANSIENT_STATUSES, Status
from deepfake.workers import Failure, MediaWorkers

__all__ = ["plan_scoring", "score_batch", "score_files", "write_scores"]


def plan_scoring(
    output: Path,
    rows: Iterable[ManifestRow],
    setup: ScorerSetup,
    *,
    is_retrying_failed: bool = False,
) -> tuple[list[Batch], frozenset[str], dict[str, str]]:
    """Return the batches of a folder, those that lie in `output` already, and where media are read.

    Args:
        output: Where the scores go.
        rows: Listed and probed.
        setup: Which detector, and how.
        is_retrying_failed: Whether batches in which a file timed out, crashed its worker or ran
            out of memory are done again.
    """
    uris: dict[str, str] = {}
    work: list[Work] = []
    for row in rows:
        if row.status is Status.OK and row.media_id and row.kind and row.media_id not in uris:
            uris[row.media_id] = row.uri
            work.append(Work(row.media_id, row.kind))
    bundle = load_bundle(setup.detector.path)
    every = _finished_parts(output)
    batches = plan_batches(
        work,
        settings_digest=digest_of(bundle.digest, scoring_digest(setup, bundle=bundle)),
        known=_named_parts(output, every),
        finished=every,
    )
    finished = frozenset(
        batch.key
        for batch in batches
        if batch.key in every and not (is_retrying_failed and _has_transient(output, batch.key))
    )
    return batches, finished, uris


def _has_transient(output: Path, key: str) -> bool:
    statuses = _read_part(output, key, "scores")["status"].to_pylist()
    return any(Status(status) in TRANSIENT_STATUSES for status in statuses)


def _parts_folder(output: Path) -> Path:
    return output / "parts"


def _finished_parts(output: Path) -> dict[str, tuple[str, ...]]:
    """Return the media of each part whose last file, the scores, is there and readable."""
    found = {}
    for path in sorted(_parts_folder(output).glob("*.scores.parquet")):
        key = path.name.split(".")[0]
        try:
            table = read_table(path, schema=SCORES_SCHEMA)
            is_whole = all(
                pq.ParquetFile(_part_path(output, key, name)).metadata for name in TABLES
            )
        except (DataError, OSError, pa.ArrowException):
            continue
        if is_whole:
            found[key] = tuple(table["media_id"].to_pylist())
    return found


def _named_parts(output: Path, every: Mapping[str, Sequence[str]]) -> dict[str, Sequence[str]]:
    state = output / "run.json"
    named = read_json(state).get("parts", []) if state.is_file() else []
    return {key: every[key] for key in named if key in every}


def _part_path(output: Path, key: str, table: str) -> Path:
    return _parts_folder(output) / f"{key}.{table}.parquet"


def score_batch(
    output: Path,
    batch: Batch,
    *,
    uris: Mapping[str, str],
    setup: ScorerSetup,
    workers: MediaWorkers,
    on_done: Callable[[int], None] = lambda _: None,
) -> dict[str, int]:
    """Score a batch in the media workers and write its parts, the scores last.

    Args:
        output: Where the scores go.
        batch: The media.
        uris: Where each is read.
        setup: Which detector, and how.
        workers: Set up by `scorer_setup`.
        on_done: Called with the number of media done, after each.

    Returns:
        How many media ended in each status.
    """
    bundle = load_bundle(setup.detector.path)
    requests = [ExtractRequest(uris[media_id], media_id) for media_id in batch.media_ids]
    media: list[ScoredMedium] = []
    for request, result in zip(requests, workers.map(score_medium, requests), strict=True):
        media.append(_charged(request, result, setup, bundle))
        on_done(len(media))
    rows = {
        "frames": [row for medium in media for row in medium.frames],
        "tracks": [row for medium in media for row in medium.tracks],
        "scores": [medium.score for medium in media],
    }
    for name, records in rows.items():
        table = pa.Table.from_pylist(records, schema=TABLES[name])
        write_table(_part_path(output, batch.key, name), table)
    return count_statuses(rows["scores"])


def _charged(
    request: ExtractRequest, result: ScoredMedium | Failure, setup: ScorerSetup, bundle: Bundle
) -> ScoredMedium:
    if not isinstance(result, Failure):
        return result
    row = ManifestRow(
        uri=request.uri,
        corpus="",
        media_id=request.media_id,
        status=result.status,
        error_type=result.error_type,
        message=result.message,
    )
    return ScoredMedium(score_row(row, setup, bundle=bundle))


def write_scores(
    output: Path, rows: Sequence[ManifestRow], batches: Sequence[Batch], *, setup: ScorerSetup
) -> pd.DataFrame:
    """Put the finished parts together: one row a file, whatever became of it.

    Args:
        output: Where the scores go.
        rows: Every file that was listed.
        batches: All finished.
        setup: Which detector, and how.

    Returns:
        The scores, columns of `SCORES_SCHEMA`, sorted by uri.
    """
    bundle = load_bundle(setup.detector.path)
    names: dict[str, list[str]] = {}
    for row in rows:
        if row.status is Status.OK and row.media_id:
            names.setdefault(row.media_id, []).append(row.uri)
    tables = {
        name: pa.concat_tables(
            [schema.empty_table(), *(_read_part(output, b.key, name) for b in batches)]
        )
        for name, schema in TABLES.items()
    }
    named = {name: _under_all_names(table, names) for name, table in tables.items()}
    refused = [score_row(row, setup, bundle=bundle) for row in rows if row.status is not Status.OK]
    named["scores"] = pa.concat_tables(
        [named["scores"], pa.Table.from_pylist(refused, schema=SCORES_SCHEMA)]
    )
    for name in ("frames", "tracks", "scores"):
        named[name] = named[name].sort_by("uri")
        write_table(output / f"{name}.parquet", _with_notes(named[name], bundle))
    _write_csv(output / "scores.csv", named["scores"])
    _write_notes(output / "notes.txt", setup, bundle)
    write_json(
        output / "run.json",
        {
            "parts": sorted(batch.key for batch in batches),
            "detector": {
                "name": setup.detector.name,
                "version": setup.detector.version,
                "digest": bundle.digest,
            },
            "notes": bundle.spec.reading_notes,
        },
    )
    frame: pd.DataFrame = named["scores"].to_pandas()
    return frame


def _with_notes(table: pa.Table, bundle: Bundle) -> pa.Table:
    """Put what a reader of verdicts must know into the table's metadata, as a JSON list."""
    notes = json.dumps(bundle.spec.reading_notes)
    return table.replace_schema_metadata({**(table.schema.metadata or {}), "notes": notes})


def _write_notes(path: Path, setup: ScorerSetup, bundle: Bundle) -> None:
    version = f" version {setup.detector.version}" if setup.detector.version else ""
    detector = f"Scored by {setup.detector.name}{version}, digest {bundle.digest}."
    write_text(path, "".join(f"{line}\n" for line in [detector, *bundle.spec.reading_notes]))


def _read_part(output: Path, key: str, name: str) -> pa.Table:
    return read_table(_part_path(output, key, name), schema=TABLES[name])


def _under_all_names(table: pa.Table, names: Mapping[str, Sequence[str]]) -> pa.Table:
    """Repeat a medium's rows under each name that its content has."""
    rows = [
        {**row, "uri": uri} for row in table.to_pylist() for uri in names.get(row["media_id"], ())
    ]
    return pa.Table.from_pylist(rows, schema=table.schema)


def _write_csv(path: Path, scores: pa.Table) -> None:
    text = {
        i: pa.array([_harmless(value) for value in scores.column(i).to_pylist()], pa.string())
        for i, field in enumerate(scores.schema)
        if pa.types.is_string(field.type)
    }
    for i, column in text.items():
        scores = scores.set_column(i, scores.schema.field(i).name, column)
    with atomic_path(path) as part:
        pa_csv.write_csv(scores, part)


def _harmless(value: str | None) -> str | None:
    # A spreadsheet runs a cell that begins like a formula; a quote before it makes it text.
    return f"'{value}" if value and value[0] in "=+-@\t\r" else value


def score_files(
    rows: Sequence[ManifestRow],
    *,
    setup: ScorerSetup,
    limits: WorkerLimits,
    on_done: Callable[[int], None] = lambda _: None,
) -> list[dict[str, Any]]:
    """Score a few files and leave nothing on disk but what the set-up's cache keeps.

    Args:
        rows: As listed.
        setup: Which detector, and how.
        limits: What one file may cost.
        on_done: Called with the number of files done, after each.

    Returns:
        A row each, columns of `SCORES_SCHEMA`, in their order.
    """
    bundle = load_bundle(setup.detector.path)
    usable = [row for row in rows if row.status is Status.OK]
    workers = min(len(usable), len(os.sched_getaffinity(0)))
    if not usable:
        return [score_row(row, setup, bundle=bundle) for row in rows]
    with (
        _with_cache(setup) as cached,
        MediaWorkers(scorer_setup(cached, limits=limits, num_workers=workers)) as pool,
    ):
        probed = iter(probe_rows(usable, workers=pool, limits=setup.limits))
        known = [next(probed) if row.status is Status.OK else row for row in rows]
        requests = [
            ExtractRequest(row.uri, str(row.media_id)) for row in known if row.status is Status.OK
        ]
        results = iter(pool.map(score_medium, requests))
        scores = []
        for row in known:
            if row.status is Status.OK:
                request = ExtractRequest(row.uri, str(row.media_id))
                scores.append(_charged(request, next(results), setup, bundle).score)
            else:
                scores.append(score_row(row, setup, bundle=bundle))
            on_done(len(scores))
    return [{name: row.get(name) for name in SCORES_SCHEMA.names} for row in scores]


@contextmanager
def _with_cache(setup: ScorerSetup) -> Iterator[ScorerSetup]:
    """Yield the set-up with a cache: without one each worker would convert the network anew."""
    if setup.cache is not None:
        yield setup
        return
    with tempfile.TemporaryDirectory(prefix="deepfake-engines-") as folder:
        yield replace(setup, cache=Path(folder))
