"""Snapshots of synthetic crops; a store in memory."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import fsspec
import pytest

from deepfake.corpora.shards import Snapshot
from deepfake.storage import StorePath, location_of
from tests.synthetic_corpus import CropFile, plain_files, write_corpus


@pytest.fixture(scope="session")
def corpus_writer() -> Callable[..., Snapshot]:
    """Return `write_corpus`."""
    return write_corpus


@pytest.fixture(scope="session")
def crop_file() -> type[CropFile]:
    """Return `CropFile`."""
    return CropFile


@pytest.fixture(scope="session")
def file_plan() -> Callable[..., list[CropFile]]:
    """Return `plain_files`."""
    return plain_files


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder that takes the place of the user's caches."""
    monkeypatch.setenv("DEEPFAKE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def bucket(cache: Path) -> Iterator[StorePath]:
    """Yield an empty folder of a store without a server, which fsspec keeps in this process."""
    place = location_of(f"memory://{uuid.uuid4().hex}")
    assert isinstance(place, StorePath)
    yield place
    fsspec.filesystem("memory").store.clear()
