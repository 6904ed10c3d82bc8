"""`deepfake models`: what is listed, from wherever it is asked for."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deepfake import registry
from deepfake.cli import app
from tests.log_bundle import log_bundle

pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")

_RUN = "tf_efficientnet_lite0-openforensics-20261130-101500"


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No store is named; what MLflow sets is taken back."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    before = dict(os.environ)
    yield
    for name in set(os.environ) - set(before):
        del os.environ[name]
    os.environ.update(before)


def _trained(folder: Path, *, uri: str) -> None:
    """Register a trained and evaluated detector as champion, and one from elsewhere."""
    folder.mkdir(parents=True)
    (folder / "detector.json").write_text("{}")
    line = {"epoch": 0, "step": 1, "name": "val_auc", "value": 0.98}
    (folder / "metrics.jsonl").write_text(json.dumps(line))
    run_id = registry.log_training(
        experiment="deepfake",
        run_name=_RUN,
        params={"architecture": "tf_efficientnet_lite0"},
        metrics_jsonl=folder / "metrics.jsonl",
        bundle=folder,
        tags={"model_digest": "a" * 16, "stage": "train"},
        uri=uri,
    )
    numbers = {"video_auc": 0.91234, "video_auc_low": 0.8765, "video_auc_high": 0.9432}
    registry.log_evaluation(
        {"summary": numbers},
        experiment="deepfake",
        run_name="e",
        params={"split": "test"},
        tags={"corpus": "openforensics"},
        trained_by=run_id,
        uri=uri,
    )
    data = {"data.openforensics": "0" * 16, "data.a-corpus-with-a-long-name": "1" * 16}
    asked = {"name": registry.MODEL_NAME, "uri": uri}
    registry.register_once(run_id, digest="a" * 16, tags=data, **asked)
    elsewhere = log_bundle(folder, experiment="deepfake", run_name="elsewhere", uri=uri)
    registry.register_once(elsewhere, digest="b" * 16, **asked)
    registry.promote(registry.MODEL_NAME, 1, author="ann", reason="", uri=uri)


@pytest.mark.usefixtures("environment")
def test_versions_are_listed_in_80_columns_from_every_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, elsewhere = tmp_path / "corpora", tmp_path / "elsewhere"
    elsewhere.mkdir()
    _trained(tmp_path / "bundle", uri=registry.tracking_uri(root))
    for folder in (tmp_path, elsewhere):
        monkeypatch.chdir(folder)
        done = CliRunner().invoke(app, ["models", "list", "--data-root", str(root)])
        assert done.exit_code == 0, done.output
        lines = done.stdout.splitlines()
        assert max(map(len, lines[1:])) <= 80, "the first line is an address"
        table = "\n".join(lines[1:])
        for whole in ("champion", "0.912", "0.876 to 0.943"):
            assert whole in table
        assert "…" not in table, "names are folded, not cut"
    assert list(elsewhere.iterdir()) == [], "asking makes no registry"


@pytest.mark.usefixtures("environment")
def test_a_registry_of_the_working_folder_is_said_where_another_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mlruns").mkdir()
    (tmp_path / "mlruns" / "mlflow.db").touch()
    done = CliRunner().invoke(app, ["models", "list", "--data-root", "corpora"])
    said = " ".join(done.stderr.split())
    assert "./mlruns/mlflow.db is not the registry of the data root corpora" in said
    assert f"export MLFLOW_TRACKING_URI=sqlite:///{tmp_path}/mlruns/mlflow.db" in said
