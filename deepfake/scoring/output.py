"""The folder that scores go into: one run at a time, one version of the scores beside another."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import filelock

from deepfake.bundles import Bundle
from deepfake.config import digest_of
from deepfake.errors import DataError
from deepfake.scoring.compacting import TableCounts, write_tables
from deepfake.scoring.parts import remove_part
from deepfake.scoring.scorer import ScorerSetup, scoring_digest
from deepfake.scoring.state import ScoringState
from deepfake.storage import atomic_path, read_json, write_json

__all__ = ["TABLE_FILES", "ScoresFolder", "counts_written", "scores_version", "write_scores"]

_LOCK_SECONDS = 1.0

TABLE_FILES = (
    "scores.parquet",
    "scores.csv",
    "tracks.parquet",
    "frames.parquet",
    "failures.csv",
    "notes.txt",
    "run.json",
)
"""What a version shows at the top of the folder."""


def scores_version(setup: ScorerSetup, *, bundle: Bundle) -> str:
    """Return what names the scores of a detector under a configuration, 16 hex digits."""
    return digest_of(bundle.digest, scoring_digest(setup, bundle=bundle))


@dataclass(frozen=True, slots=True)
class ScoresFolder:
    """Where everything lies below an output folder.

    Attributes:
        path: The folder; its tables are those of the last run.
    """

    path: Path

    @property
    def state(self) -> Path:
        """What is known of the files."""
        return self.path / "state.sqlite"

    @property
    def log(self) -> Path:
        """What runs tell, a JSON object a line."""
        return self.path / "log.jsonl"

    @property
    def metrics(self) -> Path:
        """The numbers of the last run, for Prometheus."""
        return self.path / "metrics.prom"

    def versions(self) -> list[str]:
        """Return the versions of the scores that lie here."""
        return sorted(path.name for path in self.path.glob("versions/*") if path.is_dir())

    def version(self, version: str) -> Path:
        """Return the folder of the scores of one detector under one configuration."""
        return self.path / "versions" / version

    def parts(self, version: str) -> Path:
        """Return the folder of a version's parts."""
        return self.version(version) / "parts"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other runs away, and clear what a run that was killed left half done.

        Raises:
            DataError: Another run holds it; which, the message says.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        # Whoever only asks for the owner has the lock for a moment.
        lock = filelock.FileLock(self._lock, timeout=_LOCK_SECONDS)
        try:
            lock.acquire()
        except filelock.Timeout:
            raise DataError(
                f"another run is at work on this output: {self._owner()}",
                path=self.path,
                hint="Wait for it or stop it, or name another output.",
            ) from None
        try:
            write_json(self._owner_file, _describe_owner())
            self._clear()
            yield
        finally:
            try:
                self._owner_file.unlink(missing_ok=True)
            finally:
                lock.release()

    @property
    def _lock(self) -> Path:
        return self.path / ".lock"

    @property
    def _owner_file(self) -> Path:
        return self.path / ".owner.json"

    def owner(self) -> dict[str, Any] | None:
        """Return who is at work on it; None if nobody is."""
        if not self._lock.exists():
            return None
        try:
            with filelock.FileLock(self._lock, timeout=0):
                return None
        except filelock.Timeout:
            return self._read_owner()
        except OSError:
            # Whoever may not write here cannot ask; a run that was killed leaves its name too.
            return self._read_owner() if self._owner_file.is_file() else None

    def _read_owner(self) -> dict[str, Any]:
        with suppress(DataError):
            return dict(read_json(self._owner_file))
        return {}

    def _owner(self) -> str:
        owner = self.owner() or {}
        if not owner:
            return "it has not said yet which"
        return (
            f"process {owner['pid']} of {owner['user']} on {owner['host']} since {owner['since']}"
        )

    def _clear(self) -> None:
        for leftover in (*self.path.glob("*.part"), *self.path.glob("versions/*/**/*.part")):
            leftover.unlink(missing_ok=True)
        for folder in self.path.glob("versions/*/tmp"):
            shutil.rmtree(folder, ignore_errors=True)

    def publish(self, version: str) -> None:
        """Show the tables of a version at the top of the folder."""
        for name in TABLE_FILES:
            source = self.version(version) / name
            with atomic_path(self.path / name) as part:
                try:
                    os.link(source, part)
                except OSError:  # a file system without links
                    shutil.copyfile(source, part)


def write_scores(
    to: ScoresFolder, state: ScoringState, *, setup: ScorerSetup, bundle: Bundle
) -> TableCounts:
    """Write the tables of a version, if anything has changed, and show them at the top.

    Args:
        to: The output folder.
        state: Of the run.
        setup: Which detector, and how.
        bundle: The detector.
    """
    folder = to.version(state.version)
    counts = None if state.is_dirty else counts_written(folder)
    if counts is None:
        counts = write_tables(
            folder,
            parts=to.parts(state.version),
            files=state.known_files,
            setup=setup,
            bundle=bundle,
        )
        write_json(
            folder / "run.json",
            {
                "folder": state.folder,
                "version": state.version,
                "detector": {
                    "name": setup.detector.name,
                    "version": setup.detector.version,
                    "digest": bundle.digest,
                },
                "notes": bundle.spec.reading_notes,
                "statuses": dict(counts.statuses),
                "verdicts": dict(counts.verdicts),
            },
        )
        state.mark_written()
    # Only now does no table need them.
    for key in state.unused_parts():
        remove_part(to.parts(state.version), key)
        state.forget_part(key)
    to.publish(state.version)
    return counts


def counts_written(folder: Path) -> TableCounts | None:
    """Return what the tables of a version hold; None where they are not all there."""
    if not all((folder / name).is_file() for name in TABLE_FILES):
        return None
    try:
        told = read_json(folder / "run.json")
        return TableCounts(Counter(told["statuses"]), Counter(told["verdicts"]))
    except (DataError, KeyError, TypeError):
        return None


def _describe_owner() -> dict[str, Any]:
    return {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "user": _user(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in containers
        return str(os.getuid())
