"""A photograph with a video behind it: one row, of the part that looks more like a fake."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deepfake.config import ExtractConfig, WorkerLimits
from deepfake.detectors.identity import DetectorIdentity
from deepfake.evidence import explain_scores
from deepfake.extract.extractor import Extractor, ExtractRequest
from deepfake.media import write_image, write_video
from deepfake.scoring import ScoredMedium, Scorer, ScorerSetup
from deepfake.scoring.motion_photos import does_motion_decide, note_other_medium
from deepfake.storage import sha256_of, to_uri
from deepfake.types import Kind, Status, Verdict
from tests.media_factory import write_motion_photo
from tests.sample_data import clip_frames, face_close_up, landscape
from tests.scores import make_score
from tests.untrained_detector import write_bundle


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    folder = tmp_path_factory.mktemp("detector") / "bundle"
    write_bundle(folder, model="test_efficientnet", size=64)
    return Scorer(ScorerSetup(DetectorIdentity(folder, "tried")))


def score(scorer: Scorer, path: Path) -> ScoredMedium:
    return scorer.score(ExtractRequest(to_uri(path), sha256_of(path)))


def photo(path: Path, still: np.ndarray, video: Path) -> Path:
    return write_motion_photo(path, still, video, maker="samsung.jpg")


def test_the_row_is_that_of_the_more_probable_part(scorer: Scorer, tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mp4", clip_frames(12, side=192), fps=25)
    still = write_image(tmp_path / "a.jpg", face_close_up())
    alone = [score(scorer, path).score for path in (still, video)]
    whole = score(scorer, photo(tmp_path / "b.jpg", face_close_up(), video))
    probs = [own.prob_fake for own in alone]
    assert whole.score.prob_fake == pytest.approx(max(p for p in probs if p is not None), abs=0.02)
    assert whole.score.kind is alone[int(np.argmax(probs))].kind
    assert "the video behind the picture" in str(whole.score.reason)
    assert whole.score.num_frames == len({f["frame_index"] for f in whole.frames})


def test_where_the_still_shows_nobody_the_video_decides(scorer: Scorer, tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mp4", clip_frames(12, side=192), fps=25)
    scored = score(scorer, photo(tmp_path / "b.jpg", landscape(), video))
    assert (scored.score.status, scored.score.kind) == (Status.OK, Kind.VIDEO)
    assert "the picture itself: no face" in str(scored.score.message)
    (evidence,) = explain_scores([scored], setup=scorer.setup, limits=WorkerLimits())
    assert len(evidence.record.frames) > 1, "it shows frames of the video"
    assert not any("could not be decoded" in note for note in evidence.record.notes)


def test_a_broken_video_leaves_the_row_of_the_still(scorer: Scorer, tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mp4", clip_frames(12, side=192), fps=25)
    video.write_bytes(video.read_bytes()[:400])
    scored = score(scorer, photo(tmp_path / "b.jpg", face_close_up(), video))
    assert (scored.score.status, scored.score.kind) == (Status.OK, Kind.IMAGE)
    assert "was looked at too (decode_error" in str(scored.score.message)


def test_training_looks_at_the_still_alone(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mp4", clip_frames(12, side=192), fps=25)
    path = photo(tmp_path / "b.jpg", face_close_up(), video)
    medium = Extractor(ExtractConfig()).extract(ExtractRequest(to_uri(path), "0" * 64))
    assert medium.motion is None and len(medium.crops) == 1


@pytest.mark.parametrize(
    ("still", "motion", "decides"),
    [
        ({"prob_fake": 0.2}, {"prob_fake": 0.4}, True),
        ({"prob_fake": 0.4}, {"prob_fake": 0.2}, False),
        ({"prob_fake": 0.3}, {"prob_fake": 0.3}, False),
        ({"status": Status.NO_FACE}, {"prob_fake": 0.0}, True),
        ({"prob_fake": 0.0}, {"status": Status.DECODE_ERROR}, False),
        ({"status": Status.NO_FACE}, {"status": Status.NO_FACE}, False),
        # Each part has thresholds of its own.
        ({"prob_fake": 0.8, "verdict": Verdict.FAKE}, {"prob_fake": 0.9}, False),
        ({"prob_fake": 0.9}, {"prob_fake": 0.8, "verdict": Verdict.FAKE}, True),
    ],
)
def test_which_part_decides(
    still: dict[str, object], motion: dict[str, object], decides: bool
) -> None:
    parts = [make_score("a", **fields) for fields in (still, motion)]
    assert does_motion_decide(*parts) is decides


def test_what_came_of_the_other_part_is_said() -> None:
    other = make_score("a", status=Status.TOO_LARGE, message="too many frames")
    noted = note_other_medium(make_score("a", reason="r"), other, is_motion=False)
    wanted = "the video behind the picture was looked at too (too_large, too many frames)"
    assert (noted.message, noted.reason) == (wanted, f"r; {wanted}")
