"""A store, and what a training leaves behind."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from deepfake import registry


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a store in a folder whose name needs quoting; made once, migrations take seconds."""
    folder = tmp_path_factory.mktemp("störe here")
    return registry.tracking_uri(folder)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Run each test elsewhere, with no store named, and leave the environment as it was."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    before = dict(os.environ)
    yield
    for name in set(os.environ) - set(before):
        del os.environ[name]
    os.environ.update(before)


@pytest.fixture
def training(tmp_path: Path) -> dict[str, object]:
    """Return what a finished training leaves behind."""
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (bundle / "detector.json").write_text('{"schema_version": 1}')
    (bundle / "weights.safetensors").write_bytes(b"\x00" * 100)
    metrics = tmp_path / "metrics.jsonl"
    rows = [
        {"epoch": e, "step": 10 * e, "name": name, "value": e / 4}
        for e in range(3)
        for name in ("val_auc", "train_loss")
    ]
    metrics.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return {
        "experiment": "training",
        "run_name": "a run",
        "params": {"lr": 1e-3, "augment": {"jpeg_p": 0.3}},
        "metrics_jsonl": metrics,
        "bundle": bundle,
        "tags": {"data.faces": "0123abcd"},
    }
