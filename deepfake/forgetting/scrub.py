"""Remove media from one file: Parquet, CSV, JSON, JSON lines or text.

A row or an object is about a medium if it has its `media_id`; one without a `media_id`, since the
bytes could not be read, if it has its `uri`. Files are replaced atomically.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from deepfake.errors import DataError
from deepfake.forgetting.media_to_forget import FORGOTTEN, MediaToForget
from deepfake.storage import (
    Location,
    atomic_path,
    local_copy,
    read_json,
    translate_parquet_errors,
    write_json,
)

__all__ = [
    "drop_rows",
    "scrub_csv",
    "scrub_json",
    "scrub_lines",
    "scrub_table",
    "scrub_text",
    "string_array",
]

_BATCH_ROWS = 50_000


def drop_rows(table: pa.Table, media: MediaToForget) -> pa.Table:
    """Return a table, or a record batch, without the rows of the media, and with groups renamed."""
    return _rename_groups(table.filter(pc.invert(_is_about(table, media))), media)


def scrub_table(path: Location, media: MediaToForget, *, is_dry_run: bool = False) -> int:
    """Remove the rows of media from a Parquet file, and rename groups in it.

    Args:
        path: The file; left alone if it has no column `media_id`, `uri` or `group`.
        media: The media to forget.
        is_dry_run: Only count.

    Returns:
        Number of rows removed or renamed.

    Raises:
        DataError: The file is damaged.
    """
    with (
        translate_parquet_errors(path),
        local_copy(path) as local,
        pq.ParquetFile(local) as source,
    ):
        names = [n for n in ("media_id", "uri", "group") if n in source.schema_arrow.names]
        batches = source.iter_batches(_BATCH_ROWS, columns=names)
        count = sum(_num_affected(batch, media) for batch in batches)
        if count and not is_dry_run:
            _rewrite_table(path, source, media)
    return count


def _rewrite_table(path: Location, source: pq.ParquetFile, media: MediaToForget) -> None:
    schema = source.schema_arrow
    with (
        atomic_path(path) as temporary,
        pq.ParquetWriter(temporary, schema, compression="zstd") as writer,
    ):
        for batch in source.iter_batches(_BATCH_ROWS):
            writer.write_batch(drop_rows(batch, media))


def _num_affected(batch: pa.RecordBatch, media: MediaToForget) -> int:
    is_affected = _is_about(batch, media)
    if "group" in batch.schema.names and media.groups:
        column = batch.column("group").cast(pa.string())
        is_affected = pc.or_(is_affected, pc.is_in(column, value_set=string_array(media.groups)))
    return int(pc.sum(is_affected).as_py() or 0)


def _is_about(batch: pa.Table, media: MediaToForget) -> pa.Array:
    """Return a mask of the rows that `MediaToForget.includes`."""
    has_id = "media_id" in batch.schema.names
    by_id = pa.array([False] * batch.num_rows, pa.bool_())
    if has_id:
        column = batch.column("media_id").cast(pa.string())
        by_id = pc.is_in(column, value_set=string_array(media.media_ids))
    if "uri" not in batch.schema.names:
        return by_id
    by_uri = pc.is_in(batch.column("uri").cast(pa.string()), value_set=string_array(media.uris))
    if has_id:
        by_uri = pc.and_(by_uri, pc.is_null(batch.column("media_id")))
    return pc.or_(by_id, by_uri)


def string_array(values: Iterable[str]) -> pa.Array:
    """Return strings as Arrow looks them up, in order."""
    return pa.array(sorted(values), pa.string())


def _rename_groups(batch: pa.Table, media: MediaToForget) -> pa.Table:
    if "group" not in batch.schema.names or not media.groups:
        return batch
    index = batch.schema.get_field_index("group")
    field = batch.schema.field(index)
    column = batch.column(index)
    for old, new in media.groups.items():
        column = pc.if_else(pc.fill_null(pc.equal(column, old), False), new, column)
    return batch.set_column(index, field, column.cast(field.type))


def scrub_csv(path: Location, media: MediaToForget, *, is_dry_run: bool = False) -> int:
    """Remove the rows of media from a CSV file, and rename groups in it.

    Args:
        path: The file, with a header; left alone if it has no column `media_id`, `uri` or `group`.
        media: The media to forget.
        is_dry_run: Only count.

    Returns:
        Number of rows removed or renamed.

    Raises:
        DataError: The file is not a CSV file.
    """
    try:
        with local_copy(path) as local:
            count = sum(row != kept for row, kept in _scrubbed_csv_rows(local, media))
            if count and not is_dry_run:
                with (
                    atomic_path(path) as temporary,
                    temporary.open("w", encoding="utf-8", newline="") as to,
                ):
                    rows = _scrubbed_csv_rows(local, media)
                    csv.writer(to).writerows(kept for _, kept in rows if kept is not None)
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"not a readable CSV file ({error})", path=path) from error
    return count


def _scrubbed_csv_rows(
    path: Path, media: MediaToForget
) -> Iterator[tuple[list[str], list[str] | None]]:
    """Yield each row, and what replaces it; None where it is removed."""
    with path.open(encoding="utf-8", newline="") as stream:
        rows = csv.reader(stream)
        header = next(rows, [])
        positions = {n: header.index(n) for n in ("media_id", "uri", "group") if n in header}
        yield header, header
        for row in rows:
            fields = {name: row[i] for name, i in positions.items() if i < len(row)}
            if media.includes(fields.get("media_id"), fields.get("uri")):
                yield row, None
                continue
            kept = list(row)
            if fields.get("group") in media.groups:
                kept[positions["group"]] = media.groups[fields["group"]]
            yield row, kept


def scrub_lines(path: Location, media: MediaToForget, *, is_dry_run: bool = False) -> int:
    """Remove the lines that name media from a file of JSON lines.

    Args:
        path: The file; a line that is not JSON is removed if its text names one of the media.
        media: The media to forget.
        is_dry_run: Only count.

    Returns:
        Number of lines removed.
    """
    with local_copy(path) as local:
        with local.open(encoding="utf-8", errors="backslashreplace") as stream:
            count = sum(_is_line_about(line, media) for line in stream)
        if not count or is_dry_run:
            return count
        with (
            local.open(encoding="utf-8", errors="backslashreplace") as stream,
            atomic_path(path) as temporary,
            temporary.open("w", encoding="utf-8") as written,
        ):
            written.writelines(line for line in stream if not _is_line_about(line, media))
    return count


def _is_line_about(line: str, media: MediaToForget) -> bool:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return media.is_mentioned_in(line)
    cleaned = _cleaned(value, media)
    return cleaned is _REMOVED or cleaned != value


def scrub_json(path: Location, media: MediaToForget, *, is_dry_run: bool = False) -> int:
    """Remove the objects of media from a JSON file, and redact their names in its strings.

    Args:
        path: The file; deleted if nothing is left of it.
        media: The media to forget.
        is_dry_run: Only count.

    Returns:
        1 where there was something to remove, else 0.

    Raises:
        DataError: The file is not JSON.
    """
    value = read_json(path)
    cleaned = _cleaned(value, media)
    if cleaned is not _REMOVED and cleaned == value:
        return 0
    if not is_dry_run:
        if cleaned is _REMOVED:
            path.unlink()
        else:
            write_json(path, cleaned)
    return 1


_REMOVED = object()


def _cleaned(value: Any, media: MediaToForget) -> Any:
    """Return a JSON value without the objects and names of media; `_REMOVED` if nothing is left."""
    if isinstance(value, dict):
        if media.includes(value.get("media_id"), value.get("uri")):
            return _REMOVED
        return dict(_cleaned_items(value, media))
    if isinstance(value, list):
        cleaned = [_cleaned(inner, media) for inner in value]
        return [inner for inner in cleaned if inner is not _REMOVED]
    if isinstance(value, str):
        if value in media.media_ids or value in media.uris:
            return _REMOVED
        return media.groups.get(value) or media.redact(value)[0]
    return value


def _cleaned_items(value: dict[str, Any], media: MediaToForget) -> Iterator[tuple[str, Any]]:
    for name, inner in value.items():
        if name in media.media_ids or name in media.uris:
            continue
        cleaned = _cleaned(inner, media)
        yield media.groups.get(name, name), FORGOTTEN if cleaned is _REMOVED else cleaned


def scrub_text(path: Location, media: MediaToForget, *, is_dry_run: bool = False) -> int:
    """Redact the names of media in a text file.

    Args:
        path: The file, UTF-8.
        media: The media to forget.
        is_dry_run: Only count.

    Returns:
        Number of names redacted.
    """
    text = path.read_bytes().decode("utf-8", "surrogateescape")
    cleaned, count = media.redact(text)
    if count and not is_dry_run:
        with atomic_path(path) as temporary:
            temporary.write_bytes(cleaned.encode("utf-8", "surrogateescape"))
    return count
