"""Finding shortcuts: properties that separate fakes from reals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from deepfake.corpora.shortcuts import Shortcut, auc_lower_bound, find_shortcuts


def outcomes_of(num_real: int, num_fake: int, **columns: Any) -> pd.DataFrame:
    count = num_real + num_fake
    names = [f"m{i}" for i in range(count)]
    plain: dict[str, Any] = {
        "uri": [f"/c/{name}" for name in names],
        "media_id": names,
        "label": ["real"] * num_real + ["fake"] * num_fake,
        "status": "ok",
        "kind": "video",
        "codec": "h264",
        "container": "mp4",
        "width": 640,
        "height": 480,
        "fps": 25.0,
        "duration_seconds": 10.0,
        "size_bytes": 1_000_000,
        "num_faces": 32,
        "frames_read": 32,
    }
    return pd.DataFrame({**plain, **columns})


def crops_of(outcomes: pd.DataFrame, face_px: Any = 100.0, frames: int = 2) -> pd.DataFrame:
    one = pd.DataFrame(
        {
            "media_id": outcomes["media_id"],
            "label": outcomes["label"],
            "face_px": face_px,
            "frame_width": 640,
            "frame_height": 480,
            "sharpness": 50.0,
            "brightness": 100.0,
            "confidence": 0.99,
        }
    )
    return pd.concat([one.assign(frame_index=i) for i in range(frames)], ignore_index=True)


def found_in(crops: pd.DataFrame, outcomes: pd.DataFrame) -> dict[str, Shortcut]:
    return {shortcut.name: shortcut for shortcut in find_shortcuts(crops, outcomes)}


def test_larger_faces_are_found_measured_and_named() -> None:
    rng = np.random.default_rng(0)
    outcomes = outcomes_of(150, 120)
    is_fake = (outcomes["label"] == "fake").to_numpy()
    sizes = rng.normal(100 + 20 * is_fake, 15)
    found = find_shortcuts(crops_of(outcomes, sizes), outcomes)
    by_name = {shortcut.name: shortcut for shortcut in found}
    face = by_name["face_px"]
    assert face.auc == pytest.approx(roc_auc_score(is_fake, sizes))
    assert (face.num_real, face.num_fake, face.level) == (150, 120, "strong")
    assert face.direction == "fakes have larger faces"
    assert by_name["face_fraction"].auc == pytest.approx(face.auc)
    assert {found[0].name, found[1].name} == {"face_px", "face_fraction"}
    assert [s.name for s in found if s.level == "strong"] == [found[0].name, found[1].name]


def test_the_other_way_round_is_as_strong_and_says_so() -> None:
    outcomes = outcomes_of(60, 60)
    is_real = (outcomes["label"] == "real").to_numpy()
    size = found_in(crops_of(outcomes), outcomes.assign(size_bytes=100 + 50 * is_real))
    assert (size["size_bytes"].auc, size["size_bytes"].direction) == (1.0, "fakes have fewer bytes")
    assert size["bytes_per_second"].level == size["bytes_per_pixel"].level == "strong"
    assert size["width"].auc == 0.5
    assert (size["width"].level, size["width"].direction) == ("none", "no difference")


@pytest.mark.parametrize(("num_real", "num_fake"), [(5, 0), (0, 5), (0, 0)])
def test_with_one_class_every_auc_is_undefined(num_real: int, num_fake: int) -> None:
    outcomes = outcomes_of(num_real, num_fake)
    for shortcut in find_shortcuts(crops_of(outcomes), outcomes):
        assert (shortcut.auc, shortcut.auc_lower, shortcut.direction) == (None, None, None)
        assert shortcut.level == "undefined"


def test_unlabelled_contradicted_and_repeated_files_do_not_count() -> None:
    outcomes = outcomes_of(4, 4)
    again = outcomes.assign(uri=outcomes["uri"] + "-copy")
    unlabelled = outcomes_of(3, 0, label=None, media_id=["u0", "u1", "u2"])
    wrong = outcomes_of(3, 0, status="error", media_id=["w0", "w1", "w2"])
    lost = outcomes_of(2, 0, media_id=None, status="missing")
    table = pd.concat([outcomes, again, unlabelled, wrong, lost], ignore_index=True)
    width = found_in(crops_of(outcomes), table)["width"]
    assert (width.num_real, width.num_fake) == (4, 4)


def test_a_corpus_without_faces_is_measured_by_its_files() -> None:
    outcomes = outcomes_of(20, 20, width=[640] * 20 + [1280] * 20, num_faces=0)
    found = found_in(crops_of(outcomes).iloc[:0], outcomes)
    assert found["face_px"].level == "undefined"
    assert found["width"].auc == 1.0
    assert found["faces_per_frame"].auc == 0.5


def test_a_codec_of_one_class_is_found() -> None:
    outcomes = outcomes_of(40, 40, codec=["h264"] * 40 + ["vp9"] * 36 + ["h264"] * 4)
    codec = found_in(crops_of(outcomes), outcomes)["codec"]
    assert codec.auc == pytest.approx(0.95, abs=0.03)
    assert codec.level == "strong"
    assert codec.direction in {
        "codec vp9: 90% of fakes, 0% of reals",
        "codec h264: 10% of fakes, 100% of reals",
    }


@pytest.mark.parametrize(
    "codec", [["same"] * 61, [f"codec{i}" for i in range(61)], ["a", "b", "c"] * 20 + ["d"]]
)
def test_categories_that_tell_nothing_are_not_found_by_chance(codec: list[str]) -> None:
    outcomes = outcomes_of(29, 32, codec=codec)
    found = found_in(crops_of(outcomes), outcomes)["codec"]
    assert found.auc is not None and found.auc < 0.65
    assert found.level == "none"


def test_noise_is_rarely_called_a_shortcut() -> None:
    rng = np.random.default_rng(1)
    outcomes = outcomes_of(50, 50)
    drawn = [
        found_in(crops_of(outcomes), outcomes.assign(size_bytes=rng.normal(size=100)))
        for _ in range(40)
    ]
    assert sum(found["size_bytes"].level == "strong" for found in drawn) == 0


def test_a_few_files_prove_nothing() -> None:
    outcomes = outcomes_of(2, 2, width=[1, 1, 2, 2])
    width = found_in(crops_of(outcomes), outcomes)["width"]
    assert (width.auc, width.level) == (1.0, "none")
    assert 0 < auc_lower_bound(1.0, num_real=2, num_fake=2) < 0.6


def test_the_bound_covers_as_it_says() -> None:
    rng = np.random.default_rng(2)
    is_fake = np.arange(80) >= 40
    # Two normal distributions one deviation apart: AUC = Phi(1 / sqrt(2)) = 0.7602.
    bounds = [
        auc_lower_bound(
            float(roc_auc_score(is_fake, rng.normal(is_fake.astype(float)))),
            num_real=40,
            num_fake=40,
        )
        for _ in range(400)
    ]
    assert 0.95 <= np.mean(np.array(bounds) <= 0.7602) <= 1.0


def test_the_largest_face_of_a_frame_speaks() -> None:
    outcomes = outcomes_of(30, 30)
    is_fake = (outcomes["label"] == "fake").to_numpy()
    large = crops_of(outcomes, 100.0 + 50 * is_fake)
    bystanders = crops_of(outcomes, 80.0 - 50 * is_fake)
    found = found_in(pd.concat([large, bystanders], ignore_index=True), outcomes)["face_px"]
    assert (found.auc, found.direction) == (1.0, "fakes have larger faces")


def test_records_are_json_and_the_order_of_rows_is_nothing() -> None:
    rng = np.random.default_rng(3)
    codec = rng.choice(["a", "b", "c"], 50)
    outcomes = outcomes_of(25, 25, codec=codec, size_bytes=rng.integers(1, 99, 50))
    crops = crops_of(outcomes, rng.normal(100, 9, 50))
    found = find_shortcuts(crops, outcomes)
    shuffled = find_shortcuts(crops.sample(frac=1, random_state=1), outcomes.iloc[::-1])
    assert found == shuffled
    assert json.loads(json.dumps([s.as_record() for s in found]))[0]["name"] == found[0].name


@pytest.mark.slow
@pytest.mark.shared_data
def test_fakes_of_openforensics_have_larger_faces(shared_data: Path) -> None:
    from deepfake.config import ExtractConfig
    from deepfake.extract.extractor import Extractor, ExtractRequest

    extractor = Extractor(ExtractConfig(), decoder="auto", device="cpu")
    folders = {label: shared_data / "openforensics" / "train" / label for label in ("real", "fake")}
    paths = [p for folder in folders.values() for p in sorted(folder.iterdir())[:60]]
    outcomes = outcomes_of(60, 60, uri=[str(p) for p in paths], kind="image", num_faces=1)
    crops = [
        {
            "media_id": media_id,
            "frame_index": 0,
            "face_px": crop.face.size_px,
            "frame_width": 256,
            "frame_height": 256,
            "sharpness": crop.sharpness,
            "brightness": crop.brightness,
            "confidence": crop.face.confidence,
        }
        for media_id, path in zip(outcomes["media_id"], paths, strict=True)
        for crop in extractor.extract(ExtractRequest(str(path), media_id)).crops
    ]
    face = found_in(pd.DataFrame(crops), outcomes)["face_px"]
    assert (face.level, face.direction) == ("strong", "fakes have larger faces")
    assert face.auc is not None and face.auc > 0.8
