"""Put parts together into the tables that people open, sorted and in bounded memory."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from deepfake.detectors.bundles import Bundle
from deepfake.errors import DataError, DeepfakeError
from deepfake.scoring.file_answers import fill_file_answers
from deepfake.scoring.parts import part_path, read_part_tables
from deepfake.scoring.reason_text import advice_on
from deepfake.scoring.schemas import ALL_TABLES, LATER_COLUMNS, TABLES, table_schemas
from deepfake.scoring.score_rows import refused_score
from deepfake.scoring.scorer_settings import ScorerSetup, all_reading_notes, score_origin
from deepfake.scoring.state.finished_scores import FinishedScores
from deepfake.storage import (
    Location,
    atomic_path,
    check_schema,
    fill_columns,
    local_copy,
    table_of,
    translate_parquet_errors,
    write_text,
)
from deepfake.types import EXPECTED_STATUSES, Status

__all__ = [
    "TableCounts",
    "count_rows",
    "open_database",
    "part_rows",
    "reraise_original",
    "rewrite_csv",
    "write_tables",
]

Write = Callable[[pa.RecordBatch], None]

_ROWS = 10_000
_COUNTED = ["status", "verdict", "verdict_voice", "verdict_sync", "verdict_file"]
_MEMORY = "256MB"
_ORDER = {
    "scores": "uri",
    "tracks": "uri, track_id",
    "frames": "uri, frame_index, track_id",
    "windows": "uri, pts_seconds",
    "blocks": "uri, pts_seconds",
}


@dataclass
class TableCounts:
    """What the scores table holds.

    Attributes:
        statuses: Files by status.
        verdicts: Files by verdict.
        voice_verdicts: Files by the verdict on their voice; none where nobody asked.
        sync_verdicts: Files by the verdict on their lips and sound; none where nobody asked.
        file_verdicts: Files by the verdict on all answers; none in tables of earlier versions.
    """

    statuses: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)
    voice_verdicts: Counter[str] = field(default_factory=Counter)
    sync_verdicts: Counter[str] = field(default_factory=Counter)
    file_verdicts: Counter[str] = field(default_factory=Counter)

    @property
    def num_files(self) -> int:
        """All rows."""
        return self.statuses.total()

    def add(self, batch: pa.RecordBatch) -> None:
        """Count a batch of rows."""
        self.statuses.update(batch.column("status").to_pylist())
        self.verdicts.update(batch.column("verdict").to_pylist())
        for name, counts in (
            ("verdict_voice", self.voice_verdicts),
            ("verdict_sync", self.sync_verdicts),
            ("verdict_file", self.file_verdicts),
        ):
            if name in batch.schema.names:
                counts.update(batch.column(name).drop_null().to_pylist())

    def as_record(self) -> dict[str, dict[str, int]]:
        """Return all counts in JSON types."""
        return {
            "statuses": dict(self.statuses),
            "verdicts": dict(self.verdicts),
            "voice_verdicts": dict(self.voice_verdicts),
            "sync_verdicts": dict(self.sync_verdicts),
            "file_verdicts": dict(self.file_verdicts),
        }


def write_tables(
    folder: Location,
    *,
    parts: Location,
    scratch: Path,
    finished: FinishedScores,
    setup: ScorerSetup,
    bundle: Bundle,
) -> TableCounts:
    """Put the finished parts together: one row a file, whatever became of it.

    Args:
        folder: Where the tables go.
        parts: Where the parts lie.
        scratch: A folder here, for what does not fit into memory.
        finished: The scores that hold.
        setup: Which detector, and how.
        bundle: The detector.

    Returns:
        How many files ended how.
    """
    counts = TableCounts()
    schemas = table_schemas(
        bundle.spec, has_voice=setup.voice is not None, has_sync=setup.sync is not None
    )
    notes = all_reading_notes(setup, bundle=bundle)
    for name in (name for name in schemas if name != "scores"):
        with _parquet_writer(folder / f"{name}.parquet", schemas[name], notes) as write:
            for batch in _sorted_rows(name, parts, finished, scratch=scratch, schema=schemas[name]):
                write(batch)
    refused = _refused(finished, setup, bundle)
    with ExitStack() as stack:
        write = stack.enter_context(
            _parquet_writer(folder / "scores.parquet", schemas["scores"], notes)
        )
        as_csv = stack.enter_context(_csv_writer(folder / "scores.csv"))
        failed = stack.enter_context(_failures_writer(folder / "failures.csv"))
        for found in _sorted_rows("scores", parts, finished, scratch=scratch, refused=refused):
            batch = fill_file_answers(found, rule=setup.file_rule)
            write(batch)
            as_csv(batch)
            failed(batch)
            counts.add(batch)
    _write_notes(folder / "notes.txt", setup, bundle, notes=notes)
    return counts


def rewrite_csv(folder: Location) -> None:
    """Write the CSV files again from the scores table.

    Args:
        folder: Holds `scores.parquet`.

    Raises:
        DataError: The table is damaged, or of another version of this program.
    """
    schema, path = TABLES["scores"], folder / "scores.parquet"
    check_schema(path, schema, may_lack=LATER_COLUMNS["scores"])
    with (
        translate_parquet_errors(path),
        local_copy(path) as local,
        pq.ParquetFile(local) as source,
        ExitStack() as stack,
    ):
        as_csv = stack.enter_context(_csv_writer(folder / "scores.csv"))
        failed = stack.enter_context(_failures_writer(folder / "failures.csv"))
        for batch in source.iter_batches(_ROWS):
            whole = fill_columns(batch, schema=schema.remove_metadata())
            as_csv(whole)
            failed(whole)


def count_rows(folder: Location) -> TableCounts:
    """Return what the scores table of a folder holds.

    Raises:
        DataError: It is damaged, or of another version of this program.
    """
    path, counts = folder / "scores.parquet", TableCounts()
    check_schema(path, TABLES["scores"], may_lack=LATER_COLUMNS["scores"])
    with (
        translate_parquet_errors(path),
        local_copy(path) as local,
        pq.ParquetFile(local) as source,
    ):
        # Of a table of an earlier version, the columns that it has.
        for batch in source.iter_batches(columns=_COUNTED):
            counts.add(batch)
    return counts


def _sorted_rows(
    name: str,
    parts: Location,
    finished: FinishedScores,
    *,
    scratch: Path,
    schema: pa.Schema | None = None,
    refused: Iterable[pa.RecordBatch] = (),
) -> Iterator[pa.RecordBatch]:
    """Yield rows of a table under each name that their content has."""
    schema = ALL_TABLES[name] if schema is None else schema
    columns = ", ".join(f'"{c}"' for c in schema.names if c != "uri")
    failed: list[DeepfakeError] = []
    with reraise_original(failed), open_database(scratch) as db:
        db.register("named", _names(finished))
        rows = part_rows(name, parts, finished.used_parts(), failed=failed, schema=schema)
        db.register("part_rows", rows)
        db.register("refused", pa.RecordBatchReader.from_batches(schema, iter(refused)))
        found = db.sql(
            f"SELECT named.uri, {_prefixed(columns)} FROM named JOIN part_rows "
            "ON named.media_id = part_rows.media_id AND named.part = part_rows.part "
            f"UNION ALL SELECT uri, {columns} FROM refused ORDER BY {_ORDER[name]}"
        )
        for batch in found.to_arrow_reader(_ROWS):
            yield _cast(batch, schema)


def open_database(scratch: Path) -> duckdb.DuckDBPyConnection:
    """Return a database in memory, of bounded size and without access to files or networks.

    Args:
        scratch: A folder here, for what does not fit into memory.
    """
    return duckdb.connect(
        config={
            "memory_limit": _MEMORY,
            "temp_directory": str(scratch),
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "preserve_insertion_order": "false",
        }
    )


@contextmanager
def reraise_original(failed: Sequence[DeepfakeError]) -> Iterator[None]:
    """Raise the original error instead of DuckDB's."""
    try:
        yield
    except duckdb.Error as error:
        if failed:
            raise failed[0] from error
        raise


def _prefixed(columns: str) -> str:
    return ", ".join(f"part_rows.{column}" for column in columns.split(", "))


def _cast(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    columns = [batch.column(f.name).cast(f.type) for f in schema]
    return pa.RecordBatch.from_arrays(columns, schema=schema.remove_metadata())


_NAMES = pa.schema([("uri", pa.string()), ("media_id", pa.string()), ("part", pa.string())])


def _names(finished: FinishedScores) -> pa.RecordBatchReader:
    batches = (
        pa.RecordBatch.from_arrays(
            [pa.array(column, pa.string()) for column in zip(*rows, strict=True)], schema=_NAMES
        )
        for rows in finished.named_contents(size=_ROWS)
    )
    return pa.RecordBatchReader.from_batches(_NAMES, batches)


def part_rows(
    name: str,
    parts: Location,
    keys: Sequence[str],
    *,
    failed: list[DeepfakeError],
    schema: pa.Schema | None = None,
) -> pa.RecordBatchReader:
    """Return the rows of one table of parts, each with its part's key.

    Args:
        name: Of the table.
        parts: Where the parts lie.
        keys: Which.
        failed: Gets what went wrong, for `reraise_original`.
        schema: Of the table, as the detector has it; None for what every detector has.
    """
    wanted = ALL_TABLES[name] if schema is None else schema
    with_key = wanted.remove_metadata().append(pa.field("part", pa.string()))

    def batches() -> Iterator[pa.RecordBatch]:
        try:
            for key, table in read_part_tables(parts, keys, name):
                if not table.schema.equals(wanted):
                    raise DataError(
                        "its columns are not those of the detector",
                        path=part_path(parts, key, name),
                    )
                named = table.append_column("part", pa.array([key] * len(table), pa.string()))
                yield from named.replace_schema_metadata(None).to_batches()
        except DeepfakeError as error:
            failed.append(error)
            raise

    return pa.RecordBatchReader.from_batches(with_key, batches())


def _refused(
    finished: FinishedScores, setup: ScorerSetup, bundle: Bundle
) -> Iterator[pa.RecordBatch]:
    origin = score_origin(setup, bundle=bundle)
    rows = (refused_score(row, origin).as_row() for row in finished.refused_files())
    for chunk in _chunked(rows):
        yield from table_of(chunk, schema=TABLES["scores"]).to_batches()


def _chunked(rows: Iterable[Any]) -> Iterator[list[Any]]:
    chunk = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == _ROWS:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


@contextmanager
def _parquet_writer(path: Location, schema: pa.Schema, notes: Sequence[str]) -> Iterator[Write]:
    """Yield what writes batches of a table, with what a reader of verdicts must know in it."""
    metadata = {**schema.metadata, b"notes": json.dumps(list(notes)).encode()}
    with (
        atomic_path(path) as temporary,
        pq.ParquetWriter(temporary, schema.with_metadata(metadata), compression="zstd") as writer,
    ):
        # A table without rows has its columns all the same.
        yield writer.write_batch


@contextmanager
def _csv_writer(path: Location) -> Iterator[Write]:
    schema = TABLES["scores"].remove_metadata()
    with atomic_path(path) as temporary, pa_csv.CSVWriter(temporary, schema) as writer:

        def write(batch: pa.RecordBatch) -> None:
            columns = [
                _harmless(column) if pa.types.is_string(column.type) else column
                for column in batch.columns
            ]
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))

        yield write


_SIGNS = r"=+\-@" + "＝＋－＠﹦﹢﹣﹫−"
"""What a formula begins with, and what some programs take for it: full-width and small signs."""
_FORMULA = rf"\A([\t\r\n{_SIGNS}]|[\p{{Z}}\p{{Cc}}\p{{Cf}}]+[{_SIGNS}])"


def _harmless(column: pa.Array) -> pa.Array:
    # A spreadsheet runs a cell that begins like a formula; a quote before it makes it text.
    return pc.replace_substring_regex(column, _FORMULA, r"'\1")


_FAILURE_COLUMNS = ("uri", "status", "error_type", "reason")


@contextmanager
def _failures_writer(path: Location) -> Iterator[Write]:
    """Yield what writes the files that have an unexpected status, and what to do about each."""
    with (
        atomic_path(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as stream,
    ):
        writer = csv.writer(stream, quoting=csv.QUOTE_ALL)
        writer.writerow([*_FAILURE_COLUMNS, "what_to_do"])

        def write(batch: pa.RecordBatch) -> None:
            columns = [_harmless(batch.column(name)).to_pylist() for name in _FAILURE_COLUMNS]
            for row in zip(*columns, strict=True):
                status = Status(row[1])
                if status not in EXPECTED_STATUSES:
                    writer.writerow([*row, advice_on(status)])

        yield write


def _write_notes(
    path: Location, setup: ScorerSetup, bundle: Bundle, *, notes: Sequence[str]
) -> None:
    lines = [f"Scored by {setup.detector.full_name}, digest {bundle.digest}."]
    voice = setup.voice_bundle
    if setup.voice is not None and voice is not None:
        lines.append(f"Voices scored by {setup.voice.full_name}, digest {voice.digest}.")
    sync = setup.sync_bundle
    if setup.sync is not None and sync is not None:
        lines.append(f"Lips and sound compared by {setup.sync.full_name}, digest {sync.digest}.")
    write_text(path, "".join(f"{line}\n" for line in [*lines, *notes]))
