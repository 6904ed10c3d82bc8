"""Clips out of stills: what they show, how they are labelled, and that halves keep apart."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from deepfake.config import FaceConfig, MediaLimits
from deepfake.corpora.layouts import scan_corpus
from deepfake.corpora.splits import halve_by_group
from deepfake.extract.faces import MtcnnDetector
from deepfake.media import open_video, write_image, write_video
from deepfake.storage import sha256_of, to_uri
from deepfake.training.calibrate.face_path import FacePath, face_path, main_track
from deepfake.training.calibrate.synthetic_clips import ClipPlan, make_clips, plan_clips
from deepfake.types import Kind
from tests.sample_data import clip_frames


@pytest.fixture(scope="module")
def plans(tmp_path_factory: pytest.TempPathFactory) -> list[ClipPlan]:
    folder = tmp_path_factory.mktemp("stills")
    detector = MtcnnDetector(FaceConfig())
    made = []
    for number, kind in enumerate(("real", "labelled_fake", "self_blend")):
        pixels = clip_frames(1, seed=number)[0]
        path = write_image(folder / f"{kind}.png", pixels)
        face = detector.detect(pixels)[0]
        made.append(
            ClipPlan(
                name=f"{kind}.mp4",
                kind=kind,  # type: ignore[arg-type]
                uri=to_uri(path),
                media_id=sha256_of(path),
                group=f"stills/val/media:{sha256_of(path)}",
                source=Kind.IMAGE,
                faces=FacePath(
                    frames=np.array([0]),
                    boxes=np.array([face.bbox_xyxy], dtype=np.float64),
                    landmarks=np.array([face.landmarks], dtype=np.float64),
                ),
                split="val",
                seed=number,
            )
        )
    return made


@pytest.fixture(scope="module")
def table(plans: list[ClipPlan], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clips(plans, tmp_path_factory.mktemp("clips"))


def test_clips_are_videos_of_some_seconds_with_a_face(plans: list[ClipPlan], table: Path) -> None:
    detector = MtcnnDetector(FaceConfig())
    for plan in plans:
        with open_video(table.parent / plan.name, limits=MediaLimits()) as reader:
            assert 1.5 <= reader.info.duration_seconds <= 4.2
            first, last = (f.pixels for f in reader.read([0, reader.info.num_frames - 1]))
        assert detector.detect(first), plan.name
        assert np.abs(first.astype(float) - last).mean() > 1, "it moves"


def test_a_forgery_lasts_for_its_clip(plans: list[ClipPlan], table: Path) -> None:
    plan = plans[2]
    assert plan.kind == "self_blend"
    with open_video(table.parent / plan.name, limits=MediaLimits()) as reader:
        frames = [f.pixels for f in reader.read(list(range(0, reader.info.num_frames, 6)))]
    detector = MtcnnDetector(FaceConfig())
    tints = []
    for pixels in frames:
        left, top, right, bottom = (round(v) for v in detector.detect(pixels)[0].bbox_xyxy)
        face = pixels[top:bottom, left:right].reshape(-1, 3).mean(axis=0)
        tints.append(face / face.mean())
    assert np.std(tints, axis=0).max() < 0.01, "one colour over all frames"


def test_labels_groups_and_splits_stand_in_the_table(plans: list[ClipPlan], table: Path) -> None:
    with table.open(encoding="utf-8") as stream:
        rows = {row["uri"]: row for row in csv.DictReader(stream)}
    assert [rows[p.name]["label"] for p in plans] == ["real", "fake", "fake"]
    assert {row["split"] for row in rows.values()} == {"val"}
    scanned = scan_corpus(table, corpus="tried-clips", layout="csv")
    assert all(row.status == "ok" for row in scanned)
    assert {row.method for row in scanned} == {
        "synthetic_real",
        "synthetic_labelled_fake",
        "synthetic_self_blend",
    }
    assert {row.group for row in scanned} == {plan.group for plan in plans}


def test_a_clip_is_made_once(plans: list[ClipPlan], table: Path) -> None:
    before = (table.parent / plans[0].name).stat().st_mtime_ns
    make_clips(plans, table.parent)
    assert (table.parent / plans[0].name).stat().st_mtime_ns == before
    assert not list(table.parent.glob(".*.mp4"))


def test_clips_stand_in_the_half_of_their_still() -> None:
    names = [f"{i:064x}" for i in range(200)]
    stills = halve_by_group([f"stills/val/media:{name}" for name in names])
    clips = halve_by_group([f"clips/val/group:stills/val/media:{name}" for name in names])
    assert stills.tolist() == clips.tolist()
    assert 60 < stills.sum() < 140


def test_clips_stand_in_the_half_of_the_person_that_their_still_shows() -> None:
    people = [f"identity:id{i}" for i in range(200)]
    stills = halve_by_group([f"stills/val/{person}" for person in people])
    clips = halve_by_group([f"clips/val/group:stills/val/{person}" for person in people])
    assert stills.tolist() == clips.tolist()
    assert 60 < stills.sum() < 140


def test_another_seed_makes_other_clips(tmp_path: Path, corpus_writer: Any, crop_file: Any) -> None:
    snapshot = corpus_writer(
        tmp_path, [crop_file("a", "real", "val"), crop_file("b", "fake", "val")]
    )
    first, again, other = (
        {plan.name for plan in plan_clips(snapshot, seed=seed)} for seed in (0, 0, 1)
    )
    assert first == again
    assert not first & other
    assert all(plan.group == f"media:{plan.media_id}" for plan in plan_clips(snapshot))


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, FacePath]:
    """A video of a face that moves, and where it is in two of its frames."""
    frames = clip_frames(60)
    path = write_video(tmp_path_factory.mktemp("videos") / "real.mp4", frames, fps=25, crf=12)
    detector = MtcnnDetector(FaceConfig())
    faces = [detector.detect(frames[at])[0] for at in (0, 59)]
    return path, FacePath(
        frames=np.array([0, 59]),
        boxes=np.array([face.bbox_xyxy for face in faces], dtype=np.float64),
        landmarks=np.array([face.landmarks for face in faces], dtype=np.float64),
    )


def _of_recording(recording: tuple[Path, FacePath], kind: str, **changes: Any) -> ClipPlan:
    path, faces = recording
    plan = ClipPlan(
        name=f"{kind}.mp4",
        kind=kind,  # type: ignore[arg-type]
        uri=to_uri(path),
        media_id=sha256_of(path),
        source=Kind.VIDEO,
        group="identity:anna",
        faces=faces,
        split="val",
        seed=3,
    )
    return replace(plan, **changes)


def test_of_a_recording_a_clip_is_a_part_and_the_forgery_differs_in_the_face_alone(
    recording: tuple[Path, FacePath], tmp_path: Path
) -> None:
    plans = [_of_recording(recording, kind) for kind in ("real", "self_blend")]
    table = make_clips(plans, tmp_path)
    assert table.read_text().count("identity:anna") == 2
    assert "recorded_self_blend" in table.read_text(), "not made by code out of stills"
    real, fake = (_all_frames(tmp_path / plan.name) for plan in plans)
    assert len(real) == len(fake) >= 50, "one seed cuts both alike"
    inside, outside = [], []
    for a, b in zip(real, fake, strict=True):
        difference = np.abs(a.astype(float) - b).mean(axis=2)
        left, top, right, bottom = (int(v) for v in recording[1].box_at(len(inside)))
        inside.append(difference[top:bottom, left:right].mean())
        difference[max(0, top - 40) : bottom + 40, max(0, left - 40) : right + 40] = 0
        outside.append(difference.mean())
    assert min(inside) > 5 * max(outside), "each frame is forged, in the face"
    assert np.std(inside) < 0.25 * np.mean(inside), "by one blend"


def test_a_recording_without_a_place_for_a_blend_has_no_forgery(
    recording: tuple[Path, FacePath], tmp_path: Path
) -> None:
    lost = replace(recording[1], landmarks=np.zeros((2, 5, 2)))
    table = make_clips([_of_recording(recording, "self_blend", faces=lost)], tmp_path)
    assert table.read_text().splitlines() == ["uri,label,split,group,method"]
    assert [path.name for path in tmp_path.iterdir()] == ["clips.csv"]


def test_the_face_in_most_frames_is_forged() -> None:
    crops = pd.DataFrame(
        {
            "uri": ["a", "a", "a", "b"],
            "track_id": [0, 0, 1, 0],
            "face_px": [80.0, 82.0, 300.0, 90.0],
            "frame_index": [7, 2, 2, 0],
            "bbox_xyxy": [[7.0, 0, 9, 2], [2.0, 0, 4, 2], [0.0, 0, 1, 1], [5.0, 0, 6, 1]],
            "landmarks": [np.full(10, 7.0), np.full(10, 2.0), np.zeros(10), np.zeros(10)],
        }
    )
    chosen = main_track(crops)
    assert chosen["face_px"].tolist() == [80.0, 82.0, 90.0]
    path = face_path(chosen[chosen["uri"] == "a"])
    assert path.frames.tolist() == [2, 7]
    assert path.box_at(4)[0] == 4.0
    assert path.landmarks_at(100).max() == 7.0, "it stays where it was last seen"


def _all_frames(path: Path) -> list[Any]:
    with open_video(path, limits=MediaLimits()) as reader:
        return [frame.pixels for frame in reader.read(range(reader.info.num_frames))]
