"""A grey picture is never called real: fakes that lost their colour pass too often."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from deepfake.detectors.bundles import load_bundle, save_bundle
from deepfake.detectors.identity import DetectorIdentity
from deepfake.extract.extractor import ExtractRequest
from deepfake.media import write_image
from deepfake.scoring import ScoredMedium, Scorer, ScorerSetup
from deepfake.storage import sha256_of, to_uri
from deepfake.verdicts.calibration import (
    Calibration,
    LikelihoodRatioBounds,
    Support,
    Thresholds,
)
from deepfake.verdicts.judgement import JudgementSettings
from tests.sample_data import face_close_up
from tests.untrained_detector import write_bundle

_ALL_REAL = Thresholds(real_below=1.0, fake_from=1.5)
_ALL_FAKE = Thresholds(real_below=0.0, fake_from=0.0)
_BOUNDS = LikelihoodRatioBounds(lower=0.1, upper=9.0, num_real=20, num_fake=20)


def _score(folder: Path, *, is_grey: bool, **settings: object) -> ScoredMedium:
    begun = load_bundle(write_bundle(folder / "begun", model="test_efficientnet", size=64))
    judged = JudgementSettings.model_validate(
        {"calibration": Calibration(is_fitted=True), "likelihood_ratio_bounds": _BOUNDS, **settings}
    )
    spec = begun.spec.model_copy(update={"judgement": {"still": judged}})
    bundle = save_bundle(folder / "bundle", state_dict=begun.state_dict(), spec=spec)
    pixels = face_close_up()
    if is_grey:
        pixels = np.repeat(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    path = write_image(folder / "photo.png", pixels)
    scorer = Scorer(ScorerSetup(DetectorIdentity(bundle, "tried")))
    return scorer.score(ExtractRequest(to_uri(path), sha256_of(path)))


@pytest.mark.parametrize(
    ("is_grey", "settings", "verdict"),
    [
        (False, {"thresholds": _ALL_REAL}, "real"),
        (True, {"thresholds": _ALL_REAL}, "uncertain"),
        (True, {"thresholds": _ALL_FAKE}, "fake"),
        (True, {"thresholds": _ALL_REAL, "support": Support(min_colour=None)}, "real"),
    ],
    ids=["in colour", "grey", "grey and fake", "a detector that grey does not move"],
)
def test_a_grey_picture_is_not_called_real(
    tmp_path: Path, is_grey: bool, settings: dict[str, object], verdict: str
) -> None:
    medium = _score(tmp_path, is_grey=is_grey, **settings)
    assert medium.score.verdict == verdict
    assert medium.score.prob_fake is not None
    is_barred = verdict == "uncertain"
    assert ("no colour" in str(medium.score.reason)) is is_barred
    assert (medium.score.likelihood_ratio is None) is is_barred
    (frame,), (track,) = medium.frames, medium.tracks
    assert frame["colour"] == track["colour"]
    assert (frame["colour"] < 0.5) is is_grey
