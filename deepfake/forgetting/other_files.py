"""Taking media out of what else lies under a data root: evaluations, benchmarks, clips, logs."""

from __future__ import annotations

import json
import mmap
import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil

from deepfake.errors import DataError
from deepfake.forgetting.scrub import (
    Subject,
    Trace,
    scrub_csv,
    scrub_json,
    scrub_lines,
    scrub_table,
    scrub_text,
)
from deepfake.forgetting.subjects import clips_of
from deepfake.storage import DataRoot, Location, to_uri

__all__ = ["clear_leftovers", "database_names", "forget_elsewhere", "forget_results"]

_BY_SUFFIX: dict[str, Callable[..., int]] = {
    ".csv": scrub_csv,
    ".json": scrub_json,
    ".jsonl": scrub_lines,
    ".md": scrub_text,
    ".parquet": scrub_table,
    ".txt": scrub_text,
}


def forget_elsewhere(
    root: DataRoot, subject: Subject, *, is_dry_run: bool = False
) -> Iterator[Trace]:
    """Remove media from evaluations, benchmarks, logs of ingesting, and clips made of stills.

    Args:
        root: The data root.
        subject: The media.
        is_dry_run: Only say what would be removed.
    """
    for path in sorted(root.evaluations.glob("**/*")):
        scrub = _BY_SUFFIX.get(path.suffix.lower())
        if scrub is not None and path.is_file():
            yield from _scrubbed(path, scrub, subject, is_dry_run=is_dry_run)
    for benchmark in root.held_out_sets.glob("*.json"):
        yield from _scrubbed(benchmark, scrub_json, subject, is_dry_run=is_dry_run)
    for path in sorted(root.log("any").parent.glob("*.jsonl*")):
        yield from _scrubbed(path, scrub_lines, subject, is_dry_run=is_dry_run)
    for path in sorted((root.here / "clips").glob("**/clips.csv")):
        yield from _forget_clips(root, path, subject, is_dry_run=is_dry_run)


def _scrubbed(
    path: Location, scrub: Callable[..., int], subject: Subject, *, is_dry_run: bool
) -> Iterator[Trace]:
    if count := scrub(path, subject, is_dry_run=is_dry_run):
        yield Trace(str(path), f"{'lines' if scrub is scrub_lines else 'entries'}: {count}")


def _forget_clips(
    root: DataRoot, table: Path, subject: Subject, *, is_dry_run: bool
) -> Iterator[Trace]:
    """Remove clips that this program made of a still from their list, then the clips."""
    clips = [path for path in clips_of(root, subject.media_ids) if path.parent == table.parent]
    # The list names its clips without their folder.
    folder = Path(to_uri(table)).parent
    names = {Path(uri).name for uri in subject.uris if Path(uri).parent == folder}
    names |= {path.name for path in clips}
    listed = Subject(subject.media_ids, frozenset(names), subject.groups)
    yield from _scrubbed(table, scrub_csv, listed, is_dry_run=is_dry_run)
    for path in clips:
        yield Trace(str(path), "a clip made of it")
        if not is_dry_run:
            path.unlink()


def clear_leftovers(root: DataRoot) -> None:
    """Remove half-written files of processes that are gone, whoever's media they hold."""
    for path in sorted(root.here.rglob("*.part")):
        found = re.search(r"\.(\d+)-[0-9a-f]{8}\.part$", path.name)
        if found is None or not path.is_file():
            continue
        pid = int(found[1])
        if pid == os.getpid() or not psutil.pid_exists(pid):
            path.unlink(missing_ok=True)


def forget_results(home: Path, subject: Subject, *, is_dry_run: bool = False) -> Iterator[Trace]:
    """Delete the results of tasks that name media; they only save work.

    Args:
        home: Prefect's home.
        subject: The media.
        is_dry_run: Only say what would be removed.
    """
    for path in sorted((home / "storage").glob("**/*")):
        if path.is_file() and _is_naming(path, subject):
            yield Trace(str(path), "a task's result that names it")
            if not is_dry_run:
                path.unlink()


def _is_naming(path: Path, subject: Subject) -> bool:
    content = path.read_bytes()
    if any(media_id.encode() in content for media_id in subject.media_ids):
        return True
    try:
        told = json.loads(content)
        result = told.get("result")
        return _has(json.loads(result) if isinstance(result, str) else told, subject)
    except (ValueError, AttributeError, RecursionError):
        return any(uri.encode() in content for uri in subject.uris)


def _has(value: Any, subject: Subject) -> bool:
    if isinstance(value, dict):
        return any(_has(inner, subject) for inner in (*value, *value.values()))
    if isinstance(value, list):
        return any(_has(inner, subject) for inner in value)
    return isinstance(value, str) and subject.is_mentioned_in(value)


def database_names(home: Path, subject: Subject) -> bool:
    """Return whether Prefect's own database names any of the media somewhere in its bytes."""
    needles = [text.encode() for text in (*subject.media_ids, *subject.uris)]
    return any(_contains(path, needles) for path in sorted(home.glob("prefect.db*")))


def _contains(path: Path, needles: Sequence[bytes]) -> bool:
    try:
        with path.open("rb") as stream:
            if path.stat().st_size == 0:
                return False
            with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
                return any(content.find(needle) >= 0 for needle in needles)
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror})", path=path) from error
