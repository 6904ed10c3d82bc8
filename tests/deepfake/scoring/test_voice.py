"""A file's voice is judged beside its faces, and changes nothing about them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from deepfake.detectors.bundles import load_bundle
from deepfake.detectors.identity import DetectorIdentity
from deepfake.detectors.voice_bundle import load_voice_bundle, save_voice_bundle
from deepfake.extract.extractor import ExtractRequest
from deepfake.media import write_image, write_video
from deepfake.media.sound import SAMPLE_RATE
from deepfake.scoring import ScoredMedium, Scorer, ScorerSetup
from deepfake.scoring.file_answers import FILE_COLUMNS
from deepfake.scoring.parts import (
    find_parts,
    merge_parts,
    part_path,
    read_part_tables,
    rewrite_part,
    write_part,
)
from deepfake.scoring.schemas import table_schemas
from deepfake.scoring.scorer_settings import scoring_digest
from deepfake.storage import sha256_of, to_uri
from deepfake.types import Kind, Status, Verdict
from deepfake.verdicts.calibration import Calibration, shift_prior
from deepfake.verdicts.voice import VoiceJudgement
from tests.sample_data import clip_frames, face_close_up
from tests.scores import make_score
from tests.sound_factory import add_sound, make_speech, write_samples
from tests.untrained_detector import write_bundle
from tests.untrained_voice_detector import write_voice_bundle


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory) -> ScorerSetup:
    """Return a set-up with a detector of faces and one of voices."""
    folder = tmp_path_factory.mktemp("detectors")
    write_bundle(folder / "faces", model="test_efficientnet", size=64)
    write_voice_bundle(folder / "voice")
    voice = DetectorIdentity(folder / "voice", "tried-voice")
    return ScorerSetup(DetectorIdentity(folder / "faces", "tried"), voice=voice)


@pytest.fixture(scope="module")
def scorer(setup: ScorerSetup) -> Scorer:
    return Scorer(setup)


def _score(scorer: Scorer, path: Path) -> ScoredMedium:
    return scorer.score(ExtractRequest(to_uri(path), sha256_of(path)))


def _of_faces(scored: ScoredMedium) -> dict[str, object]:
    row = scored.score.as_row()
    own = {name for name in row if "voice" in name} | {"seconds", "config_digest"}
    own |= {"speech_seconds", "num_windows", *FILE_COLUMNS}
    return {name: value for name, value in row.items() if name not in own}


@pytest.fixture(scope="module")
def talking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a clip of a face with nine seconds of speech."""
    folder = tmp_path_factory.mktemp("talking")
    silent = write_video(folder / "silent.mp4", clip_frames(12, side=192), fps=25)
    return add_sound(silent, folder / "talking.mp4", make_speech(9.0))


def test_faces_score_to_the_last_digit_as_without_voices(
    scorer: Scorer, setup: ScorerSetup, talking: Path
) -> None:
    with_voice = _score(scorer, talking)
    without = _score(Scorer(replace(setup, voice=None)), talking)
    assert with_voice.score.status is Status.OK
    assert _of_faces(with_voice) == _of_faces(without)
    assert (with_voice.tracks, with_voice.frames) == (without.tracks, without.frames)
    assert without.score.verdict_voice is None
    assert without.windows == ()


def test_the_voice_of_a_clip_has_columns_and_windows_of_its_own(
    scorer: Scorer, talking: Path
) -> None:
    scored = _score(scorer, talking)
    score = scored.score
    assert score.num_windows == len(scored.windows) >= 2
    logits = [window["logit"] for window in scored.windows]
    assert score.logit_voice == pytest.approx(np.mean(logits), abs=1e-6)
    strongest = scored.windows[int(np.argmax(logits))]
    assert score.strongest_voice_pts_seconds == strongest["pts_seconds"]
    assert score.strongest_voice_end_seconds == strongest["end_seconds"]
    assert score.prob_fake_voice is not None
    assert score.voice_model_name == "tried-voice"
    assert score.speech_seconds == pytest.approx(9.0, abs=1.5)


def test_sound_alone_is_judged_by_its_voice(scorer: Scorer, tmp_path: Path) -> None:
    path = write_samples(tmp_path / "a.flac", make_speech(6.0)[None], codec="flac")
    score = _score(scorer, path).score
    assert (score.kind, score.status) == (Kind.AUDIO, Status.NO_PICTURE)
    assert score.verdict is Verdict.NOT_APPLICABLE
    assert score.verdict_voice not in (None, Verdict.NOT_APPLICABLE)


def test_a_video_whose_pictures_cannot_be_decoded_is_listened_to(
    scorer: Scorer, talking: Path, tmp_path: Path
) -> None:
    data = talking.read_bytes()
    at = data.index(b"avc1", data.index(b"stsd"))
    path = tmp_path / "unknown-pictures.mp4"
    path.write_bytes(data[:at] + b"zzzz" + data[at + 4 :])
    score = _score(scorer, path).score
    assert score.status is Status.UNSUPPORTED
    assert score.verdict_voice not in (None, Verdict.NOT_APPLICABLE)
    assert score.speech_seconds == pytest.approx(9.0, abs=1.5)


def test_a_window_is_heard_alike_in_a_clip_and_alone(scorer: Scorer, tmp_path: Path) -> None:
    speech = make_speech(9.0)
    alone = write_samples(tmp_path / "a.flac", speech[None], codec="flac")
    twice = write_samples(tmp_path / "b.wav", np.stack([speech, speech]), codec="pcm_s16le")
    first, second = (_score(scorer, path).score.logit_voice for path in (alone, twice))
    assert first == pytest.approx(second, abs=1e-3)


def test_both_probabilities_of_a_row_hold_for_its_prior(
    setup: ScorerSetup, talking: Path, tmp_path: Path
) -> None:
    rare = load_voice_bundle(write_voice_bundle(tmp_path / "even"))
    calibration = Calibration(prior=0.2)
    spec = rare.spec.model_copy(
        update={"prior": 0.2, "judgement": VoiceJudgement(calibration=calibration)}
    )
    save_voice_bundle(tmp_path / "rare", state_dict=rare.state_dict(), spec=spec)
    other = replace(setup, voice=DetectorIdentity(tmp_path / "rare", "rare"))
    score = _score(Scorer(other), talking).score
    assert score.prior == 0.5
    assert score.logit_voice is not None
    judged = calibration.prob(score.logit_voice)
    expected = shift_prior(judged, from_prior=0.2, to_prior=0.5)
    assert score.prob_fake_voice == pytest.approx(expected, abs=1e-12)
    assert score.prob_fake_voice != pytest.approx(judged, abs=1e-3)
    assert "judged at a share of fakes of 0.2" in str(score.reason_voice)


@pytest.mark.parametrize("seconds", [0.0, 1.0])
def test_too_little_speech_is_not_judged_and_says_why(
    scorer: Scorer, tmp_path: Path, seconds: float
) -> None:
    sound = np.zeros(3 * SAMPLE_RATE, np.float32)
    sound[: round(seconds * SAMPLE_RATE)] = make_speech(3.0)[: round(seconds * SAMPLE_RATE)]
    path = write_samples(tmp_path / "a.flac", sound[None], codec="flac")
    score = _score(scorer, path).score
    assert score.verdict_voice is Verdict.NOT_APPLICABLE
    assert "of speech, 2 s are needed" in str(score.reason_voice)
    assert score.prob_fake_voice is None


def test_a_picture_has_no_voice(scorer: Scorer, tmp_path: Path) -> None:
    score = _score(scorer, write_image(tmp_path / "a.png", face_close_up())).score
    assert score.status is Status.OK
    assert (score.verdict_voice, score.reason_voice) == (
        Verdict.NOT_APPLICABLE,
        "a picture has no sound",
    )


def test_voices_change_the_digest_of_scores_and_their_absence_does_not(setup: ScorerSetup) -> None:
    bundle = load_bundle(setup.detector.path)
    without = replace(setup, voice=None)
    faces_alone = ScorerSetup(setup.detector)
    assert scoring_digest(without, bundle=bundle) == scoring_digest(faces_alone, bundle=bundle)
    assert scoring_digest(setup, bundle=bundle) != scoring_digest(without, bundle=bundle)


def test_another_detector_of_voices_is_another_digest(setup: ScorerSetup, tmp_path: Path) -> None:
    bundle = load_bundle(setup.detector.path)
    write_voice_bundle(tmp_path / "other", seed=1)
    other = replace(setup, voice=DetectorIdentity(tmp_path / "other", "tried-voice"))
    assert scoring_digest(setup, bundle=bundle) != scoring_digest(other, bundle=bundle)


def _medium(name: str, *, with_windows: bool = True) -> ScoredMedium:
    window = {"uri": f"/m/{name}", "media_id": name, "pts_seconds": 0.0, "logit": 1.5}
    return ScoredMedium(make_score(f"/m/{name}", name), windows=(window,) if with_windows else ())


def test_parts_keep_windows_through_removal_and_merging(setup: ScorerSetup, tmp_path: Path) -> None:
    schemas = table_schemas(load_bundle(setup.detector.path).spec, has_voice=True)
    for key, names in (("a" * 16, "ab"), ("b" * 16, "cd")):
        media = [_medium(name) for name in names]
        write_part(tmp_path, key=key, run_number=1, media=media, schemas=schemas)
    rewritten = rewrite_part(tmp_path, "a" * 16, without={"a"})
    assert rewritten is not None
    windows = pq.read_table(part_path(tmp_path, rewritten.key, "windows"))
    assert windows["media_id"].to_pylist() == ["b"]
    parts = [part for part in find_parts(tmp_path) if part.key in (rewritten.key, "b" * 16)]
    merged = merge_parts(tmp_path, parts, made_with={})
    ((_, table),) = read_part_tables(tmp_path, [merged.key], "windows")
    assert sorted(table["media_id"].to_pylist()) == ["b", "c", "d"]


def test_a_part_with_a_table_that_nobody_knows_is_none(setup: ScorerSetup, tmp_path: Path) -> None:
    schemas = table_schemas(load_bundle(setup.detector.path).spec, has_voice=True)
    key = "c" * 16
    write_part(tmp_path, key=key, run_number=1, media=[_medium("a")], schemas=schemas)
    part_path(tmp_path, key, "windows").unlink()
    assert list(find_parts(tmp_path)) == []
