"""The output folder of scores: held by one run at a time, with a subfolder for each version."""

from __future__ import annotations

import os
import shutil
import socket
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import filelock

from deepfake.config import digest_of
from deepfake.detectors.bundles import Bundle, DetectorSpec
from deepfake.detectors.identity import DetectorIdentity
from deepfake.detectors.sync_bundle import SyncBundle
from deepfake.detectors.voice_bundle import VoiceBundle
from deepfake.errors import ConfigError, DataError
from deepfake.scoring.output.merge import merge_small_parts
from deepfake.scoring.output.tables import TableCounts, write_tables
from deepfake.scoring.parts import remove_part
from deepfake.scoring.scorer_settings import ScorerSetup, all_reading_notes, scoring_digest
from deepfake.scoring.state.state import ScoringState
from deepfake.storage import (
    Lease,
    Location,
    StorePath,
    atomic_path,
    cache_folder,
    folders_in,
    lease_owner,
    location_of,
    read_json,
    take_lease,
    to_uri,
    write_json,
)
from deepfake.storage.environment import user_name

__all__ = [
    "TABLE_FILES",
    "FolderLock",
    "ScoresFolder",
    "describe_for_report",
    "read_table_counts",
    "scores_version",
    "write_scores",
]

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

_FURTHER = ("windows.parquet", "blocks.parquet")
"""Shown where voices were judged, and where lips were compared with sound."""

_FURTHER_COUNTS = ("voice_verdicts", "sync_verdicts", "file_verdicts")

_LEASE = ".lease.json"


def scores_version(setup: ScorerSetup, *, bundle: Bundle) -> str:
    """Return what names the scores of a detector under a configuration, 16 hex digits."""
    return digest_of(bundle.digest, scoring_digest(setup, bundle=bundle))


class FolderLock:
    """The lock on an output folder: while it lasts, no other run writes there.

    Args:
        path: The folder.
        lease: The lease that it is kept by where the folder is in a store.
    """

    def __init__(self, path: Location, lease: Lease | None = None) -> None:
        self._path = path
        self._lease = lease

    def check(self) -> None:
        """Find out whether it is still ours.

        Raises:
            DataError: It was not renewed in time, and another run may be at work.
        """
        if self._lease is not None and not self._lease.is_ours:
            raise DataError(
                "the lease on this output was lost: this process or the store stood still",
                path=self._path,
                hint="What was finished is kept: run again.",
            )


@dataclass(frozen=True, slots=True)
class ScoresFolder:
    """Where everything lies below an output folder.

    Attributes:
        path: The folder, here or in a store; its tables are those of the last run.

    Raises:
        ConfigError: A URI of a store that was taken for a path.
    """

    path: Location

    def __post_init__(self) -> None:
        location_of(self.path)

    @property
    def scored_folder(self) -> str | None:
        """URI of the folder that the tables are of; None where there are none."""
        with suppress(DataError, OSError):
            record = read_json(self.path / "run.json")
            return (
                str(record["folder"]) if isinstance(record, dict) and "folder" in record else None
            )
        return None

    @property
    def shown_version(self) -> str:
        """Version of the scores that the tables show.

        Raises:
            DataError: No run has finished here.
        """
        try:
            return str(read_json(self.path / "run.json")["version"])
        except (DataError, OSError, KeyError, TypeError) as error:
            raise DataError(
                "no finished scores are there",
                path=self.path,
                hint="Name what was --output of `deepfake score`.",
            ) from error

    @property
    def work(self) -> Path:
        """Where this machine keeps what it alone needs: here, or among its caches."""
        if isinstance(self.path, Path):
            return self.path
        return cache_folder() / "outputs" / f"{self.path.name}-{digest_of(self.path.uri)}"

    @property
    def state(self) -> Path:
        """What is known of the files."""
        return self.work / "state.sqlite"

    @property
    def log(self) -> Path:
        """What runs tell, a JSON object a line."""
        return self.work / "log.jsonl"

    @property
    def drift(self) -> Location:
        """How far the media of the last run that scored any lie from the detector's own."""
        return self.path / "drift.json"

    @property
    def metrics(self) -> Path:
        """The numbers of the last run, for Prometheus."""
        return self.work / "metrics.prom"

    def versions(self) -> list[str]:
        """Return the versions of the scores that lie here."""
        return folders_in(self.path / "versions")

    def version(self, version: str) -> Location:
        """Return the folder of the scores of one detector under one configuration."""
        return self.path / "versions" / version

    def parts(self, version: str) -> Location:
        """Return the folder of a version's parts."""
        return self.version(version) / "parts"

    def scratch(self, version: str) -> Path:
        """Return a folder of this machine that is cleared at each start."""
        return self.work / "versions" / version / "tmp"

    @contextmanager
    def lock(self) -> Iterator[FolderLock]:
        """Keep other runs away, and clear what a run that was killed left half done.

        Raises:
            ConfigError: No folder can be made there.
            DataError: Another run holds it; which, the message says.
            StoreError: The store refused or did not answer.
        """
        try:
            self.work.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"the folder for the scores cannot be created ({error.strerror})", path=self.work
            ) from error
        with ExitStack() as stack:
            lock = filelock.FileLock(self._lock, timeout=_LOCK_SECONDS)
            try:
                stack.enter_context(lock)
            except filelock.Timeout:
                raise self._is_taken() from None
            lease = None
            if isinstance(self.path, StorePath):
                lease = take_lease(self.path / _LEASE, _describe_owner())
                if lease is None:
                    raise self._is_taken()
                stack.callback(lease.release)
            write_json(self._owner_file, _describe_owner())
            stack.callback(self._owner_file.unlink, missing_ok=True)
            self._clear()
            yield FolderLock(self.path, lease)

    @property
    def _lock(self) -> Path:
        return self.work / ".lock"

    @property
    def _owner_file(self) -> Path:
        return self.work / ".owner.json"

    def owner(self) -> dict[str, Any] | None:
        """Return who is at work on it; None if nobody is."""
        if isinstance(self.path, StorePath):
            return lease_owner(self.path / _LEASE)
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

    def _is_taken(self) -> DataError:
        owner = self.owner() or {}
        who = "an unidentified process"
        if owner:
            who = "process {pid} of {user} on {host} since {since}".format_map(owner)
        return DataError(
            f"another run is at work on this output: {who}",
            path=self.path,
            hint="Wait for it or stop it, or name another output.",
        )

    def _clear(self) -> None:
        for leftover in (*self.work.glob("*.part"), *self.work.glob("versions/*/**/*.part")):
            leftover.unlink(missing_ok=True)
        for folder in self.work.glob("versions/*/tmp"):
            shutil.rmtree(folder, ignore_errors=True)

    def publish(self, version: str) -> None:
        """Show the tables of a version at the top of the folder."""
        if isinstance(self.path, StorePath):
            _publish_in_store(self.path, self.path / "versions" / version)
            return
        folder = self.path / "versions" / version
        _remove_others(self.path, shown=folder)
        for name in _shown_files(folder):
            source = folder / name
            with atomic_path(self.path / name) as temporary:
                try:
                    os.link(source, temporary)
                except OSError:  # a file system without links
                    shutil.copyfile(source, temporary)


def _publish_in_store(folder: StorePath, version: StorePath) -> None:
    last = TABLE_FILES[-1]
    with suppress(DataError):
        # It is copied last: where it is the version's own, all of them are.
        if read_json(folder / last) == read_json(version / last):
            return
    _remove_others(folder, shown=version)
    for name in _shown_files(version):
        (version / name).copy_to(folder / name)


def _remove_others(folder: Location, *, shown: Location) -> None:
    """Remove tables from the top of a folder that the version to be shown does not have."""
    for name in _FURTHER:
        if not (shown / name).is_file():
            (folder / name).unlink(missing_ok=True)


def _shown_files(version: Location) -> tuple[str, ...]:
    return (*(name for name in _FURTHER if (version / name).is_file()), *TABLE_FILES)


def write_scores(
    output: ScoresFolder, state: ScoringState, *, setup: ScorerSetup, bundle: Bundle
) -> TableCounts:
    """Write the tables of a version, if anything has changed, and show them at the top.

    Args:
        output: The output folder.
        state: Of the run.
        setup: Which detector, and how.
        bundle: The detector.
    """
    folder = output.version(state.version)
    if state.is_dirty:
        merge_small_parts(output.parts(state.version), state)
    counts = None if state.is_dirty else read_table_counts(folder)
    if counts is None:
        counts = write_tables(
            folder,
            parts=output.parts(state.version),
            scratch=output.scratch(state.version),
            finished=state.finished,
            setup=setup,
            bundle=bundle,
        )
        write_json(
            folder / "run.json",
            {
                # Two of them are alike only if they tell of the same tables.
                "written": uuid.uuid4().hex,
                "folder": state.folder,
                "version": state.version,
                "detector": {
                    **setup.detector.as_record(digest=bundle.digest),
                    "path": to_uri(bundle.path),
                },
                "voice_detector": _record_of(setup.voice, setup.voice_bundle),
                "sync_detector": _record_of(setup.sync, setup.sync_bundle),
                "notes": all_reading_notes(setup, bundle=bundle),
                "reading": describe_for_report(bundle.spec),
                **counts.as_record(),
            },
        )
        state.mark_written()
    # Only now does no table need them.
    for key in state.unused_parts():
        remove_part(output.parts(state.version), key)
        state.forget_part(key)
    output.publish(state.version)
    return counts


def _record_of(
    detector: DetectorIdentity | None, bundle: VoiceBundle | SyncBundle | None
) -> dict[str, Any] | None:
    if detector is None or bundle is None:
        return None
    return {**detector.as_record(digest=bundle.digest), "path": to_uri(detector.path)}


def describe_for_report(spec: DetectorSpec) -> dict[str, Any]:
    """Return what a report says of a detector beside its reading notes, in JSON types."""
    return {
        "thresholds": {
            kind: own.thresholds.model_dump(mode="json") for kind, own in spec.judgement.items()
        },
        "missed": spec.notes_on_unseen,
        "notes": list(spec.all_notes),
    }


def read_table_counts(folder: Location) -> TableCounts | None:
    """Return what the tables of a version hold; None where they are not all there."""
    if not all((folder / name).is_file() for name in TABLE_FILES):
        return None
    try:
        record = read_json(folder / "run.json")
        # Records of earlier versions lack the last two or three.
        further = (Counter(record.get(name, {})) for name in _FURTHER_COUNTS)
        return TableCounts(Counter(record["statuses"]), Counter(record["verdicts"]), *further)
    except (DataError, KeyError, TypeError):
        return None


def _describe_owner() -> dict[str, Any]:
    return {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "user": user_name(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }
