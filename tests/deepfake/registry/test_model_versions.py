"""The registry on a real SQLite store, on a server, and on none."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

from deepfake import registry
from deepfake.errors import TrackingError, UnknownModelError

# MLflow 3.17 asks SQLAlchemy 2.1 for a strategy that it wants to drop.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")

NOWHERE = "http://127.0.0.1:9"


def test_versions_aliases_and_rolling_back(store: str, training: dict[str, object]) -> None:
    run_id = registry.log_training(**training, uri=store)  # type: ignore[arg-type]
    assert registry.champion_or_none("model-a", uri=store, cache=Path("cache")) is None
    first = registry.register_bundle(run_id, name="model-a", alias="champion", uri=store)
    second = registry.register_bundle(run_id, name="model-a", uri=store)
    assert (first, second) == (1, 2)
    champion = registry.champion_or_none("model-a", uri=store, cache=Path("cache"))
    assert champion is not None
    assert champion.version == 1
    assert (champion.path / "detector.json").read_text() == '{"schema_version": 1}'
    assert (
        registry.resolve_model_uri("models:/model-a/latest", uri=store, cache=Path("cache")).version
        == 2
    )
    registry.set_alias("model-a", alias="champion", version=2, uri=store)
    assert (
        registry.resolve_model_uri(
            "models:/model-a@champion", uri=store, cache=Path("cache")
        ).version
        == 2
    )
    registry.set_alias("model-a", alias="champion", version=1, uri=store)
    assert (
        registry.resolve_model_uri(
            "models:/model-a@champion", uri=store, cache=Path("cache")
        ).version
        == 1
    )
    with pytest.raises(TrackingError, match="version 9"):
        registry.set_alias("model-a", alias="champion", version=9, uri=store)


@pytest.mark.parametrize(
    "model_uri", ["models:/model-b@nobody", "models:/model-b/7", "models:/none/latest", "models:/x"]
)
def test_what_is_not_registered_is_unknown(
    store: str, training: dict[str, object], model_uri: str
) -> None:
    run_id = registry.log_training(**training, uri=store)  # type: ignore[arg-type]
    registry.register_bundle(run_id, name="model-b", alias="best", uri=store)
    with pytest.raises(UnknownModelError) as caught:
        registry.resolve_model_uri(model_uri, uri=store, cache=Path("cache"))
    hint = "models:/NAME@ALIAS" if model_uri == "models:/x" else "model-b (best)"
    assert hint in (caught.value.hint or "")


def test_a_run_without_a_bundle_is_not_registered(store: str) -> None:
    run_id = registry.log_evaluation({}, experiment="evaluation", run_name="e", uri=store)
    with pytest.raises(TrackingError, match="no detector bundle"):
        registry.register_bundle(run_id, uri=store)


def test_a_bundle_whose_files_are_gone(store: str, training: dict[str, object]) -> None:
    run_id = registry.log_training(**training, uri=store)  # type: ignore[arg-type]
    registry.register_bundle(run_id, name="model-c", alias="champion", uri=store)
    found = registry.champion_or_none("model-c", uri=store, cache=Path("cache"))
    assert found is not None
    shutil.rmtree(found.path)
    with pytest.raises(TrackingError, match="gone"):
        registry.champion_or_none("model-c", uri=store, cache=Path("cache"))


def test_asking_a_store_that_is_not_there_makes_none(tmp_path: Path) -> None:
    uri = registry.tracking_uri(tmp_path / "data")
    assert registry.champion_or_none(uri=uri, cache=Path("cache")) is None
    with pytest.raises(UnknownModelError, match="no registry"):
        registry.resolve_model_uri("models:/deepfake-detector/1", uri=uri, cache=Path("cache"))
    is_fine, message = registry.check_tracking(uri)
    assert is_fine
    assert "made by the first run" in message
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_does_not_answer_is_no_missing_champion() -> None:
    with pytest.raises(TrackingError, match=r"127\.0\.0\.1"):
        registry.champion_or_none(uri=NOWHERE, cache=Path("cache"))


@pytest.mark.services
def test_a_server_shows_the_version_and_serves_the_bundle(
    store: str, training: dict[str, object], tmp_path: Path
) -> None:
    run_id = registry.log_training(**training, uri=store)  # type: ignore[arg-type]
    registry.register_bundle(run_id, name="model-d", alias="champion", uri=store)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    _, program, *arguments = shlex.split(registry.ui_command(store))
    command = [program, *arguments, "--port", str(port), "--workers", "1"]
    environment = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"}
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
    try:
        address = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 120
        while not registry.check_tracking(address)[0]:
            assert time.monotonic() < deadline, (tmp_path / "log").read_text()[-2000:]
            time.sleep(0.5)
        listing = f"{address}/api/2.0/mlflow/registered-models/search"
        with urllib.request.urlopen(listing, timeout=30) as answer:
            models = {m["name"]: m for m in json.load(answer)["registered_models"]}
        assert models["model-d"]["aliases"] == [{"alias": "champion", "version": "1"}]
        remote = registry.log_training(**training, uri=address)  # type: ignore[arg-type]
        registry.register_bundle(remote, name="model-e", alias="champion", uri=address)
        for _ in range(2):
            found = registry.champion_or_none("model-e", uri=address, cache=tmp_path / "cache")
            assert found is not None
            assert {p.name for p in found.path.iterdir()} == {
                "detector.json",
                "weights.safetensors",
            }
    finally:
        server.terminate()
        server.wait(30)
