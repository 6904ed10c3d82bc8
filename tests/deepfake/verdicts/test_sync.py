"""Whether lips say the words: curves by offset, blocks, the face that speaks, verdicts."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from deepfake.errors import DataError
from deepfake.types import SyncVerdict
from deepfake.verdicts.calibration import Calibration, LikelihoodRatioBounds, Thresholds
from deepfake.verdicts.sync import (
    SyncJudgement,
    SyncScore,
    SyncSupport,
    aggregate_runs,
    fit_sync_support,
    speaking_track,
)

FPS = 25.0


def _run(offset: int | None, *, num: int = 50, seed: int = 0) -> np.ndarray:
    """Return cosines with noise, and a peak at an offset if one is given."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(0.0, 0.05, size=(num, 31))
    if offset is not None:
        rows[:, 15 + offset] += 0.6
    return rows


def _score(*offsets: int | None, **further: object) -> SyncScore:
    runs = [_run(offset, seed=seed) for seed, offset in enumerate(offsets)]
    beginnings = [3.0 * number for number in range(len(runs))]
    return aggregate_runs(runs, pts_seconds=beginnings, fps=FPS, **further)


def test_a_constant_offset_is_found_with_its_sign() -> None:
    late, early = _score(4, 4), _score(-6, -6)
    assert late.offset_seconds == pytest.approx(0.16, abs=0.01)
    assert early.offset_seconds == pytest.approx(-0.24, abs=0.01)
    assert late.logit == pytest.approx(early.logit, abs=0.5)
    assert late.logit < _score(None, None).logit - 2


def test_a_clip_of_which_half_is_dubbed_scores_high_and_shows_where() -> None:
    whole, half, none = _score(0, 0), _score(0, None), _score(None, None)
    assert half.logit > whole.logit + 3
    assert half.logit == pytest.approx(none.logit, abs=1.0)
    assert half.strongest.run == 1
    assert half.strongest.pts_seconds >= 3.0
    assert min(one.logit for one in half.blocks if one.run == 1) > max(
        one.logit for one in half.blocks if one.run == 0
    )


def test_a_peak_that_moves_is_a_mismatch() -> None:
    moved = _score(0, 8)
    assert moved.logit > _score(8, 8).logit + 3
    assert {round(one.offset_seconds, 2) for one in moved.blocks} == {0.0, 0.32}


def test_blocks_are_of_about_a_second_and_cover_the_runs() -> None:
    score = aggregate_runs([_run(0, num=71), _run(0, num=20)], pts_seconds=[1.0, 9.0], fps=FPS)
    spans = [(one.run, one.pts_seconds, one.end_seconds) for one in score.blocks]
    assert [run for run, _, _ in spans] == [0, 0, 0, 1]
    assert spans[0][1] == 1.0
    assert spans[2][2] == pytest.approx(1.0 + 71 / FPS)
    assert all(left[2] == right[1] for left, right in itertools.pairwise(spans[:3]))


def test_what_has_no_sound_is_left_out() -> None:
    rows = _run(0)
    rows[25:] = np.nan
    rows[:, 27:] = np.nan
    score = aggregate_runs([rows], pts_seconds=[0.0], fps=FPS)
    assert np.isnan(score.blocks[1].logit)
    assert score.strongest is score.blocks[0]
    assert score.peak == pytest.approx(0.6, abs=0.05)
    with pytest.raises(DataError, match="no run has sound"):
        aggregate_runs([np.full((10, 31), np.nan)], pts_seconds=[0.0], fps=FPS)


@pytest.mark.parametrize(
    ("runs", "pts"),
    [([], []), ([_run(0)], [0.0, 1.0]), ([_run(0), _run(0)[:, :29]], [0.0, 1.0])],
)
def test_runs_that_do_not_fit_are_rejected(runs: list[np.ndarray], pts: list[float]) -> None:
    with pytest.raises(DataError):
        aggregate_runs(runs, pts_seconds=pts, fps=FPS)


def test_the_face_that_fits_best_speaks() -> None:
    assert speaking_track({0: [_run(None)], 1: [_run(3, seed=2)], 2: [_run(None, seed=1)]}) == 1
    silent = np.full((10, 31), np.nan)
    assert speaking_track({7: [silent], 3: [_run(None)]}) == 3
    with pytest.raises(DataError):
        speaking_track({7: [silent]})


def _judgement(**further: object) -> SyncJudgement:
    return SyncJudgement(
        calibration=Calibration(is_fitted=True, temperature=0.5),
        thresholds=Thresholds(fake_from=0.7, real_below=0.2, is_fitted=True),
        likelihood_ratio_bounds=LikelihoodRatioBounds(
            lower=0.1, upper=10.0, num_real=90, num_fake=90
        ),
        **further,
    )


def test_nothing_but_a_mismatch_is_ever_found() -> None:
    judgement = _judgement()
    assert judgement.judge(_score(None, None)) == (SyncVerdict.MISMATCH, None)
    assert judgement.judge(_score(0, 0)) == (SyncVerdict.NO_MISMATCH, None)
    assert {str(judgement.judge(_score(offset))[0]) for offset in range(-15, 16)} == {"no_mismatch"}


def test_likelihood_ratios_keep_their_bounds() -> None:
    judgement = _judgement()
    assert judgement.likelihood_ratio(_score(None, None)) == pytest.approx(10.0)
    assert judgement.likelihood_ratio(_score(0, 0)) == pytest.approx(0.1)
    assert SyncJudgement().likelihood_ratio(_score(0)) is None


def test_a_constant_offset_is_out_of_sync_and_no_mismatch() -> None:
    judgement = _judgement()
    assert judgement.is_out_of_sync(_score(4, 4))
    assert judgement.is_out_of_sync(_score(-4, -4))
    assert not judgement.is_out_of_sync(_score(3, 3))
    assert not judgement.is_out_of_sync(_score(4, None))


def test_a_file_outside_of_the_calibration_is_not_judged() -> None:
    judgement = _judgement(support=SyncSupport(min_face_px=60.0, min_speech_seconds=2.0))
    small = _score(None, face_px=[50.0], speech_seconds=[3.0])
    verdict, reason = judgement.judge(small)
    assert verdict is SyncVerdict.NOT_APPLICABLE
    assert str(reason) == "the face is too small to read its lips: 50 pixels, calibrated from 60"
    assert judgement.likelihood_ratio(small) is None
    quiet = _score(None, None, face_px=[80.0, 90.0], speech_seconds=[0.5, 1.0])
    assert "too little speech" in str(judgement.judge(quiet)[1])
    assert judgement.judge(_score(None))[0] is SyncVerdict.MISMATCH


def test_support_is_that_of_the_files_of_a_calibration() -> None:
    sizes = np.linspace(50, 150, 101)
    fitted = fit_sync_support(face_px=sizes, speech_seconds=None, num_samples=101)
    assert fitted.min_face_px == pytest.approx(51.0)
    assert fitted.min_speech_seconds is None
    assert fit_sync_support(face_px=sizes[:5], speech_seconds=None, num_samples=5) == SyncSupport(
        num_samples=5
    )
