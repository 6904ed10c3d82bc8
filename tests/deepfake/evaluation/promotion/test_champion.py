"""Who is challenged by a retraining; looking changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from deepfake.detectors.bundles import packaged_detector
from deepfake.evaluation.promotion import find_champion


def test_where_nobody_is_champion_the_packaged_detector_is_challenged_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    found = find_champion("deepfake-detector", data_root=Path("data"))
    assert found.bundle.path == packaged_detector()
    assert found.version is None
    assert list(tmp_path.iterdir()) == [], "no registry is made for it"
