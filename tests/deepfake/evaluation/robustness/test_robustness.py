"""Media are made worse before faces are looked for; what that costs is measured and drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from deepfake.config import MediaLimits
from deepfake.detectors.bundles import load_bundle
from deepfake.errors import ConfigError
from deepfake.evaluation.robustness import (
    PERTURBATIONS,
    ConditionResult,
    Perturbation,
    measure_condition,
    perturb_file,
    perturbations_of,
    robustness_markdown,
)
from deepfake.evaluation.robustness.figure import write_robustness_figure
from deepfake.extract.faces import spread_of_colour
from deepfake.media import open_video, read_image, write_image
from tests.sample_data import face_close_up, write_face_clip
from tests.untrained_detector import write_bundle


def _pixels(path: Path) -> np.ndarray:
    return read_image(path, limits=MediaLimits()).pixels.astype(float)


_RESHAPED = ("letterbox", "inset", "turn", "mirror")


@pytest.mark.parametrize("name", [name for name in PERTURBATIONS if name not in _RESHAPED])
def test_each_step_of_a_still_is_worse_than_the_one_before(name: str, tmp_path: Path) -> None:
    source = write_image(tmp_path / "face.png", face_close_up())
    clean = _pixels(source)
    losses = []
    for number, value in enumerate(PERTURBATIONS[name][:3]):
        folder = tmp_path / str(number)
        folder.mkdir()
        changed = _pixels(perturb_file(source, folder, Perturbation(name, value), seed=1))
        if name == "resize":
            assert changed.shape[0] == round(256 * value)
            losses.append(1 / changed.shape[0])
        else:
            losses.append(float(np.abs(changed - clean).mean()))
    assert 0 < losses[0] < losses[1] < losses[2]


@pytest.mark.parametrize("value", PERTURBATIONS["grey"])
def test_grey_takes_colour_away(value: float, tmp_path: Path) -> None:
    source = write_image(tmp_path / "face.png", face_close_up())
    before = spread_of_colour(_pixels(source).astype(np.uint8))
    changed = _pixels(perturb_file(source, tmp_path, Perturbation("grey", value)))
    after = spread_of_colour(changed.astype(np.uint8))
    assert after == pytest.approx((1 - value) * before, abs=0.2)


def test_pictures_are_turned_mirrored_and_set_into_larger_ones(tmp_path: Path) -> None:
    source = write_image(tmp_path / "face.png", face_close_up()[:, :200])
    clean = _pixels(source)

    def changed(name: str, value: float) -> np.ndarray:
        return _pixels(perturb_file(source, tmp_path, Perturbation(name, value)))

    assert np.array_equal(changed("turn", 90), np.rot90(clean, k=-1))
    assert np.array_equal(changed("mirror", 1), clean[:, ::-1])
    barred = changed("letterbox", 0.5)
    assert barred.shape[:2] == (512, 200) and not barred[:128].any()
    assert np.array_equal(barred[128:384], clean)
    wide = changed("inset", 0.5)
    assert wide.shape[:2] == (512, 400)
    assert np.array_equal(wide[128:384, 100:300], clean)


@pytest.mark.parametrize(("name", "value"), [("turn", 90), ("letterbox", 0.4), ("screen", 1)])
def test_each_frame_of_a_clip_is_changed(name: str, value: float, tmp_path: Path) -> None:
    source = write_face_clip(tmp_path / "clip.mp4", num_frames=6)
    (tmp_path / "out").mkdir()
    changed = perturb_file(source, tmp_path / "out", Perturbation(name, value))
    with open_video(changed, limits=MediaLimits()) as reader:
        assert reader.info.num_frames == 6
        assert reader.info.width == 256


def test_nothing_is_done_to_a_clean_file(tmp_path: Path) -> None:
    source = write_image(tmp_path / "face.png", face_close_up())
    assert perturb_file(source, tmp_path, Perturbation()) == source


@pytest.mark.parametrize(("name", "value"), [("h264", 43), ("resize", 0.35), ("noise", 25)])
def test_videos_are_encoded_anew(name: str, value: float, tmp_path: Path) -> None:
    source = write_face_clip(tmp_path / "clip.mp4", num_frames=12)
    (tmp_path / "out").mkdir()
    changed = perturb_file(source, tmp_path / "out", Perturbation(name, value))
    with open_video(changed, limits=MediaLimits()) as reader:
        assert reader.info.num_frames == 12
        assert reader.info.width == (90 if name == "resize" else 256)
    if name == "h264":
        assert changed.stat().st_size < source.stat().st_size / 2


def test_noise_is_the_same_for_the_same_seed(tmp_path: Path) -> None:
    source = write_image(tmp_path / "face.png", face_close_up(64))
    noise = Perturbation("noise", 10)
    first, again = (_pixels(perturb_file(source, tmp_path, noise, seed=5)) for _ in range(2))
    assert np.array_equal(first, again)


def test_a_sweep_has_every_step_and_the_clean_one() -> None:
    steps = perturbations_of()
    assert len(steps) == 1 + 6 * 5 + 7 * 3 + 1 + 3
    assert steps[0].label == "clean"
    assert [s.label for s in perturbations_of(("jpeg",))][1] == "jpeg 80"
    assert [s.label for s in perturbations_of(("jpeg:40", "resize:0.5"))] == [
        "clean",
        "jpeg 40",
        "resize 0.5",
    ]
    with pytest.raises(ConfigError, match="is a number"):
        perturbations_of(("jpeg:much",))
    with pytest.raises(ConfigError, match="allowed are jpeg"):
        perturbations_of(("fog",))


@pytest.fixture
def scored() -> pd.DataFrame:
    """Return ten reals and ten fakes; one fake lost its face, one real is taken for a fake."""
    logits = [-2.0] * 9 + [3.0] + [2.0] * 9 + [None]
    frame = pd.DataFrame(
        {
            "uri": [f"/{i}" for i in range(20)],
            "kind": "image",
            "label": ["real"] * 10 + ["fake"] * 10,
            "group": [f"g{i}" for i in range(20)],
            "verdict": ["real"] * 18 + ["uncertain", "not_applicable"],
            "logit": logits,
        }
    )
    return frame.assign(prob_fake=1 / (1 + np.exp(-frame["logit"].astype(float))))


def test_a_file_without_a_face_is_wrong(scored: pd.DataFrame, tmp_path: Path) -> None:
    spec = load_bundle(write_bundle(tmp_path / "b", model="test_efficientnet", size=64)).spec
    result = measure_condition(scored, Perturbation("jpeg", 40), spec=spec)
    assert (result.n, result.n_scored) == (20, 19)
    assert result.accuracy == 18 / 20
    assert result.accuracy_low < 0.9 < result.accuracy_high
    assert result.auc == pytest.approx(0.9)
    assert result.uncertain == pytest.approx(1 / 19)
    assert result.auc_low is not None and result.auc_low < 0.9


def test_one_class_has_no_auc_and_says_so(scored: pd.DataFrame, tmp_path: Path) -> None:
    spec = load_bundle(write_bundle(tmp_path / "b", model="test_efficientnet", size=64)).spec
    result = measure_condition(scored[:10], Perturbation(), spec=spec)
    assert result.auc is None
    page = robustness_markdown([result], title="Robustness", notes=["Not learnt: voices."])
    assert "> Not learnt: voices." in page
    assert "| clean | 10 | 10 | 0.900" in page
    assert "undefined" in page


def test_figure_is_drawn_also_where_a_number_is_undefined(tmp_path: Path) -> None:
    results = [
        ConditionResult("clean", 0, 20, 20, 0.9, 0.8, 0.95, None, None, None, 0.1),
        *(
            ConditionResult("jpeg", value, 20, 19, 0.8, 0.7, 0.9, 0.9, None, None, 0.1)
            for value in PERTURBATIONS["jpeg"]
        ),
    ]
    path = write_robustness_figure(results, tmp_path / "figure.png")
    pixels = _pixels(path)
    assert pixels.shape[1] > 300
    assert pixels.std() > 5
