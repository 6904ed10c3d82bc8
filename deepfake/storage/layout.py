"""Where things lie under the data root."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from deepfake.storage.locations import Location, location_of

__all__ = ["DataRoot"]


@dataclass(frozen=True, slots=True)
class DataRoot:
    """The layout of the folder that holds everything but code and tracking.

    A store holds corpora: manifests, shards, splits. Whatever else a run makes stays here.

    Attributes:
        path: The folder, here or in a store; made when something is written.

    Raises:
        ConfigError: A URI of a store that was taken for a path.
    """

    path: Location

    def __post_init__(self) -> None:
        location_of(self.path)

    @property
    def here(self) -> Path:
        """The folder of what is not in a store: `path` itself, or `data`."""
        return self.path if isinstance(self.path, Path) else Path("data")

    def manifest(self, corpus: str) -> Location:
        """Return where the manifest of a corpus lies."""
        return self.path / "manifests" / f"{corpus}.parquet"

    def corpus_shards(self, corpus: str) -> Location:
        """Return the folder of all snapshots and shards of a corpus."""
        return self.path / "shards" / corpus

    @property
    def splits(self) -> Location:
        """The folder of kept group assignments."""
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
    def engine_cache(self) -> Path:
        """The folder of networks converted for the CPU; whatever lies there can be made again."""
        return self.here / ".cache" / "openvino"

    @property
    def outputs(self) -> Path:
        """The folder of notes on where scores went, so that what they tell can be removed."""
        return self.here / "outputs"

    def log(self, name: str) -> Path:
        """Return where the runs of a flow tell what they do, JSON lines."""
        return self.here / "logs" / f"{name}.jsonl"

    @property
    def prefect_home(self) -> Path:
        """Prefect's home, unless `PREFECT_HOME` says otherwise."""
        return self.here / ".prefect"
