"""Check that named data sets exist, without reading them."""

from __future__ import annotations

from pathlib import Path

from deepfake.errors import ConfigError
from deepfake.storage import DataRoot, is_store_uri

__all__ = ["reject_unknown_corpus", "reject_unknown_dataset"]


def reject_unknown_dataset(dataset: str, *, root: DataRoot) -> None:
    """Reject what is neither an ingested corpus nor a folder of this machine.

    Args:
        dataset: As named with `--dataset`.
        root: The data root.

    Raises:
        ConfigError: It is neither.
    """
    if is_store_uri(dataset):
        raise ConfigError(
            f"expected an ingested corpus or a folder of this machine, got {dataset}",
            hint=f"Run `deepfake ingest {dataset} --corpus NAME` first, and name that.",
        )
    if not root.has_corpus(dataset) and not Path(dataset).is_dir():
        raise ConfigError(
            f"{dataset!r} is neither an ingested corpus ({_known(root)}) nor a folder",
            hint="Name a folder with real/ and fake/ in it, or run `deepfake ingest` first.",
        )


def reject_unknown_corpus(corpus: str, *, root: DataRoot) -> None:
    """Reject what is no ingested corpus.

    Raises:
        ConfigError: It is none.
    """
    if not root.has_corpus(corpus):
        raise ConfigError(
            f"{corpus!r} is no ingested corpus ({_known(root)})",
            hint="Run `deepfake ingest` first.",
        )


def _known(root: DataRoot) -> str:
    known = sorted(path.parent.name for path in (root.path / "shards").glob("*/latest"))
    return ", ".join(known) or "none yet"
