"""A home with small corpora, and one process that runs flows in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from tests.flows.retrain_home import RECIPE as TINY
from tests.flows.retrain_home import Flows, Home, files_of, running_flows
from tests.sample_data import write_face_clip


@pytest.fixture(scope="session")
def small_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Return a home with the corpus `small` of stills, a detector, and a folder of two clips."""
    torch.set_num_threads(1)
    path = tmp_path_factory.mktemp("small") / "here"
    path.mkdir()
    home = Home(path, f"sqlite:///{path}/mlflow.db")
    (path / "tiny.toml").write_text(TINY)
    counts = {"train": 12, "val": 24, "test": 12}
    files = [f for split, n in counts.items() for f in files_of(split, real=n, grid=n)]
    home.write("small", files)
    home.crown("small-start", "small")
    (path / "detector").symlink_to(home.root.runs / "champion-small-start" / "bundle")
    for seed, label in enumerate(("real", "fake")):
        folder = path / "media" / label
        folder.mkdir(parents=True)
        write_face_clip(folder / f"{label}.mp4", seed=seed)
    return home


@pytest.fixture(scope="session")
def small_flows(small_home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flows]:
    """Run flows in the small home, with one server for all of them."""
    with running_flows(small_home, log=tmp_path_factory.mktemp("flows") / "log") as flows:
        yield flows
