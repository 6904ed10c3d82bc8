"""A data root, for the tests of ingesting."""

from __future__ import annotations

from pathlib import Path

import pytest

from deepfake.storage import DataRoot


@pytest.fixture
def root(tmp_path: Path) -> DataRoot:
    return DataRoot(tmp_path / "data")
