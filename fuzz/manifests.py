"""Fuzz manifests of corpora."""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["deepfake"]):
    from deepfake.corpora.manifest import read_manifest, write_manifest
    from deepfake.corpora.manifest_row import ManifestRow
    from deepfake.types import Kind, Label, Split, Status
from fuzz.harness import fuzz
from fuzz.seeds import files_of, with_plain_tables

__all__ = ["read_mutated"]


def read_mutated(folder: Path, data: bytes) -> None:
    """Read a mutated manifest."""
    path = folder / "manifest.parquet"
    path.write_bytes(data)
    for row in read_manifest(path):
        assert isinstance(row.status, Status)


def _seeds() -> dict[str, bytes]:
    rows = [
        ManifestRow("/m/a.mp4", "m", "0" * 64, Kind.VIDEO, 7, 8, Label.FAKE, split=Split.VAL),
        ManifestRow("/m/b.png", "m", status=Status.EMPTY, message="the file has 0 bytes"),
    ]
    return with_plain_tables(files_of(lambda f: write_manifest(f / "manifest.parquet", rows)))


def main() -> None:
    """Fuzz."""
    fuzz("manifests", read_mutated, _seeds())


if __name__ == "__main__":
    sys.exit(main())
