"""Taking media out of an output folder: parts, state, tables of all versions, logs."""

from __future__ import annotations

import filecmp
from collections.abc import Iterator
from pathlib import Path

from deepfake.errors import DataError
from deepfake.evidence import evidence_folder, kept_evidence, remove_evidence
from deepfake.evidence.embedded_json import REPORT_NAME, embedded_json
from deepfake.forgetting.known_media import count_media, forget_media
from deepfake.forgetting.listing import forget_in_listing
from deepfake.forgetting.scrub import (
    Subject,
    Trace,
    scrub_csv,
    scrub_json,
    scrub_lines,
    scrub_table,
)
from deepfake.scoring.output.folder import TABLE_FILES, ScoresFolder
from deepfake.scoring.output.tables import count_rows, rewrite_csv
from deepfake.scoring.parts import Part, parts_holding, remove_part, rewrite_part
from deepfake.storage import Location, read_json, write_json
from deepfake.storage.journal import journal_files

__all__ = ["forget_in_output"]


def forget_in_output(
    to: ScoresFolder, subject: Subject, *, is_dry_run: bool = False
) -> Iterator[Trace]:
    """Remove media from an output folder, and yield what was removed as it goes.

    Whoever calls it holds the folder. Killed on the way and called again, it goes on.

    Args:
        to: The folder.
        subject: The media.
        is_dry_run: Only say what would be removed.

    Raises:
        DataError: A file is damaged and cannot be made out.
    """
    replaced: dict[tuple[str, str], Part | None] = {}
    yield from _forget_report(to, subject, is_dry_run=is_dry_run)
    for version in to.versions():
        yield from _forget_evidence(to.version(version), subject, is_dry_run=is_dry_run)
        parts = to.parts(version)
        for key in parts_holding(parts, subject.media_ids):
            yield Trace(str(parts / f"{key}.json"), "scores, tracks and frames of a batch")
            if not is_dry_run:
                replaced[version, key] = _rewritten(parts, key, subject)
    # Old parts go when the state names the new ones: until then they are what a kill is found by.
    yield from _forget_state(to.state, subject, replaced, is_dry_run=is_dry_run)
    for version, key in replaced:
        remove_part(to.parts(version), key)
    for version in to.versions():
        yield from _orphans(to.parts(version), is_dry_run=is_dry_run)
    has_changed = bool(replaced)
    for version in to.versions():
        for trace in _scrub_tables(to.version(version), subject, is_dry_run=is_dry_run):
            has_changed = True
            yield trace
    yield from _publish(to, subject, has_changed=has_changed, is_dry_run=is_dry_run)
    yield from _forget_listing(to.path, subject, is_dry_run=is_dry_run)
    for path in journal_files(to.log):
        if count := scrub_lines(path, subject, is_dry_run=is_dry_run):
            yield Trace(str(path), f"lines: {count}")


def _forget_listing(folder: Location, subject: Subject, *, is_dry_run: bool) -> Iterator[Trace]:
    if count := forget_in_listing(folder, subject, is_dry_run=is_dry_run):
        yield Trace(str(folder), f"what is known of files, for other machines: {count}")


def _forget_evidence(version: Location, subject: Subject, *, is_dry_run: bool) -> Iterator[Trace]:
    folder = evidence_folder(version)
    for media_id in kept_evidence(folder):
        if media_id in subject.media_ids:
            yield Trace(str(folder / media_id), "evidence: frames, face crops, heat maps")
            if not is_dry_run:
                remove_evidence(folder, media_id)


def _forget_report(to: ScoresFolder, subject: Subject, *, is_dry_run: bool) -> Iterator[Trace]:
    """Remove a report that shows any of it: `deepfake report` writes another one in a moment."""
    path = to.path / REPORT_NAME
    if path.is_file() and _shows(path, subject):
        yield Trace(str(path), "a report with its name, and perhaps its pictures")
        if not is_dry_run:
            path.unlink()


def _shows(page: Location, subject: Subject) -> bool:
    text = page.read_text(encoding="utf-8", errors="replace")
    told = embedded_json(text)
    if isinstance(told, dict):
        named = {*told.get("media_ids", ()), *dict(told.get("columns", {})).get("uri", ())}
        if named & (subject.media_ids | subject.uris):
            return True
    return subject.is_mentioned_in(text)


def _rewritten(parts: Location, key: str, subject: Subject) -> Part | None:
    try:
        return rewrite_part(parts, key, without=subject.media_ids)
    except (DataError, OSError, KeyError, TypeError, ValueError):
        return None  # damaged: the next run would make it anew, and does


def _orphans(parts: Location, *, is_dry_run: bool) -> Iterator[Trace]:
    """Remove tables of batches that a killed run never finished; nothing else reads them."""
    finished = {path.name.removesuffix(".json") for path in parts.glob("*.json")}
    tables: list[Location] = sorted(parts.glob("*.parquet"), key=str)
    for path in tables:
        if path.name.split(".")[0] not in finished:
            yield Trace(str(path), "what a killed run left unfinished")
            if not is_dry_run:
                path.unlink()


def _forget_state(
    path: Path,
    subject: Subject,
    replaced: dict[tuple[str, str], Part | None],
    *,
    is_dry_run: bool,
) -> Iterator[Trace]:
    damaged = path.with_suffix(".damaged")
    if damaged.is_file():
        yield Trace(str(damaged), "a damaged state that was put aside")
        if not is_dry_run:
            damaged.unlink()
    if not path.is_file():
        return
    count = count_media(path, media_ids=subject.media_ids, uris=subject.uris)
    if count:
        yield Trace(str(path), f"what is known of files: {count}")
    if (count or replaced) and not is_dry_run:
        forget_media(path, media_ids=subject.media_ids, uris=subject.uris, replaced=replaced)


def _scrub_tables(folder: Location, subject: Subject, *, is_dry_run: bool) -> Iterator[Trace]:
    """Remove rows from the tables of a folder; `scores.csv`, by which they are found, last."""
    traces = []
    for name in ("frames", "tracks", "scores"):
        path = folder / f"{name}.parquet"
        if path.is_file() and (count := scrub_table(path, subject, is_dry_run=is_dry_run)):
            traces.append(Trace(str(path), f"rows: {count}"))
    for name in ("failures.csv", "scores.csv"):
        path = folder / name
        if path.is_file() and (count := scrub_csv(path, subject, is_dry_run=True)):
            traces.append(Trace(str(path), f"rows: {count}"))
    told = folder / "run.json"
    if told.is_file() and scrub_json(told, subject, is_dry_run=is_dry_run):
        traces.append(Trace(str(told), "the name of the file that was scored"))
    if traces and not is_dry_run:
        _write_csv(folder, subject)
    yield from traces


def _write_csv(folder: Location, subject: Subject) -> None:
    told = folder / "run.json"
    try:
        counts = count_rows(folder)
        if told.is_file():
            numbers = {"statuses": dict(counts.statuses), "verdicts": dict(counts.verdicts)}
            write_json(told, {**read_json(told), **numbers})
        rewrite_csv(folder)
    except DataError:  # of an older version, or not whole: row by row
        for name in ("failures.csv", "scores.csv"):
            if (folder / name).is_file():
                scrub_csv(folder / name, subject)


def _publish(
    to: ScoresFolder, subject: Subject, *, has_changed: bool, is_dry_run: bool
) -> Iterator[Trace]:
    """Show the tables again at the top, where those of before may still be linked."""
    shown = list(_scrub_tables(to.path, subject, is_dry_run=True))
    yield from shown
    if is_dry_run:
        return
    version = _version_shown(to.path)
    if version is None or not all((to.version(version) / n).is_file() for n in TABLE_FILES):
        if shown:
            list(_scrub_tables(to.path, subject, is_dry_run=False))
    elif shown or has_changed or not _is_shown(to, version):
        to.publish(version)


def _is_shown(to: ScoresFolder, version: str) -> bool:
    """Return whether the top shows a version whole: a kill may have come between two tables."""
    return all(_is_same(to.path / name, to.version(version) / name) for name in TABLE_FILES)


def _is_same(top: Location, own: Location) -> bool:
    if not top.is_file():
        return False
    if isinstance(top, Path) and isinstance(own, Path):
        return top.samefile(own) or filecmp.cmp(top, own, shallow=False)
    return top.read_bytes() == own.read_bytes()


def _version_shown(folder: Location) -> str | None:
    try:
        return str(read_json(folder / "run.json")["version"])
    except (DataError, KeyError, TypeError):
        return None
