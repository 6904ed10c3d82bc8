"""What a score says beside its number: which head was sure, and why nothing is called."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from deepfake.detectors.bundles import HeadSpec, load_bundle, save_bundle
from deepfake.detectors.identity import DetectorIdentity
from deepfake.detectors.models import create_model
from deepfake.extract.extractor import ExtractRequest
from deepfake.media import write_image
from deepfake.scoring import Scorer, ScorerSetup
from deepfake.storage import sha256_of, to_uri
from deepfake.verdicts.calibration import (
    Calibration,
    LikelihoodRatioBounds,
    Support,
    Thresholds,
)
from deepfake.verdicts.judgement import JudgementSettings, UnseenCorpus
from tests.sample_data import face_close_up
from tests.untrained_detector import write_bundle

EVERYTHING_IS_FAKE = Thresholds(real_below=0.0, fake_from=0.0)
EVERYTHING_IS_REAL = Thresholds(real_below=1.0, fake_from=1.0)
NINE_OF_FORTY_MISSED = UnseenCorpus(
    corpus="swaps",
    digest="0" * 16,
    num_real=30,
    num_fake=40,
    fakes_called_real=9,
    fakes_called_fake=20,
    reals_called_real=25,
    reals_called_fake=1,
)


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_image(tmp_path_factory.mktemp("media") / "photo.png", face_close_up())


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("begun") / "bundle"
    return write_bundle(folder, model="test_efficientnet", size=64)


def _score(begun: Path, folder: Path, photo: Path, **changes: Any) -> Any:
    spec = load_bundle(begun).spec.model_copy(update=changes)
    module = create_model("test_efficientnet", pretrained="none", input_size=64, num_heads=2).module
    state = {
        **module.state_dict(),
        "novelty.projection": torch.randn(module.num_features, 4),
        "novelty.means": torch.zeros(1, 4),
    }
    bundle = save_bundle(folder / "b", state_dict=state, spec=spec)
    scorer = Scorer(ScorerSetup(DetectorIdentity(bundle, "tried")))
    return scorer.score(ExtractRequest(to_uri(photo), sha256_of(photo)))


@pytest.mark.parametrize("sure", ["blended", "generated"])
def test_a_fake_says_which_head_was_surest(
    begun: Path, tmp_path: Path, photo: Path, sure: str
) -> None:
    centers = {"blended": 50.0, "generated": 50.0, sure: -50.0}
    heads = tuple(HeadSpec(name=name, center=centers[name]) for name in ("blended", "generated"))
    medium = _score(
        begun,
        tmp_path,
        photo,
        heads=heads,
        has_novelty=True,
        judgement={"still": JudgementSettings(thresholds=EVERYTHING_IS_FAKE)},
    )
    assert medium.score.verdict == "fake"
    assert medium.score.reason == f"looks {sure}"
    (frame,) = medium.frames
    assert {"logit_blended", "logit_generated", "novelty"} <= set(frame)
    (track,) = medium.tracks
    assert track["novelty"] == pytest.approx(frame["novelty"])
    assert track["sharpness"] > 0


@pytest.mark.parametrize(
    ("unseen", "expected"),
    [
        ((), "not measured on other kinds"),
        ((NINE_OF_FORTY_MISSED,), "22% of 40 fakes of other kinds were missed like this"),
    ],
)
def test_a_real_says_what_was_looked_for_and_how_often_that_is_missed(
    begun: Path,
    tmp_path: Path,
    photo: Path,
    unseen: tuple[UnseenCorpus, ...],
    expected: str,
) -> None:
    settings = JudgementSettings(thresholds=EVERYTHING_IS_REAL, unseen=unseen)
    heads = (HeadSpec(name="blended"), HeadSpec(name="generated"))
    medium = _score(
        begun, tmp_path, photo, heads=heads, has_novelty=True, judgement={"still": settings}
    )
    assert medium.score.verdict == "real"
    assert medium.score.reason == f"no sign of the kinds of fakes it learnt; {expected}"


def test_outside_of_the_calibration_a_score_stays_and_the_verdict_does_not(
    begun: Path, tmp_path: Path, photo: Path
) -> None:
    heads = (HeadSpec(name="blended"), HeadSpec(name="generated"))
    medium = _score(
        begun,
        tmp_path,
        photo,
        heads=heads,
        has_novelty=True,
        judgement={
            "still": JudgementSettings(
                thresholds=EVERYTHING_IS_FAKE, support=Support(max_novelty=1e-6)
            )
        },
    )
    assert medium.score.verdict == "uncertain"
    assert str(medium.score.reason).startswith("the face is unlike those learnt from")
    assert medium.score.prob_fake is not None


_RATIOS = ("likelihood_ratio", "likelihood_ratio_min", "likelihood_ratio_max")


@pytest.mark.parametrize(
    ("bias", "support", "expected"),
    [
        (99.0, Support(), (80.0, 0.02, 80.0)),
        (-99.0, Support(), (0.02, 0.02, 80.0)),
        (99.0, Support(max_novelty=1e-6), (None, None, None)),
    ],
    ids=["at most", "at least", "outside of the calibration"],
)
def test_a_likelihood_ratio_stands_beside_the_probability(
    begun: Path,
    tmp_path: Path,
    photo: Path,
    bias: float,
    support: Support,
    expected: tuple[float | None, ...],
) -> None:
    bounds = LikelihoodRatioBounds(lower=0.02, upper=80.0, num_real=100, num_fake=100)
    judged = JudgementSettings(
        calibration=Calibration(bias=bias, is_fitted=True),
        support=support,
        likelihood_ratio_bounds=bounds,
    )
    heads = (HeadSpec(name="blended"), HeadSpec(name="generated"))
    medium = _score(
        begun, tmp_path, photo, heads=heads, has_novelty=True, judgement={"still": judged}
    )
    found = [getattr(medium.score, name) for name in _RATIOS]
    assert found == [None if value is None else pytest.approx(value) for value in expected]


def test_a_detector_without_bounds_states_no_likelihood_ratio(begun: Path, photo: Path) -> None:
    scorer = Scorer(ScorerSetup(DetectorIdentity(begun, "tried")))
    score = scorer.score(ExtractRequest(to_uri(photo), sha256_of(photo))).score
    assert score.prob_fake is not None
    assert [getattr(score, name) for name in _RATIOS] == [None, None, None]
