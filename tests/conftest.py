"""Fixtures that every test may use."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of development data beside the checkout, or skip."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"the development data are not at {SHARED_DATA}")
    return SHARED_DATA
