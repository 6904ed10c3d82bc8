"""Fixtures that every test may use."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from hypothesis import settings

from tests.paths import SHARED_DATA

_OF_THIS_RUN = "DEEPFAKE_TEST_RUN"


def pytest_configure() -> None:
    """Let Hypothesis take the time that it needs: 200 ms an example fail on a busy machine."""
    settings.register_profile("no deadline", deadline=None)
    settings.load_profile("no deadline")


@pytest.fixture(scope="session", autouse=True)
def nothing_outlives_the_tests() -> Iterator[None]:
    """End what commands that a test killed have left: Prefect's own servers do not miss them."""
    number = uuid.uuid4().hex
    os.environ[_OF_THIS_RUN] = number
    yield
    del os.environ[_OF_THIS_RUN]
    # Children of this very process end with it: loaders' workers, the tracker of semaphores.
    own = psutil.Process()
    spared = {own.pid, *(p.pid for p in (*own.parents(), *own.children(recursive=True)))}
    for process in psutil.process_iter():
        try:
            if process.pid not in spared and process.environ().get(_OF_THIS_RUN) == number:
                process.kill()
        except (psutil.Error, OSError):
            continue  # gone by now, or somebody else's


@pytest.fixture(scope="session", autouse=True)
def cache_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep converted networks in a folder of this run, for commands in other processes too."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("DEEPFAKE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of development data beside the checkout, or skip."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"the development data are not at {SHARED_DATA}")
    return SHARED_DATA
