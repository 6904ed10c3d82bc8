"""What is known of the files of a scored folder, and which of them have scores.

It is kept in SQLite, so that a folder of a million files needs no memory, and written after what
it tells of: a part of scores is on disk before it is noted here. What a run that was killed left
unnoted is found on disk at the next start, so this file may be lost and only costs hashing anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from deepfake.config import MediaLimits
from deepfake.corpora.manifest_row import ManifestRow
from deepfake.scoring.batch import ChangedFile
from deepfake.scoring.parts import Part
from deepfake.scoring.state.files import KnownFiles, is_as_probed, is_same_in_tables, log_failure
from deepfake.scoring.state.finished_scores import FinishedScores
from deepfake.scoring.state.parts import KnownParts
from deepfake.scoring.state.schema import (
    LIMITS,
    connect,
    limits_key,
    tables_key,
    tables_value,
    translate_sqlite_errors,
)
from deepfake.storage import medium_exists
from deepfake.storage.event_log import log_event
from deepfake.types import TRANSIENT_STATUSES, Status

__all__ = [
    "ScoringState",
    "open_state",
]

_MOST = 2**62
_RACY_NS = 2_000_000_000
"""A file that changed so shortly before it was hashed may have changed again with the same time:
the clocks of file systems tick, some once in two seconds."""

_VANISHED = "was there in an earlier run, and is gone"


class ScoringState:
    """One run's view of the state.

    Args:
        path: The SQLite file; made where it is not there.
        folder: URI of the folder that is scored; files elsewhere are left alone.
        version: Digest of the detector and all settings that can change a score.

    Raises:
        DataError: The file is damaged, or of another version of this program.
    """

    def __init__(self, path: Path, *, folder: str, version: str) -> None:
        self.folder = folder
        self.version = version
        self._db = connect(path)
        self._files = KnownFiles(self._db, folder=folder)
        self._parts = KnownParts(self._db, version=version)
        self._progress: str | None = None
        self.run = self._count("run") + 1
        self._changes_before = self._count("changes")
        self._begin(self.run)
        with self._writing():
            self._set_meta("version", version)
            self._set_meta("folder", folder)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def set_progress(self, progress: Mapping[str, Any], *, is_written: bool = False) -> None:
        """Keep what a run says of itself; it is written with the next change.

        Args:
            progress: JSON types.
            is_written: Write it now, whatever changes.
        """
        self._progress = json.dumps(progress)
        if is_written:
            with self._writing():
                pass

    def _begin(self, run: int) -> None:
        self.run = run
        with self._writing():
            self._set_meta("run", run)

    @property
    def listing(self) -> str | None:
        """The name of the last listing that was written out of this state or read into it."""
        found = self._meta("listing")
        return None if found is None else str(found)

    def all_files(self) -> Iterator[tuple[Any, ...]]:
        """Yield what is known of every file, as `take_files` takes it."""
        yield from self._files.iter_all()

    @property
    def is_listed(self) -> bool:
        """Whether that listing holds all that is known of files."""
        return self.listing is not None and not self._meta("unlisted")

    def mark_listed(self, listing: str) -> None:
        """Note that a listing holds all that is known of files."""
        with self._writing():
            self._set_meta("listing", listing)
            self._set_meta("unlisted", 0)

    def take_files(self, files: Iterable[Sequence[Any]], *, listing: str) -> None:
        """Put what another machine found out in place of what is known here of files.

        Args:
            files: From its `all_files`.
            listing: The name of the listing that they were read from.
        """
        with self._writing():
            self._files.replace_all(files)
            self._set_meta("listing", listing)
            self._set_meta("unlisted", 0)
            self._mark_changed()

    def reconcile(self, parts: Iterable[Part]) -> None:
        """Make what is noted agree with the parts that are there and whole.

        Args:
            parts: Of this version.
        """
        there = sorted(parts, key=lambda part: part.run_number)
        if there and there[-1].run_number >= self.run:
            # This file was lost or is another machine's: the newest score shall be this run's.
            self._begin(there[-1].run_number + 1)
        noted = {str(name) for name in self._parts.run_numbers()}
        with self._writing():
            for name in noted - {part.key for part in there}:
                self._drop(name)
            for part in there:
                if part.key not in noted:
                    self._note(part)

    def apply_limits(self, limits: MediaLimits) -> None:
        """Take note of how large a medium may be.

        What was too large under other limits is probed and scored again; what has a score keeps
        it.
        """
        text = limits.model_dump_json()
        here = limits_key(self.version)
        with self._writing():
            if self._meta(LIMITS) != text:
                self._files.probe_too_large_again()
                self._set_meta(LIMITS, text)
            if self._meta(here) != text:
                self._set_meta(here, text)
                if self._parts.drop_status(Status.TOO_LARGE):
                    self._mark_changed()

    def record_listed(
        self, rows: Sequence[ManifestRow]
    ) -> tuple[list[ManifestRow], list[ManifestRow]]:
        """Note that files were listed.

        Args:
            rows: As listed.

        Returns:
            Those that are as they were, with what probing found then, and those to be probed.
        """
        before = self._files.find([row.uri for row in rows])
        known: list[ManifestRow] = []
        unknown: list[ManifestRow] = []
        changed: list[ManifestRow] = []
        for row in rows:
            old, is_racy = before.get(row.uri, (None, True))
            if row.status is not Status.OK:
                known.append(row)
                if old is None or not is_same_in_tables(old, row):
                    changed.append(row)
            elif old is not None and not is_racy and is_as_probed(row, old):
                known.append(old)
            else:
                unknown.append(row)
        for row in changed:
            log_failure(row)
        with self._writing():
            self._put(changed, racy_after=None)
            # What is probed is noted by `record_probed`: until then it must not look finished.
            self._files.mark_listed(known, run=self.run)
        return known, unknown

    def record_probed(self, rows: Sequence[ManifestRow], *, began_ns: int) -> None:
        """Note what probing found.

        Args:
            rows: As probed.
            began_ns: Wall-clock time before the first of them was read.
        """
        with self._writing():
            before = self._files.find([row.uri for row in rows])
            self._put(rows, racy_after=began_ns - _RACY_NS)
            if any(
                row.uri not in before or not is_same_in_tables(before[row.uri][0], row)
                for row in rows
            ):
                self._mark_changed()
        for row in rows:
            log_failure(row)
        for row, status in self._scored_as(rows):
            log_failure(replace(row, status=status, message="the same bytes have that outcome"))

    def claim(
        self,
        rows: Iterable[ManifestRow],
        *,
        limit: int | None = None,
        is_retrying_failed: bool = False,
    ) -> list[ManifestRow]:
        """Return files whose content has no score yet and is not claimed in this run, and claim it.

        Args:
            rows: Probed.
            limit: Claim no more than this.
            is_retrying_failed: Whether a file that timed out, crashed its worker or ran out of
                memory is claimed again.
        """
        usable = {
            row.media_id: row
            for row in rows
            if row.status is Status.OK and row.media_id and row.kind
        }
        if not usable:
            return []
        scored = self._parts.statuses(list(usable))
        claimed: list[ManifestRow] = []
        for media_id, row in usable.items():
            if limit is not None and len(claimed) >= limit:
                break
            status = scored.get(media_id)
            is_done = status in set(Status) and not (
                is_retrying_failed and Status(status) in TRANSIENT_STATUSES
            )
            if not is_done and self._parts.claim(media_id):
                claimed.append(row)
        return claimed

    def release(self, moved: Iterable[ChangedFile]) -> list[ManifestRow]:
        """Note files that were no longer what had been hashed, and give their contents free.

        Returns:
            Other files of the same contents, where there are any.
        """
        others = []
        for file in moved:
            log_event("file failed", error_type=None, **asdict(file))
            with self._writing():
                self._files.mark_failed(file.uri, status=file.status, message=file.message)
                self._parts.unclaim(file.media_id)
                self._set_meta("unlisted", 1)
                self._mark_changed()
            other = self._files.one_of(file.media_id)
            if other is not None:
                others.append(other)
        return others

    def commit(self, part: Part) -> None:
        """Note a part that lies on disk."""
        with self._writing():
            self._note(part)

    def names_of(self, media_ids: Iterable[str]) -> list[tuple[str, str]]:
        """Return uri and media_id of all files that have one of these contents."""
        return self._files.names_of(media_ids)

    def _scored_as(self, rows: Iterable[ManifestRow]) -> list[tuple[ManifestRow, Status]]:
        """Return the rows whose content has an outcome already, under another name."""
        usable = [(row, row.media_id) for row in rows if row.status is Status.OK and row.media_id]
        scored = self._parts.statuses([media_id for _, media_id in usable])
        return [(row, Status(scored[own])) for row, own in usable if own in scored]

    def mark_vanished(self) -> int:
        """Note which files of the folder are gone, and return how many.

        A file that this run did not list is looked for, since a filter may have left it out.
        """
        unseen = self._files.not_listed_by(self.run)
        gone = [(uri, media_id) for uri, media_id in unseen if not medium_exists(uri)]
        with self._writing():
            self._files.mark_vanished([uri for uri, _ in gone], message=_VANISHED)
            if gone:
                self._set_meta("unlisted", 1)
                self._mark_changed()
        for uri, media_id in gone:
            row = ManifestRow(uri, "", media_id, status=Status.VANISHED, message=_VANISHED)
            log_failure(row)
        return len(gone)

    @property
    def finished(self) -> FinishedScores:
        """What tables and comparisons are made of."""
        return FinishedScores(self._db, version=self.version, folder=self.folder)

    @property
    def num_files(self) -> int:
        """Files of the folder."""
        return self._files.count()

    @property
    def num_waiting(self) -> int:
        """Files of the folder that no run has scored yet."""
        return self._files.count_waiting(self.version)

    @property
    def num_changes(self) -> int:
        """How often this run changed what the tables say."""
        return self._count("changes") - self._changes_before

    @property
    def is_dirty(self) -> bool:
        """Whether the tables of this version and folder were not written since the last change."""
        written: str | None = self._meta(tables_key(self.version))
        return written != self._written

    def mark_written(self) -> None:
        """Note that the tables hold all that is known."""
        with self._writing():
            self._set_meta(tables_key(self.version), self._written)

    @property
    def _written(self) -> str:
        return tables_value(self._count("changes"), folder=self.folder)

    def unused_parts(self) -> list[str]:
        """Return parts of this version whose every score was superseded."""
        return self._parts.unused()

    def small_parts(self, *, below: int) -> list[Part]:
        """Return parts of this version with few scores that hold, and no others, sorted by key.

        Args:
            below: Media that a part must not reach.
        """
        return self._parts.small(below=below)

    def forget_part(self, name: str) -> None:
        """Delete a removed part from the state."""
        with self._writing():
            self._drop(name)

    def _note(self, part: Part) -> None:
        self._parts.note(part)
        self._mark_changed()

    def _drop(self, name: str) -> None:
        if self._parts.drop(name):
            self._mark_changed()

    def _put(self, rows: Iterable[ManifestRow], *, racy_after: int | None) -> None:
        if self._files.put(rows, racy_after=racy_after, run=self.run):
            self._set_meta("unlisted", 1)
            if racy_after is None:
                self._mark_changed()

    def _meta(self, name: str) -> Any:
        found = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return None if found is None else found[0]

    def _count(self, name: str) -> int:
        value = self._meta(name)
        return value if isinstance(value, int) and 0 <= value < _MOST else 0

    def _set_meta(self, name: str, value: Any) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    def _mark_changed(self) -> None:
        self._set_meta("changes", self._count("changes") + 1)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with translate_sqlite_errors(), self._db:
            yield
            if self._progress is not None:
                self._set_meta("progress", self._progress)
                self._progress = None


@contextmanager
def open_state(path: Path, *, folder: str, version: str) -> Iterator[ScoringState]:
    """Yield the state, and close it."""
    state = ScoringState(path, folder=folder, version=version)
    try:
        yield state
    finally:
        state.close()
