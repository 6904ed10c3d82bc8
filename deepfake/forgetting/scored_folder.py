"""Remove media from a scored folder: parts, state, tables, evidence, report and log."""

from __future__ import annotations

import filecmp
from collections.abc import Iterator, Mapping
from pathlib import Path

from deepfake.errors import DataError
from deepfake.evidence import evidence_folder, list_evidence, remove_evidence
from deepfake.evidence.embedded_json import REPORT_NAME, read_embedded_json
from deepfake.forgetting.listing import remove_from_listing
from deepfake.forgetting.media_to_forget import MediaToForget, Removal
from deepfake.forgetting.scrub import scrub_csv, scrub_json, scrub_lines, scrub_table
from deepfake.scoring.output.folder import TABLE_FILES, ScoresFolder
from deepfake.scoring.output.tables import count_rows, rewrite_csv
from deepfake.scoring.parts import Part, parts_holding, remove_part, rewrite_part
from deepfake.scoring.state.media import count_media, forget_media
from deepfake.storage import Location, read_json, write_json
from deepfake.storage.event_log import event_log_files

__all__ = ["remove_from_scored_folder"]

_CSV_NAMES = ("failures.csv", "scores.csv")


def remove_from_scored_folder(
    folder: ScoresFolder, media: MediaToForget, *, is_dry_run: bool = False
) -> Iterator[Removal]:
    """Remove media from a scored folder, and yield each removal as it is made.

    The caller holds the folder's lock. If this is killed, the next call completes it.

    Args:
        folder: The scored folder.
        media: The media to forget.
        is_dry_run: Only say what would be removed.

    Raises:
        DataError: A file is damaged and cannot be read.
    """
    replaced: dict[tuple[str, str], Part | None] = {}
    yield from _remove_report(folder, media, is_dry_run=is_dry_run)
    for version in folder.versions():
        yield from _remove_evidence(folder.version(version), media, is_dry_run=is_dry_run)
        parts = folder.parts(version)
        for key in parts_holding(parts, media.media_ids):
            yield Removal(
                str(parts / f"{key}.json"), "its rows among those of a batch (the others stay)"
            )
            if not is_dry_run:
                replaced[version, key] = _rewrite_part(parts, key, media)
    # The old parts are deleted only after the state names the new ones: after a kill, they are what
    # the next call finds the media by.
    yield from _remove_from_state(folder.state, media, replaced, is_dry_run=is_dry_run)
    for version, key in replaced:
        remove_part(folder.parts(version), key)
    for version in folder.versions():
        yield from _remove_unfinished(folder.parts(version), is_dry_run=is_dry_run)
    has_changed = bool(replaced)
    for version in folder.versions():
        for removal in _scrub_tables(folder.version(version), media, is_dry_run=is_dry_run):
            has_changed = True
            yield removal
    yield from _publish_again(folder, media, has_changed=has_changed, is_dry_run=is_dry_run)
    if count := remove_from_listing(folder.path, media, is_dry_run=is_dry_run):
        yield Removal(str(folder.path), f"rows of the listing for other machines: {count}")
    for path in event_log_files(folder.log):
        if count := scrub_lines(path, media, is_dry_run=is_dry_run):
            yield Removal(str(path), f"lines: {count}")


def _remove_evidence(
    version_dir: Location, media: MediaToForget, *, is_dry_run: bool
) -> Iterator[Removal]:
    folder = evidence_folder(version_dir)
    for media_id in list_evidence(folder):
        if media_id in media.media_ids:
            yield Removal(str(folder / media_id), "evidence: frames, face crops, heat maps")
            if not is_dry_run:
                remove_evidence(folder, media_id)


def _remove_report(
    folder: ScoresFolder, media: MediaToForget, *, is_dry_run: bool
) -> Iterator[Removal]:
    """Delete a report that shows one of the media; `deepfake report` writes a new one."""
    path = folder.path / REPORT_NAME
    if path.is_file() and _is_in_report(path, media):
        yield Removal(
            str(path), "a report that names it, and may show it; `deepfake report` writes a new one"
        )
        if not is_dry_run:
            path.unlink()


def _is_in_report(path: Location, media: MediaToForget) -> bool:
    page = path.read_text(encoding="utf-8", errors="replace")
    data = read_embedded_json(page)
    if isinstance(data, dict):
        names = {*data.get("media_ids", ()), *dict(data.get("columns", {})).get("uri", ())}
        if names & (media.media_ids | media.uris):
            return True
    return media.is_mentioned_in(page)


def _rewrite_part(parts: Location, key: str, media: MediaToForget) -> Part | None:
    try:
        return rewrite_part(parts, key, without=media.media_ids)
    except (DataError, OSError, KeyError, TypeError, ValueError):
        return None  # damaged: the next run scores its media again


def _remove_unfinished(parts: Location, *, is_dry_run: bool) -> Iterator[Removal]:
    """Delete the tables of batches that a killed run did not finish; nothing else reads them."""
    finished = {path.name.removesuffix(".json") for path in parts.glob("*.json")}
    tables: list[Location] = sorted(parts.glob("*.parquet"), key=str)
    for path in tables:
        if path.name.split(".")[0] not in finished:
            yield Removal(str(path), "an unfinished batch of a killed run")
            if not is_dry_run:
                path.unlink()


def _remove_from_state(
    path: Path,
    media: MediaToForget,
    replaced: Mapping[tuple[str, str], Part | None],
    *,
    is_dry_run: bool,
) -> Iterator[Removal]:
    damaged = path.with_suffix(".damaged")
    if damaged.is_file():
        yield Removal(str(damaged), "a damaged state that was set aside")
        if not is_dry_run:
            damaged.unlink()
    if not path.is_file():
        return
    count = count_media(path, media_ids=media.media_ids, uris=media.uris)
    if count:
        yield Removal(str(path), f"rows of the state: {count}")
    if (count or replaced) and not is_dry_run:
        forget_media(path, media_ids=media.media_ids, uris=media.uris, replaced=replaced)


def _scrub_tables(folder: Location, media: MediaToForget, *, is_dry_run: bool) -> Iterator[Removal]:
    """Remove rows from all tables of a folder.

    `scores.csv` is written last: after a kill, the next call finds the media by it.
    """
    removals = []
    for name in ("frames", "tracks", "windows", "blocks", "scores"):
        path = folder / f"{name}.parquet"
        if path.is_file() and (count := scrub_table(path, media, is_dry_run=is_dry_run)):
            removals.append(Removal(str(path), f"rows: {count}"))
    for name in _CSV_NAMES:
        path = folder / name
        if path.is_file() and (count := scrub_csv(path, media, is_dry_run=True)):
            removals.append(Removal(str(path), f"rows: {count}"))
    run = folder / "run.json"
    if run.is_file() and scrub_json(run, media, is_dry_run=is_dry_run):
        removals.append(Removal(str(run), "the name of the file that was scored"))
    if removals and not is_dry_run:
        _rewrite_csv(folder, media)
    yield from removals


def _rewrite_csv(folder: Location, media: MediaToForget) -> None:
    """Write the CSV files again from the Parquet tables, and correct the counts in `run.json`."""
    run = folder / "run.json"
    try:
        counts = count_rows(folder)
        if run.is_file():
            write_json(run, {**read_json(run), **counts.as_record()})
        rewrite_csv(folder)
    except DataError:  # the tables are of an older version, or incomplete
        for name in _CSV_NAMES:
            if (folder / name).is_file():
                scrub_csv(folder / name, media)


def _publish_again(
    folder: ScoresFolder, media: MediaToForget, *, has_changed: bool, is_dry_run: bool
) -> Iterator[Removal]:
    """Publish the tables at the top of the folder again, where the old ones may still be linked."""
    removals = list(_scrub_tables(folder.path, media, is_dry_run=True))
    yield from removals
    if is_dry_run:
        return
    version = _published_version(folder.path)
    if version is None or not all((folder.version(version) / n).is_file() for n in TABLE_FILES):
        if removals:
            list(_scrub_tables(folder.path, media, is_dry_run=False))
    elif removals or has_changed or not _is_published(folder, version):
        folder.publish(version)


def _is_published(folder: ScoresFolder, version: str) -> bool:
    """Return whether all tables at the top are those of a version; a kill may leave only some."""
    own = folder.version(version)
    return all(_is_same_file(folder.path / name, own / name) for name in TABLE_FILES)


def _is_same_file(published: Location, own: Location) -> bool:
    if not published.is_file():
        return False
    if isinstance(published, Path) and isinstance(own, Path):
        return published.samefile(own) or filecmp.cmp(published, own, shallow=False)
    return published.read_bytes() == own.read_bytes()


def _published_version(folder: Location) -> str | None:
    try:
        return str(read_json(folder / "run.json")["version"])
    except (DataError, KeyError, TypeError):
        return None
