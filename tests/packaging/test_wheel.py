"""The wheel holds all three packages, and a flow runs from it away from the checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.paths import CHECKOUT

RUN_A_FLOW = """
import json, sys
from pathlib import Path
from deepfake.storage.environment import configure_environment
Path("data").mkdir()
configure_environment(Path("data"))
import deepfake, flows.ingest, tasks.ingest
summary = flows.ingest.ingest(sys.argv[1], "stills", num_workers=1)
places = [module.__file__ for module in (deepfake, flows, tasks)]
Path("result.json").write_text(json.dumps([places, summary["statuses"]]))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the built wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", folder, CHECKOUT]
    subprocess.run(command, check=True, timeout=300)
    return next(folder.glob("*.whl"))


@pytest.mark.slow
def test_wheel_holds_the_packages_and_no_media(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {"deepfake/__init__.py", "flows/ingest.py", "tasks/ingest.py"} <= set(names)
    described = zipfile.ZipFile(wheel).read("flows/server/prefect.yaml")
    assert described == (CHECKOUT / "prefect.yaml").read_bytes()
    assert not [name for name in names if name.startswith(("tests/", "data/", "mlruns/"))]
    assert not [name for name in names if name.endswith((".jpg", ".mp4", ".png"))]


@pytest.mark.slow
def test_flow_runs_from_an_installed_wheel(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", site]
    subprocess.run([*install, wheel], check=True, timeout=300)
    media = tmp_path / "media" / "real"
    media.mkdir(parents=True)
    (media / "empty.png").touch()
    work = tmp_path / "elsewhere"
    work.mkdir()
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    subprocess.run(
        [sys.executable, "-c", RUN_A_FLOW, str(media.parent)],
        cwd=work,
        env={**environment, "PYTHONPATH": str(site)},
        check=True,
        timeout=300,
    )
    places, statuses = json.loads((work / "result.json").read_text())
    assert all(place.startswith(str(site)) for place in places)
    assert statuses == {"empty": 1}
