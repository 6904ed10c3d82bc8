"""The folders under the data root."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from deepfake.errors import ConfigError
from deepfake.storage.locations import Location, location_of

__all__ = ["DataRoot", "new_run_name"]


@dataclass(frozen=True, slots=True)
class DataRoot:
    """The folder that holds corpora, runs, detectors and evaluations, and its layout.

    In an object store only corpora are kept: manifests, shards, splits, held-out sets. Everything
    else stays on the local disk.

    Attributes:
        path: The folder, local or in a store; created when something is written.

    Raises:
        ConfigError: `path` is a store URI whose second slash was lost.
    """

    path: Location

    def __post_init__(self) -> None:
        location_of(self.path)

    @property
    def here(self) -> Path:
        """The local data root: `path` itself, or `data` if `path` is in a store."""
        return self.path if isinstance(self.path, Path) else Path("data")

    def make_here(self) -> Path:
        """Make the local data root where it is absent, and return it.

        Raises:
            ConfigError: It cannot be made, or not written to.
        """
        hint = "Name a folder that can be written with --data-root."
        try:
            self.here.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"the data root cannot be made ({error.strerror})", path=self.here, hint=hint
            ) from error
        if not os.access(self.here, os.W_OK | os.X_OK):
            raise ConfigError("the data root cannot be written", path=self.here, hint=hint)
        return self.here

    def manifest(self, corpus: str) -> Location:
        """Return the path of a corpus's manifest."""
        return self.path / "manifests" / f"{corpus}.parquet"

    @property
    def shards(self) -> Location:
        """The folder of all corpora's snapshots and shards."""
        return self.path / "shards"

    def corpus_shards(self, corpus: str) -> Location:
        """Return the folder of all snapshots and shards of a corpus."""
        return self.shards / corpus

    def has_corpus(self, name: str) -> bool:
        """Return whether a name is that of an ingested corpus; a path such as `./faces` is none."""
        is_name = set(name).isdisjoint("/\\") and name not in {"", ".", ".."}
        return is_name and (self.corpus_shards(name) / "latest").is_file()

    @property
    def splits(self) -> Location:
        """The folder of split assignments by group."""
        return self.path / "splits"

    @property
    def held_out_sets(self) -> Location:
        """The folder of held-out sets and of the records of their use, `benchmarks` on disk."""
        return self.path / "benchmarks"

    @property
    def runs(self) -> Path:
        """The folder of training runs."""
        return self.here / "runs"

    @property
    def detectors(self) -> Path:
        """The folder of detector bundles."""
        return self.here / "detectors"

    @property
    def evaluations(self) -> Path:
        """The folder of evaluation results."""
        return self.here / "evaluations"

    @property
    def sweeps(self) -> Path:
        """The folder of searches for the best settings."""
        return self.here / "sweeps"

    @property
    def registry_cache(self) -> Path:
        """The folder of detectors fetched from a registry elsewhere; it can be deleted."""
        return self.here / ".cache" / "detectors"

    @property
    def outputs(self) -> Path:
        """The folder that records where scores were written, so that media can be removed there."""
        return self.here / "outputs"

    def log(self, name: str) -> Path:
        """Return the path of a flow's event log."""
        return self.here / "logs" / f"{name}.jsonl"

    @property
    def prefect_home(self) -> Path:
        """Prefect's home, unless `PREFECT_HOME` says otherwise."""
        return self.here / ".prefect"


def new_run_name(*parts: str) -> str:
    """Return a name for a run: what it is about, and when it began, UTC."""
    return "-".join((*parts, f"{datetime.now(UTC):%Y%m%d-%H%M%S}"))
