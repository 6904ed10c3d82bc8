"""A registry belongs to its data root, from wherever a command is run."""

from __future__ import annotations

from pathlib import Path

import pytest

from deepfake.registry import describe_other_registry, tracking_uri


def _made(folder: Path) -> str:
    """Make a registry in `mlruns` of a folder, and return its URI."""
    database = folder / "mlruns" / "mlflow.db"
    database.parent.mkdir(parents=True)
    database.touch()
    return f"sqlite:///{database}"


def test_it_is_the_same_from_every_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "data"
    wanted = f"sqlite:///{root}/mlruns/mlflow.db"
    assert tracking_uri(Path("data")) == tracking_uri(root) == wanted
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert tracking_uri(root) == tracking_uri(Path("../data")) == wanted
    assert list(tmp_path.iterdir()) == [tmp_path / "elsewhere"], "asking makes none"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracker:5000")
    assert tracking_uri(root) == "http://tracker:5000"


def test_a_checkout_keeps_it_beside_its_data(tmp_path: Path) -> None:
    (tmp_path / "deepfake").mkdir()
    (tmp_path / "prefect.yaml").touch()
    assert tracking_uri(tmp_path / "data") == f"sqlite:///{tmp_path}/mlruns/mlflow.db"
    assert tracking_uri(tmp_path / "b") == f"sqlite:///{tmp_path}/b/mlruns/mlflow.db"


def test_what_an_earlier_version_made_beside_data_is_found_and_kept(tmp_path: Path) -> None:
    assert tracking_uri(tmp_path / "data") == f"sqlite:///{tmp_path}/data/mlruns/mlflow.db"
    older = _made(tmp_path)
    assert tracking_uri(tmp_path / "data") == older
    assert describe_other_registry(tmp_path / "data") is None, "it is the one that is used"
    own = _made(tmp_path / "data")
    assert tracking_uri(tmp_path / "data") == own, "a registry of its own comes first"


def test_a_registry_in_the_working_folder_that_is_not_used_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "corpora"
    assert describe_other_registry(root) is None
    older = _made(tmp_path)
    assert tracking_uri(root) == f"sqlite:///{root}/mlruns/mlflow.db"
    said = describe_other_registry(root)
    assert said is not None and f"export MLFLOW_TRACKING_URI={older}" in said
    monkeypatch.setenv("MLFLOW_TRACKING_URI", older)
    assert describe_other_registry(root) is None
