"""The packaged detector of voices: fixed logits, a made voice, stated limits."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from deepfake.detectors.voice.detector import load_voice_detector
from deepfake.detectors.voice_bundle import load_voice_bundle, packaged_voice_detector
from tests.golden.sounds import golden_windows
from tests.paths import CHECKOUT

GOLDEN = CHECKOUT / "tests" / "golden" / "packaged_voice.json"
_MAX_BYTES = 2 * 10**6


@pytest.fixture(scope="module")
def folder() -> Path:
    found = packaged_voice_detector()
    assert found is not None
    return found


def test_fixed_sounds_have_the_logits_that_they_had(folder: Path) -> None:
    # If a library moved them, every score moved: raise `_GRAPH_VERSION` or pin the library.
    expected = json.loads(GOLDEN.read_text(encoding="utf-8"))
    found = load_voice_detector(folder, device="cpu").head_outputs(golden_windows())
    assert set(found) == set(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, atol=1e-3, err_msg=name)
    assert np.ptp(expected["logit"]) > 0.5


def test_it_says_what_it_is_for_and_how_often_it_misses(folder: Path) -> None:
    spec = load_voice_bundle(folder).spec
    assert spec.judgement.calibration.is_fitted
    assert "Not learnt" in spec.scope
    assert "CC BY" in spec.licence
    notes = " ".join(spec.reading_notes)
    assert "of kinds that it did not learn" in notes
    measured = [one for one in spec.judgement.unseen if one.num_real]
    assert sum(one.num_real for one in measured) >= 10


def test_it_is_small(folder: Path) -> None:
    assert sum(path.stat().st_size for path in folder.iterdir()) < _MAX_BYTES
