"""A score is one class from the worker to the table."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from typing import Any

import pyarrow as pa
import pytest

from deepfake.scoring import SCORES_SCHEMA, ScoreOrigin, failed_score
from deepfake.scoring.receipts.receipt import ScoreRow
from deepfake.types import Kind, Outcome, Score, Status, Verdict
from tests.scores import make_score

_COLUMNS = [
    *("uri", "media_id", "kind", "status", "verdict", "reason", "prob_fake", "logit"),
    *("likelihood_ratio", "likelihood_ratio_min", "likelihood_ratio_max"),
    *("num_faces", "num_tracks", "num_frames", "strongest_track_id", "strongest_pts_seconds"),
    "turned_degrees",
    *("is_partial", "frames_wanted", "frames_read", "error_type", "message"),
    *("model_name", "model_version", "model_digest", "config_digest", "prior", "seconds"),
    *("verdict_voice", "reason_voice", "prob_fake_voice", "logit_voice"),
    *("likelihood_ratio_voice", "likelihood_ratio_voice_min", "likelihood_ratio_voice_max"),
    *("novelty_voice", "speech_seconds", "num_windows"),
    *("strongest_voice_pts_seconds", "strongest_voice_end_seconds"),
    *("voice_model_name", "voice_model_version", "voice_model_digest"),
    *("verdict_sync", "reason_sync", "prob_mismatch", "logit_sync"),
    *("likelihood_ratio_sync", "likelihood_ratio_sync_min", "likelihood_ratio_sync_max"),
    *("offset_sync_seconds", "is_out_of_sync", "num_runs", "speaking_track_id"),
    *("strongest_sync_pts_seconds", "strongest_sync_end_seconds"),
    *("sync_model_name", "sync_model_version", "sync_model_digest"),
    *("verdict_file", "reason_file", "prob_fake_file", "likelihood_ratio_file"),
]


def test_fields_are_the_columns_of_the_table() -> None:
    assert [field.name for field in fields(Score)] == SCORES_SCHEMA.names == _COLUMNS
    assert list(make_score("/m/a.png").as_row()) == _COLUMNS
    assert list(ScoreRow.model_fields) == _COLUMNS


def test_types_of_the_columns_are_those_that_were_written_before() -> None:
    types = {field.name: field.type for field in SCORES_SCHEMA}
    floats = {"prob_fake", "logit", "strongest_pts_seconds", "prior", "seconds"}
    counts = {"num_faces", "num_tracks", "num_frames", "strongest_track_id"}
    counts |= {"frames_wanted", "frames_read", "turned_degrees"}
    floats |= {"likelihood_ratio", "likelihood_ratio_min", "likelihood_ratio_max"}
    floats |= {f"likelihood_ratio_voice{end}" for end in ("", "_min", "_max")}
    floats |= {"prob_fake_voice", "logit_voice", "novelty_voice", "speech_seconds"}
    floats |= {"strongest_voice_pts_seconds", "strongest_voice_end_seconds"}
    counts |= {"num_windows", "num_runs", "speaking_track_id"}
    floats |= {f"likelihood_ratio_sync{end}" for end in ("", "_min", "_max")}
    floats |= {"prob_mismatch", "logit_sync", "offset_sync_seconds"}
    floats |= {"strongest_sync_pts_seconds", "strongest_sync_end_seconds"}
    floats |= {"prob_fake_file", "likelihood_ratio_file"}
    expected = {
        **dict.fromkeys(_COLUMNS, pa.string()),
        **dict.fromkeys(floats, pa.float64()),
        **dict.fromkeys(counts, pa.int32()),
        **dict.fromkeys(("is_partial", "is_out_of_sync"), pa.bool_()),
    }
    assert types == expected


@pytest.mark.parametrize(
    "values",
    [
        {"status": "ok", "prob_fake": None},
        {"status": "no_face", "prob_fake": 0.5},
        {"prob_fake": 1.5},
        {"prob_fake": float("nan")},
    ],
    ids=str,
)
def test_a_probability_is_there_if_and_only_if_the_status_is_ok(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="prob_fake"):
        make_score("/m/a.png", **values)


def test_a_score_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        make_score("/m/a.png").logit = 1.0  # type: ignore[misc]


def test_a_file_without_a_score_keeps_what_is_known_of_it() -> None:
    origin = ScoreOrigin("tried", "3", "0" * 16, "1" * 16, 0.5)
    outcome = Outcome(
        "/m/a.mp4", "a" * 64, Status.NO_FACE, frames_read=4, num_faces=0, details={"kind": "video"}
    )
    score = failed_score(outcome, origin)
    assert (score.kind, score.verdict) == (Kind.VIDEO, Verdict.NOT_APPLICABLE)
    assert (score.reason, score.frames_read, score.num_faces) == ("no_face", 4, 0)
    assert (score.model_version, score.prior) == ("3", 0.5)
    row = score.as_row()
    assert (row["status"], row["kind"], row["prob_fake"]) == ("no_face", "video", None)
    assert pa.Table.from_pylist([row], schema=SCORES_SCHEMA).to_pylist() == [row]
