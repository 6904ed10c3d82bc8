"""Sets of kinds that a detector did not learn: how they are listed, measured and written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks.detectors import generalisation, generalisation_scores
from benchmarks.detectors.generalisation_equalised import FACE_PX, write_equal_stills
from benchmarks.detectors.generalisation_rows import files_of, measure_files, measure_set
from benchmarks.detectors.generalisation_sets import SETS, list_set
from benchmarks.detectors.generalisation_table import generalisation_lines
from deepfake.config import MediaLimits
from deepfake.corpora.manifest_row import ManifestRow
from deepfake.detectors.identity import DetectorIdentity
from deepfake.media import read_image, write_image
from deepfake.scoring import create_score_job
from deepfake.types import Label
from tests.sample_data import clip_frames, make_detector, write_face_clip

BY_NAME = {media_set.name: media_set for media_set in SETS}


def _touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


@pytest.fixture
def crops(tmp_path: Path) -> Path:
    """Return data with twelve pairs of crops, empty files."""
    lines = ["fake,original"]
    for number in range(12):
        _touch(tmp_path / "dfdc-crops" / "real" / f"r{number}.jpg")
        _touch(tmp_path / "dfdc-crops" / "fake" / f"f{number}.jpg")
        lines.append(f"f{number}.jpg,r{number}.jpg")
    (tmp_path / "dfdc-crops" / "pairs.csv").write_text("\n".join(lines))
    return tmp_path


def test_a_fake_is_grouped_with_its_original(crops: Path) -> None:
    rows = list_set(BY_NAME["dfdc-crops"], crops, limit=None)
    assert len(rows) == 24
    by_file = {Path(row.uri).name: row for row in rows}
    assert by_file["f3.jpg"].original == by_file["r3.jpg"].original == "r3.jpg"
    assert by_file["f3.jpg"].group == by_file["r3.jpg"].group
    assert by_file["f3.jpg"].label is Label.FAKE


def test_a_limit_keeps_pairs_and_a_larger_one_keeps_the_smaller(crops: Path) -> None:
    few, more = (list_set(BY_NAME["dfdc-crops"], crops, limit=limit) for limit in (6, 14))
    assert (len(few), len(more)) == (6, 14)
    assert {row.uri for row in few} < {row.uri for row in more}
    for rows in (few, more):
        assert sum(row.label is Label.FAKE for row in rows) * 2 == len(rows)


def test_generators_and_sources_are_the_first_part_of_a_name(tmp_path: Path) -> None:
    for name in ("real/edtalk-driver-01.mp4", "real/grid-02.mpg", "fake/hallo-01.mp4"):
        _touch(tmp_path / "videos" / "generated" / name)
    rows = list_set(BY_NAME["generated"], tmp_path, limit=None)
    assert {row.method for row in rows} == {"edtalk-driver", "grid", "hallo"}


def test_people_of_celebdf_are_one_group(tmp_path: Path) -> None:
    folder = tmp_path / "videos" / "Celeb-DF-v2"
    for name in (
        "Celeb-real/id0_0000.mp4",
        "Celeb-real/id7_0000.mp4",
        "Celeb-synthesis/id0_id1_0000.mp4",
    ):
        _touch(folder / name)
    rows = list_set(BY_NAME["celebdf"], tmp_path, limit=None)
    groups = {Path(row.uri).stem: row.group for row in rows}
    assert groups["id0_0000"] == groups["id0_id1_0000"] != groups["id7_0000"]


def test_a_set_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert all(list_set(media_set, tmp_path, limit=None) == [] for media_set in SETS)


def _files(n: int, *, gap: float = 1.0, seed: int = 0) -> pd.DataFrame:
    """Return n scored files a class whose fakes are larger; the logit follows the size alone."""
    rng = np.random.default_rng(seed)
    label = np.repeat(["real", "fake"], n)
    size = rng.normal(gap * (label == "fake"), 1.0)
    number = np.tile(np.arange(n), 2)
    return pd.DataFrame(
        {
            "uri": [f"/{kind}/{i}" for kind, i in zip(label, number, strict=True)],
            "label": label,
            "group": [f"g{i}" for i in number],
            "original": [f"o{i}" for i in number],
            "compression": None,
            "method": np.where(label == "fake", np.where(number % 2, "odd", "even"), None),
            "verdict": np.where(size > 1, "fake", np.where(size < -1, "real", "uncertain")),
            "logit": size + rng.normal(0, 0.05, 2 * n),
            "face_px": np.exp(size),
            "sharpness": np.exp(rng.normal(size=2 * n)),
            "logit_own": size,
        }
    )


def test_what_size_alone_decides_is_gone_when_matched_by_size() -> None:
    files = _files(400)
    row = measure_files(files, draws=200)
    assert (row.n_real, row.n_fake, row.n_groups, row.bins) == (400, 400, 400, 20)
    assert row.auc is not None and row.auc > 0.7
    assert row.auc_low is not None and row.auc_high is not None
    assert row.auc_low < row.auc < row.auc_high
    assert row.size_auc == pytest.approx(row.auc, abs=0.02)
    assert row.size_matched_auc == pytest.approx(0.5, abs=0.05)
    assert row.n_size_matched < 400
    assert row.sharpness_auc == pytest.approx(0.5, abs=0.06)
    assert row.sharpness_matched_auc == pytest.approx(row.auc, abs=0.06)
    assert row.heads["own"] == pytest.approx(row.auc, abs=0.02)
    assert row.n_pairs == 400 and row.pair_accuracy == pytest.approx(0.76, abs=0.06)
    called = files.groupby("label")["verdict"].value_counts()
    assert row.verdicts["real"]["fake"] == called["real", "fake"]
    assert sum(row.verdicts["fake"].values()) == 400


def test_size_that_says_little_is_not_matched_for() -> None:
    row = measure_files(_files(100, gap=0.0), draws=50)
    assert row.size_matched_auc is None and row.sharpness_matched_auc is not None


def test_each_generator_is_compared_with_all_reals() -> None:
    rows = list(measure_set(_files(40), has_sources=False, draws=50))
    assert [(row.part, row.n_real, row.n_fake) for row in rows] == [
        (None, 40, 40),
        ("even", 40, 20),
        ("odd", 40, 20),
    ]


def test_sources_of_reals_have_rates_and_no_auc() -> None:
    files = _files(40)
    files["method"] = files["method"].fillna("source-a").where(files.index != 0, "source-b")
    rows = list(measure_set(files, has_sources=True, draws=50))
    (source,) = [row for row in rows if row.part == "source-b"]
    assert (source.n_real, source.n_fake, source.auc) == (1, 0, None)


def test_one_class_has_no_auc_and_the_table_says_undefined() -> None:
    files = _files(20)
    row = measure_files(files[files["label"] == "real"], draws=50)
    assert (row.auc, row.auc_low, row.sharpness_auc, row.size_auc) == (None, None, None, None)
    assert (row.sharpness_matched_auc, row.pair_accuracy, row.n_pairs) == (None, None, 0)
    lines = _lines(row.as_record())
    assert "| talking | 20 + 0 | undefined |" in lines[2]


def test_few_files_are_neither_matched_nor_given_an_interval() -> None:
    files = _files(4)
    row = measure_files(files, draws=50)
    assert (row.sharpness_matched_auc, row.bins, row.auc_low) == (None, 0, None)
    assert "(not estimable, 4 groups)" in _lines(row.as_record())[2]


def _lines(*records: Any) -> list[str]:
    found = {"generalisation": {"sets": [{"title": "talking", "rows": list(records)}]}}
    lines = generalisation_lines(found)
    assert lines is not None
    assert len({line.count("|") for line in lines}) == 1, "every row has every cell"
    return lines


def test_files_without_a_score_are_counted() -> None:
    rows = [ManifestRow(uri=f"/{i}", corpus="c", media_id=str(i), label=Label.REAL) for i in "ab"]
    scores = {"media_id": ["a", "b"], "status": ["ok", "no_face"], "logit": [1.0, None]}
    tables = {
        "scores": pd.DataFrame(
            {**scores, "verdict": ["real", "not_applicable"], "strongest_track_id": [2, None]}
        ),
        "tracks": pd.DataFrame(
            {
                "media_id": ["a", "a"],
                "track_id": [1, 2],
                "face_px": [10.0, 90.0],
                "sharpness": [1.0, 7.0],
            }
        ),
        "frames": pd.DataFrame(
            {
                "media_id": ["a", "a", "a"],
                "track_id": [1, 2, 2],
                "logit_own": [9.0, 1.0, 3.0],
                "logit_other": [None, None, None],
            }
        ),
    }
    files = files_of(rows, tables)
    assert files.loc[0, ["face_px", "sharpness", "logit_own"]].tolist() == [90.0, 7.0, 2.0]
    assert "logit_other" not in files
    row = measure_files(files, draws=50)
    assert (row.n_real, row.n_without_score) == (1, 1)
    assert row.verdicts == {"real": {"real": 1, "fake": 0, "uncertain": 0}}


def test_equal_stills_have_faces_of_one_size(tmp_path: Path) -> None:
    clip = write_face_clip(tmp_path / "clip.mp4")
    detector = DetectorIdentity(tmp_path, "d")
    job = create_score_job(detector, device="cpu")
    frames = pd.DataFrame({"frame_index": range(0, 20, 2), "face_px": 192.0})
    stills = write_equal_stills(clip, frames, to=tmp_path, name="m", job=job)
    assert [path.name for path in stills] == [f"m-{i}.png" for i in (0, 6, 12, 18)]
    sides = {read_image(path, limits=MediaLimits()).pixels.shape[0] for path in stills}
    assert sides == {256 * FACE_PX // 192}


@pytest.fixture
def media(tmp_path: Path) -> Path:
    """Return data with two pairs of crops and a clip of each class."""
    data = tmp_path / "data"
    lines = ["fake,original"]
    for number in range(2):
        for label, seed in (("real", 0), ("fake", 50)):
            folder = data / "dfdc-crops" / label
            folder.mkdir(parents=True, exist_ok=True)
            (frame,) = clip_frames(1, seed=seed + number)
            write_image(folder / f"{label}-{number}.png", frame)
        lines.append(f"fake-{number}.png,real-{number}.png")
    (data / "dfdc-crops" / "pairs.csv").write_text("\n".join(lines))
    generated = data / "videos" / "generated"
    write_face_clip(generated / "real" / "grid-01.mp4", seed=3)
    write_face_clip(generated / "fake" / "hallo-01.mp4", seed=4)
    return data


@pytest.mark.slow
def test_it_measures_made_media_once_and_writes_the_card(
    media: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    card = tmp_path / "card.md"
    card.write_text("before\n<!-- table: generalisation -->\n<!-- end -->\nafter\n")
    arguments = [
        *("--data", str(media), "--weights", str(make_detector(tmp_path / "detector"))),
        *("--data-root", str(tmp_path / "root"), "--output", str(tmp_path / "found.json")),
        *("--card", str(card), "--workers", "1"),
    ]
    generalisation.main(arguments)
    first = json.loads((tmp_path / "found.json").read_text())["generalisation"]
    assert first["run_id"]
    crops, generated = first["sets"]
    assert (crops["rows"][0]["n_real"], crops["rows"][0]["n_pairs"]) == (2, 2)
    assert generated["rows"][0]["auc"] in (0.0, 1.0)
    assert generated["rows"][0]["equalised_auc"] in (0.0, 1.0)
    text = card.read_text()
    assert text.startswith("before\n") and text.endswith("after\n")
    assert "| generated talking heads | 1 + 1 |" in text
    assert not list((tmp_path / "root").rglob("*.png")), "only numbers are kept"

    def no_workers(*_: object) -> None:
        raise AssertionError("everything has a score already")

    monkeypatch.setattr(generalisation_scores, "shared_workers", no_workers)
    generalisation.main([*arguments, "--sets", "generated"])
    second = json.loads((tmp_path / "found.json").read_text())["generalisation"]
    assert second["sets"] == first["sets"]
