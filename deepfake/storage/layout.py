"""Where things lie under the data root."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["DataRoot"]


@dataclass(frozen=True, slots=True)
class DataRoot:
    """The layout of the folder that holds everything but code and tracking.

    Attributes:
        path: The folder; made when something is written.
    """

    path: Path

    def manifest(self, corpus: str) -> Path:
        """Return where the manifest of a corpus lies."""
        return self.path / "manifests" / f"{corpus}.parquet"

    def corpus_shards(self, corpus: str) -> Path:
        """Return the folder of all snapshots and shards of a corpus."""
        return self.path / "shards" / corpus

    @property
    def splits(self) -> Path:
        """The folder of kept group assignments."""
        return self.path / "splits"

    @property
    def runs(self) -> Path:
        """The folder of training runs."""
        return self.path / "runs"

    @property
    def detectors(self) -> Path:
        """The folder of detector bundles."""
        return self.path / "detectors"

    @property
    def evaluations(self) -> Path:
        """The folder of evaluation results."""
        return self.path / "evaluations"

    @property
    def engine_cache(self) -> Path:
        """The folder of networks converted for the CPU; whatever lies there can be made again."""
        return self.path / ".cache" / "openvino"

    @property
    def outputs(self) -> Path:
        """The folder of notes on where scores went, so that what they tell can be removed."""
        return self.path / "outputs"

    def log(self, name: str) -> Path:
        """Return where the runs of a flow tell what they do, JSON lines."""
        return self.path / "logs" / f"{name}.jsonl"

    @property
    def prefect_home(self) -> Path:
        """Prefect's home, unless `PREFECT_HOME` says otherwise."""
        return self.path / ".prefect"
