"""Crops to tracks to files."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepfake.config import AggregationConfig
from deepfake.errors import DataError
from deepfake.verdicts.aggregation import aggregate_by_uri, aggregate_file


def crops_of(*rows: tuple[int, int, float], **columns: object) -> pd.DataFrame:
    """Return crops from (track_id, frame_index, logit); a frame lasts half a second."""
    frame = pd.DataFrame(rows, columns=["track_id", "frame_index", "logit"])
    return frame.assign(pts_seconds=frame["frame_index"] / 2, **columns)


STRONG = AggregationConfig()


def test_strongest_track_is_the_highest_mean_not_the_highest_crop() -> None:
    crops = crops_of((0, 0, 9.0), (0, 1, -8.0), (0, 2, -1.0), (1, 0, 1.0), (1, 1, 3.0), (1, 2, 2.0))
    score = aggregate_file(crops, config=STRONG)
    assert score.strongest_track_id == 1
    assert score.logit == 2.0
    assert score.strongest_pts_seconds == 0.5
    assert (score.num_faces, score.num_tracks, score.num_frames) == (6, 2, 3)


def test_short_track_speaks_only_without_a_long_one() -> None:
    long = [(0, i, -1.0) for i in range(3)]
    short = [(1, i, 5.0) for i in range(2)]
    assert aggregate_file(crops_of(*long, *short), config=STRONG).logit == -1.0
    assert aggregate_file(crops_of(*short, (2, 0, 1.0)), config=STRONG).logit == 5.0


def test_frames_are_counted_not_crops() -> None:
    # Three crops of one frame are no track of three frames.
    crops = crops_of(
        (0, 0, 7.0), (0, 0, 7.0), (0, 0, 7.0), (1, 0, -1.0), (1, 1, -1.0), (1, 2, -1.0)
    )
    assert aggregate_file(crops, config=STRONG).strongest_track_id == 1


@pytest.mark.parametrize(
    ("video", "logit"), [("mean", 1.25), ("max", 4.0), ("strongest_track", 2.0)]
)
def test_video_modes(video: str, logit: float) -> None:
    crops = crops_of((0, 0, 4.0), (0, 1, 1.0), (0, 2, 1.0), (1, 0, -1.0))
    config = AggregationConfig.model_validate({"video": video})
    assert aggregate_file(crops, config=config).logit == logit


def test_equal_tracks_the_longer_then_the_lower_id() -> None:
    longer = crops_of(*[(4, i, 1.0) for i in range(4)], *[(0, i, 1.0) for i in range(3)])
    assert aggregate_file(longer, config=STRONG).strongest_track_id == 4
    same = crops_of(*[(4, i, 1.0) for i in range(3)], *[(2, i, 1.0) for i in range(3)])
    assert aggregate_file(same, config=STRONG).strongest_track_id == 2


def test_the_earliest_of_equal_moments() -> None:
    crops = crops_of((0, 3, 2.0), (0, 1, 2.0), (0, 2, 0.0))
    assert aggregate_file(crops, config=STRONG).strongest_pts_seconds == 0.5


def test_track_details() -> None:
    crops = crops_of((3, 2, 0.0), (3, 0, 2.0), (3, 5, 1.0), face_px=[10.0, 30.0, 20.0])
    (track,) = aggregate_file(crops, config=STRONG).tracks
    assert (track.track_id, track.logit, track.num_frames) == (3, 1.0, 3)
    assert (track.first_pts_seconds, track.last_pts_seconds) == (0.0, 2.5)
    assert (track.max_logit, track.max_pts_seconds, track.face_px) == (2.0, 0.0, 20.0)


_ROW = st.tuples(st.integers(0, 3), st.integers(0, 5), st.floats(-1e3, 1e3))


@given(rows=st.lists(_ROW, min_size=1, max_size=30), seed=st.integers(0, 100))
@pytest.mark.parametrize("video", ["strongest_track", "mean", "max"])
def test_order_does_not_matter(video: str, rows: list[tuple[int, int, float]], seed: int) -> None:
    config = AggregationConfig.model_validate({"video": video})
    crops = crops_of(*rows)
    shuffled = crops.sample(frac=1, random_state=seed)
    assert aggregate_file(shuffled, config=config) == aggregate_file(crops, config=config)


def test_one_base_name_under_four_folders_is_four_files() -> None:
    uris = [f"/ff/{method}/c23/000_003.mp4" for method in ("DF", "F2F", "FS", "NT")]
    parts = [crops_of((0, 0, float(i)), uri=uri) for i, uri in enumerate(uris)]
    scores = aggregate_by_uri(pd.concat(parts).sample(frac=1, random_state=1), config=STRONG)
    assert {key: s.logit for key, s in scores.items()} == {
        (u,): float(i) for i, u in enumerate(uris)
    }


def test_a_failure_is_no_number() -> None:
    with pytest.raises(DataError, match="has no score"):
        aggregate_file(crops_of().astype(float), config=STRONG)
    with pytest.raises(DataError, match="finite"):
        aggregate_file(crops_of((0, 0, np.nan)), config=STRONG)
    with pytest.raises(DataError, match="logit"):
        aggregate_file(crops_of((0, 0, 1.0)).drop(columns="logit"), config=STRONG)


def test_poor_crops_count_less_where_quality_weighs() -> None:
    good, poor = (0, 0, 4.0), (0, 1, -4.0)
    crops = crops_of(
        good, poor, face_px=[150.0, 15.0], sharpness=[500.0, 5.0], confidence=[1.0, 0.9]
    )
    plain = aggregate_file(crops, config=STRONG).logit
    weighted = aggregate_file(crops, config=AggregationConfig(track="quality")).logit
    assert plain == 0.0
    assert weighted > 3.8
    assert aggregate_file(crops[::-1], config=AggregationConfig(track="quality")).logit == weighted


def test_faces_much_smaller_than_the_largest_may_be_kept_silent() -> None:
    crops = crops_of((0, 0, -2.0), (1, 0, 7.0), (2, 0, 1.0), face_px=[100.0, 49.0, 50.0])
    assert aggregate_file(crops, config=STRONG).logit == 7.0
    half = AggregationConfig(min_face_share=0.5)
    score = aggregate_file(crops, config=half)
    assert (score.logit, score.strongest_track_id, score.num_tracks) == (1.0, 2, 3)
    for video in ("mean", "max"):
        heard = aggregate_file(crops, config=half.model_copy(update={"video": video}))
        assert heard.logit == (-0.5 if video == "mean" else 1.0)


def test_track_tells_what_its_face_is_like() -> None:
    crops = crops_of(
        (0, 0, 1.0), (0, 1, 1.0), (0, 2, 1.0), face_px=[10.0, 20.0, 90.0], novelty=[1.0, 2.0, 6.0]
    )
    track = aggregate_file(crops, config=STRONG).strongest
    assert (track.face_px, track.novelty, track.sharpness) == (20.0, 3.0, None)


ANY = AggregationConfig(video="any_track")


def test_odds_that_anybody_is_fake_are_the_mean_of_the_tracks_odds() -> None:
    sure = [(0, i, 6.0) for i in range(3)]
    real = [(track, i, -6.0) for track in (1, 2, 3) for i in range(3)]
    alone = aggregate_file(crops_of(*sure), config=ANY).logit
    among = aggregate_file(crops_of(*sure, *real), config=ANY).logit
    assert alone == 6.0
    assert among == pytest.approx(6.0 - np.log(4), abs=1e-3), "one of four, and still a fake"
    unsure = [(track, i, 1.0) for track in range(4) for i in range(3)]
    assert aggregate_file(crops_of(*unsure), config=ANY).logit == pytest.approx(1.0)
    score = aggregate_file(crops_of(*sure, (9, 0, 800.0)), config=ANY)
    assert score.logit == 6.0, "too short a track does not speak"
    assert aggregate_file(crops_of((0, 0, 800.0), (1, 0, 0.0)), config=ANY).logit == pytest.approx(
        800 - np.log(2)
    )
