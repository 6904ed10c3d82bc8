"""What `--dataset` means: an ingested corpus by name, or a folder that is ingested first."""

from __future__ import annotations

import re
from pathlib import Path

from deepfake.errors import ConfigError
from deepfake.shards import Snapshot, open_snapshot
from deepfake.storage import DataRoot
from flows.ingest import ingest

__all__ = ["resolve_dataset"]


def resolve_dataset(dataset: str, *, data_root: str) -> tuple[Snapshot, list[str]]:
    """Return the snapshot that a name or a folder stands for, and what to tell the user.

    A name wins over a folder of the same name. A folder is ingested, or brought up to date.

    Args:
        dataset: Name of a corpus, or a folder `{train,val,test}/{real,fake}` or `{real,fake}`.
        data_root: The data root.

    Raises:
        ConfigError: Neither a corpus nor a folder.
    """
    root = DataRoot(Path(data_root))
    folder = Path(dataset)
    if (root.corpus_shards(dataset) / "latest").is_file() and len(folder.parts) == 1:
        notes = [f"{dataset!r} is the ingested corpus of that name"]
        if folder.is_dir():
            notes.append(f"a folder {dataset!r} is here too; write ./{dataset} to mean it")
        return open_snapshot(root, dataset), notes
    if not folder.is_dir():
        known = sorted(p.parent.name for p in (root.path / "shards").glob("*/latest"))
        raise ConfigError(
            f"{dataset!r} is neither an ingested corpus ({', '.join(known) or 'none yet'}) "
            "nor a folder",
            hint="Name a folder with real/ and fake/ in it, or run `deepfake ingest` first.",
        )
    corpus = re.sub(r"[^A-Za-z0-9._+-]", "-", folder.resolve().name).strip("-.") or "dataset"
    summary = ingest(str(folder), corpus, "folder", data_root)
    note = f"the folder {dataset} is the corpus {corpus!r} now ({summary['num_crops']} crops)"
    return open_snapshot(root, corpus), [note]
