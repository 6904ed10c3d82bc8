"""Small detectors, and pictures for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.sample_data import clip_frames
from tests.untrained_detector import write_bundle

Pixels = NDArray[np.uint8]


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    """PyTorch's threads spin while they wait: on cores that are shared that costs most."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def crops() -> list[Pixels]:
    """Return pictures of a face, drifting and noisy, and of sizes that have to be changed."""
    shrunk = clip_frames(30, seed=1, side=80)
    return [*shrunk, *clip_frames(4, seed=2, side=64), *clip_frames(6, seed=3, side=50)] * 2


@pytest.fixture(scope="session")
def bundle_writer() -> Callable[..., Path]:
    """Return `write_bundle`."""
    return write_bundle


@pytest.fixture(scope="session")
def bundle_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a detector of 64 pixels that takes a second to convert."""
    folder = tmp_path_factory.mktemp("detector") / "bundle"
    return write_bundle(folder, model="test_efficientnet", size=64)


@pytest.fixture(scope="session")
def engine_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which converted networks are kept."""
    return tmp_path_factory.mktemp("cache") / "openvino"
