"""A picture that is turned: its score is that of the upright one, its boxes are as it is shown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deepfake.config import WorkerLimits
from deepfake.detectors.identity import DetectorIdentity
from deepfake.evidence import explain_scores
from deepfake.extract.extractor import ExtractRequest
from deepfake.extract.faces import turn_box
from deepfake.media import write_image
from deepfake.scoring import ScoredMedium, Scorer, ScorerSetup
from deepfake.storage import sha256_of, to_uri
from tests.sample_data import face_close_up
from tests.untrained_detector import write_bundle


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    folder = tmp_path_factory.mktemp("detector") / "bundle"
    write_bundle(folder, model="test_efficientnet", size=64)
    return Scorer(ScorerSetup(DetectorIdentity(folder, "tried")))


def _score(scorer: Scorer, path: Path, *, quarter_turns: int) -> ScoredMedium:
    pixels = np.ascontiguousarray(np.rot90(face_close_up()[:, 20:236], k=quarter_turns))
    write_image(path, pixels)
    return scorer.score(ExtractRequest(to_uri(path), sha256_of(path)))


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_score_box_and_evidence_of_a_turned_picture(
    scorer: Scorer, tmp_path: Path, degrees: int
) -> None:
    upright = _score(scorer, tmp_path / "up.png", quarter_turns=0)
    turned = _score(scorer, tmp_path / "turned.png", quarter_turns=degrees // 90)
    assert turned.score.logit == upright.score.logit
    assert (upright.score.turned_degrees, turned.score.turned_degrees) == (0, degrees)
    assert f"turned clockwise by {degrees} degrees" in str(turned.score.reason)
    (before,), (after,) = upright.frames, turned.frames
    assert (before["turned_degrees"], after["turned_degrees"]) == (0, degrees)
    wanted = turn_box(before["bbox_xyxy"], -degrees, width=216, height=256)
    assert after["bbox_xyxy"] == pytest.approx(list(wanted))
    shown = explain_scores([upright, turned], setup=scorer.setup, limits=WorkerLimits())
    first, second = (evidence.record for evidence in shown)
    assert any(f"turned clockwise by {degrees} degrees" in note for note in second.notes)
    assert not any("turned" in note for note in first.notes)
    # The face is cut out upright again.
    assert shown[0].pictures["crop-0.jpg"] == shown[1].pictures["crop-0.jpg"]
    assert not any("do not have quite the same scores" in note for note in second.notes)
