"""Taking every trace of some media out of a file, whatever its format, and leaving the rest.

A row or an object is one of a medium's if it names its `media_id`; one that has none, since the
bytes could not be read, if it names its `uri`. Files are written anew, whole or not at all.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from deepfake.errors import DataError
from deepfake.storage import Location, atomic_path, local_copy, read_json, write_json

__all__ = [
    "FORGOTTEN",
    "Subject",
    "Trace",
    "left_of",
    "scrub_csv",
    "scrub_json",
    "scrub_lines",
    "scrub_table",
    "scrub_text",
]

FORGOTTEN = "(forgotten)"
"""What stands where a name stood in a text."""

_ROWS = 50_000


@dataclass(frozen=True, slots=True)
class Trace:
    """Something that was, or would be, removed.

    Attributes:
        path: Where.
        told: What, for a person.
    """

    path: str
    told: str


@dataclass(frozen=True)
class Subject:
    """Media that are to be forgotten.

    Attributes:
        media_ids: Digests of their bytes.
        uris: All names that they are known to have had.
        groups: New names of groups of files that were named after them.
    """

    media_ids: frozenset[str]
    uris: frozenset[str]
    groups: Mapping[str, str] = field(default_factory=dict)

    def is_named_by(self, media_id: object, uri: object) -> bool:
        """Return whether a row with these two is one of theirs."""
        if isinstance(media_id, str) and media_id:
            return media_id in self.media_ids
        return isinstance(uri, str) and uri in self.uris

    def is_mentioned_in(self, text: str) -> bool:
        """Return whether a text names one of them."""
        return self._pattern.search(text) is not None

    def without(self, text: str) -> tuple[str, int]:
        """Return a text without their names, and how many there were."""
        return self._pattern.subn(FORGOTTEN, text)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        ids = [re.escape(media_id) for media_id in sorted(self.media_ids)]
        # A longer path that begins or ends alike is another file.
        uris = [rf"(?<![\w./-]){re.escape(u)}(?![\w/-]|\.\w)" for u in sorted(self.uris)]
        return re.compile("|".join([*ids, *uris]) or r"(?!)")


def left_of(table: pa.Table, subject: Subject) -> pa.Table:
    """Return a table, or a batch of one, without their rows, and with groups renamed."""
    return _regrouped(table.filter(pc.invert(_is_theirs(table, subject))), subject)


def scrub_table(path: Location, subject: Subject, *, is_dry_run: bool = False) -> int:
    """Remove rows from a Parquet file, and rename groups in it.

    Args:
        path: Has a column `media_id`, `uri` or `group`; else nothing is done.
        subject: Whose rows.
        is_dry_run: Only count.

    Returns:
        Rows removed or renamed.

    Raises:
        DataError: The file is damaged.
    """
    try:
        with local_copy(path) as local, pq.ParquetFile(local) as source:
            names = [n for n in ("media_id", "uri", "group") if n in source.schema_arrow.names]
            count = sum(_count(b, subject) for b in source.iter_batches(_ROWS, columns=names))
            if count and not is_dry_run:
                _rewrite(path, source, subject)
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"not a readable Parquet file ({error})", path=path) from error
    return count


def _rewrite(path: Location, source: pq.ParquetFile, subject: Subject) -> None:
    schema = source.schema_arrow
    with atomic_path(path) as part, pq.ParquetWriter(part, schema, compression="zstd") as writer:
        for batch in source.iter_batches(_ROWS):
            writer.write_batch(left_of(batch, subject))


def _count(batch: pa.RecordBatch, subject: Subject) -> int:
    touched = _is_theirs(batch, subject)
    if "group" in batch.schema.names and subject.groups:
        column = batch.column("group").cast(pa.string())
        touched = pc.or_(touched, pc.is_in(column, value_set=_texts(subject.groups)))
    return int(pc.sum(touched).as_py() or 0)


def _is_theirs(batch: pa.Table, subject: Subject) -> pa.Array:
    nothing = pa.array([False] * batch.num_rows, pa.bool_())
    has_id = "media_id" in batch.schema.names
    by_id = nothing
    if has_id:
        column = batch.column("media_id").cast(pa.string())
        by_id = pc.is_in(column, value_set=_texts(subject.media_ids))
    if "uri" not in batch.schema.names:
        return by_id
    by_uri = pc.is_in(batch.column("uri").cast(pa.string()), value_set=_texts(subject.uris))
    if has_id:
        by_uri = pc.and_(by_uri, pc.is_null(batch.column("media_id")))
    return pc.or_(by_id, by_uri)


def _texts(values: Any) -> pa.Array:
    return pa.array(sorted(values), pa.string())


def _regrouped(batch: pa.Table, subject: Subject) -> pa.Table:
    if "group" not in batch.schema.names or not subject.groups:
        return batch
    at = batch.schema.get_field_index("group")
    column = batch.column(at)
    for old, new in subject.groups.items():
        column = pc.if_else(pc.fill_null(pc.equal(column, old), False), new, column)
    return batch.set_column(at, batch.schema.field(at), column.cast(batch.schema.field(at).type))


def scrub_csv(path: Location, subject: Subject, *, is_dry_run: bool = False) -> int:
    """Remove rows from a CSV file that has a column `media_id` or `uri`, and rename groups in it.

    Args:
        path: Has a header.
        subject: Whose rows.
        is_dry_run: Only count.

    Returns:
        Rows removed or renamed.

    Raises:
        DataError: The file is no CSV file.
    """
    try:
        with local_copy(path) as local:
            count = sum(row != kept for row, kept in _csv_rows(local, subject))
            if count and not is_dry_run:
                with atomic_path(path) as part, part.open("w", encoding="utf-8", newline="") as to:
                    rows = (kept for _, kept in _csv_rows(local, subject) if kept is not None)
                    csv.writer(to).writerows(rows)
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"not a readable CSV file ({error})", path=path) from error
    return count


def _csv_rows(path: Path, subject: Subject) -> Iterator[tuple[list[str], list[str] | None]]:
    """Yield each row and what stays of it; None where it goes."""
    with path.open(encoding="utf-8", newline="") as stream:
        rows = csv.reader(stream)
        header = next(rows, [])
        at = {name: header.index(name) for name in ("media_id", "uri", "group") if name in header}
        yield header, header
        for row in rows:
            told = {name: row[i] for name, i in at.items() if i < len(row)}
            if subject.is_named_by(told.get("media_id"), told.get("uri")):
                yield row, None
                continue
            kept = list(row)
            if told.get("group") in subject.groups:
                kept[at["group"]] = subject.groups[told["group"]]
            yield row, kept


def scrub_lines(path: Location, subject: Subject, *, is_dry_run: bool = False) -> int:
    """Remove lines from a file of JSON lines.

    Args:
        path: The file; a line that is no JSON goes if its text names one of them.
        subject: Whose lines.
        is_dry_run: Only count.

    Returns:
        Lines removed.
    """
    with local_copy(path) as local:
        with local.open(encoding="utf-8", errors="backslashreplace") as stream:
            count = sum(_is_their_line(line, subject) for line in stream)
        if not count or is_dry_run:
            return count
        with (
            local.open(encoding="utf-8", errors="backslashreplace") as stream,
            atomic_path(path) as part,
            part.open("w", encoding="utf-8") as written,
        ):
            written.writelines(line for line in stream if not _is_their_line(line, subject))
    return count


def _is_their_line(line: str, subject: Subject) -> bool:
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        return subject.is_mentioned_in(line)
    cleaned = _cleaned(told, subject)
    return cleaned is _GONE or cleaned != told


def scrub_json(path: Location, subject: Subject, *, is_dry_run: bool = False) -> int:
    """Remove objects and texts from a JSON file.

    Args:
        path: The file.
        subject: Whose objects; a text among others that names one of them is replaced.
        is_dry_run: Only count.

    Returns:
        1 where there was something to remove, else 0.

    Raises:
        DataError: The file is no JSON.
    """
    told = read_json(path)
    cleaned = _cleaned(told, subject)
    if cleaned is not _GONE and cleaned == told:
        return 0
    if not is_dry_run:
        if cleaned is _GONE:
            path.unlink()
        else:
            write_json(path, cleaned)
    return 1


_GONE = object()


def _cleaned(value: Any, subject: Subject) -> Any:
    """Return a JSON value without their objects and names; `_GONE` where nothing is left."""
    if isinstance(value, dict):
        if subject.is_named_by(value.get("media_id"), value.get("uri")):
            return _GONE
        return dict(_cleaned_items(value, subject))
    if isinstance(value, list):
        cleaned = [_cleaned(inner, subject) for inner in value]
        return [inner for inner in cleaned if inner is not _GONE]
    if isinstance(value, str):
        if value in subject.media_ids or value in subject.uris:
            return _GONE
        return subject.groups.get(value) or subject.without(value)[0]
    return value


def _cleaned_items(value: dict[str, Any], subject: Subject) -> Iterator[tuple[str, Any]]:
    for name, inner in value.items():
        if name in subject.media_ids or name in subject.uris:
            continue
        cleaned = _cleaned(inner, subject)
        yield subject.groups.get(name, name), FORGOTTEN if cleaned is _GONE else cleaned


def scrub_text(path: Location, subject: Subject, *, is_dry_run: bool = False) -> int:
    """Replace names in a text file.

    Args:
        path: The file, UTF-8.
        subject: Whose names.
        is_dry_run: Only count.

    Returns:
        Names replaced.
    """
    text = path.read_bytes().decode("utf-8", "surrogateescape")
    cleaned, count = subject.without(text)
    if count and not is_dry_run:
        with atomic_path(path) as part:
            part.write_bytes(cleaned.encode("utf-8", "surrogateescape"))
    return count
