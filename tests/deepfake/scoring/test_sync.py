"""Lips are compared with sound beside faces, which they change nothing about."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from deepfake.detectors.bundles import load_bundle
from deepfake.detectors.identity import DetectorIdentity
from deepfake.extract.extractor import ExtractRequest
from deepfake.media import write_image, write_video
from deepfake.scoring import ScoredMedium, Scorer, ScorerSetup
from deepfake.scoring.file_answers import FILE_COLUMNS, fill_file_answers, join_columns
from deepfake.scoring.schemas import SCORES_SCHEMA, table_schemas
from deepfake.scoring.scorer_settings import scoring_digest
from deepfake.scoring.sync_scorer import face_of_run
from deepfake.storage import sha256_of, table_of, to_uri
from deepfake.types import MouthRun, SyncVerdict, Verdict
from tests.sample_data import clip_frames, face_close_up
from tests.scores import make_score
from tests.sound_factory import add_sound, make_speech
from tests.untrained_detector import write_bundle
from tests.untrained_sync_detector import write_sync_bundle

_SHARED = ("seconds", "config_digest", *FILE_COLUMNS)


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory) -> ScorerSetup:
    """Return a set-up with a detector of faces and one of lips and sound."""
    folder = tmp_path_factory.mktemp("detectors")
    write_bundle(folder / "faces", model="test_efficientnet", size=64)
    sync = DetectorIdentity(write_sync_bundle(folder / "sync"), "tried-sync")
    return ScorerSetup(DetectorIdentity(folder / "faces", "tried"), sync=sync)


@pytest.fixture(scope="module")
def scorer(setup: ScorerSetup) -> Scorer:
    return Scorer(setup)


@pytest.fixture(scope="module")
def silent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    frames = clip_frames(60, side=192)
    return write_video(tmp_path_factory.mktemp("silent") / "silent.mp4", frames, fps=25)


def _score(scorer: Scorer, path: Path) -> ScoredMedium:
    return scorer.score(ExtractRequest(to_uri(path), sha256_of(path)))


def _of_faces(scored: ScoredMedium) -> dict[str, object]:
    rest = ("prob_mismatch", "is_out_of_sync", "num_runs", "speaking_track_id", *_SHARED)
    row = scored.score.as_row()
    return {name: value for name, value in row.items() if "sync" not in name and name not in rest}


def test_faces_score_to_the_last_digit_as_without_lips(
    scorer: Scorer, setup: ScorerSetup, silent: Path, tmp_path: Path
) -> None:
    talking = add_sound(silent, tmp_path / "talking.mp4", make_speech(3.0))
    scored, without = _score(scorer, talking), _score(Scorer(replace(setup, sync=None)), talking)
    assert _of_faces(scored) == _of_faces(without)
    assert (scored.tracks, scored.frames) == (without.tracks, without.frames)
    assert (without.score.verdict_sync, without.blocks) == (None, ())
    score = scored.score
    assert score.verdict_sync in (SyncVerdict.MISMATCH, SyncVerdict.NO_MISMATCH)
    assert score.prob_mismatch is not None and scored.blocks
    begins = [block["pts_seconds"] for block in scored.blocks]
    assert score.strongest_sync_pts_seconds in begins
    assert score.sync_model_name == "tried-sync"
    assert score.speaking_track_id == score.strongest_track_id
    assert {block["track_id"] for block in scored.blocks} == {score.speaking_track_id}
    assert score.verdict_file is not None and "lips and sound: " in str(score.reason_file)


def test_nothing_changes_for_files_without_sound(
    scorer: Scorer, setup: ScorerSetup, silent: Path, tmp_path: Path
) -> None:
    still = write_image(tmp_path / "a.png", face_close_up())
    for path, reason in ((silent, "no sound"), (still, "a picture has no sound")):
        score = _score(scorer, path).score
        assert score.verdict_sync is SyncVerdict.NOT_APPLICABLE
        assert reason in str(score.reason_sync)
        of_file = tuple(getattr(score, name) for name in FILE_COLUMNS)
        assert of_file == (score.verdict, score.reason, score.prob_fake, score.likelihood_ratio)


def test_lips_change_the_digest_of_scores_and_their_absence_does_not(setup: ScorerSetup) -> None:
    bundle = load_bundle(setup.detector.path)
    without = scoring_digest(replace(setup, sync=None), bundle=bundle)
    assert without == scoring_digest(ScorerSetup(setup.detector), bundle=bundle)
    assert without != scoring_digest(setup, bundle=bundle)


def test_tables_have_blocks_where_lips_were_compared(setup: ScorerSetup) -> None:
    spec = load_bundle(setup.detector.path).spec
    assert set(table_schemas(spec, has_sync=True)) == {"scores", "tracks", "frames", "blocks"}
    assert "blocks" not in table_schemas(spec, has_voice=True)


def test_rows_of_earlier_versions_get_the_answer_on_their_file() -> None:
    voice = {"verdict_voice": Verdict.FAKE, "prob_fake_voice": 0.97, "speech_seconds": 4.0}
    rows = [make_score("/a", "a").as_row(), make_score("/b", "b", **voice).as_row()]
    batch = table_of(rows, schema=SCORES_SCHEMA).to_batches()[0]
    filled = fill_file_answers(batch).to_pylist()
    assert [row["verdict_file"] for row in filled] == ["real", "fake"]
    assert filled[0]["prob_fake_file"] == rows[0]["prob_fake"]
    assert filled[1]["reason_file"] == "voice: 97.0%, faces: no sign"
    assert fill_file_answers(pa.RecordBatch.from_pylist(filled, batch.schema)).to_pylist() == filled


def test_too_little_speech_counts_where_lips_or_voice_could_have_been_made() -> None:
    voice = {"verdict_voice": Verdict.NOT_APPLICABLE, "verdict_sync": SyncVerdict.NOT_APPLICABLE}
    row = {**make_score("/a", "a", prob_fake=0.01).as_row(), **voice}
    alone = join_columns(row)
    assert alone["prob_fake_file"] == row["prob_fake"]
    short = join_columns({**row, "speech_seconds": 1.0})
    assert short["reason_file"] == "faces: no sign, voice: not judged, lips and sound: not judged"
    assert short["prob_fake_file"] > row["prob_fake"]


def test_the_face_that_speaks_is_found_by_its_box() -> None:
    left, right = (0.0, 0.0, 50.0, 50.0), (100.0, 0.0, 150.0, 50.0)
    rows = [
        {"track_id": track, "pts_seconds": 0.5, "bbox_xyxy": box}
        for track, box in ((3, left), (7, right))
    ]
    run = MouthRun(
        mouths=np.zeros((5, 8, 8), np.uint8),
        samples=np.zeros(16_000, np.float32),
        sound_span=(0, 16_000),
        pts_seconds=0.0,
        end_seconds=1.0,
        track_id=0,
        run_index=0,
        face_px=50.0,
        speech_seconds=1.0,
        box_xyxy=(98.0, 2.0, 149.0, 52.0),
    )
    assert face_of_run(run, rows) == 7
    assert face_of_run(replace(run, box_xyxy=(300.0, 0.0, 350.0, 50.0)), rows) is None
    assert face_of_run(replace(run, box_xyxy=None), rows) is None
    assert face_of_run(replace(run, box_xyxy=None), rows[:1]) == 3
