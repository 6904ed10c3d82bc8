"""Logits and outcomes to an evaluation."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from deepfake.config import AggregationConfig
from deepfake.errors import ConfigError, DataError
from deepfake.evaluation.metrics import cllr
from deepfake.verdicts.calibration import Calibration, LikelihoodRatioBounds, Thresholds
from deepfake.verdicts.judgement import JudgementSettings

Make = Callable[..., Any]


def with_failures(given: Any, statuses: list[str]) -> Any:
    """Return the same where the first files failed."""
    outcomes = given.outcomes.copy()
    outcomes.loc[outcomes.index[: len(statuses)], "status"] = statuses
    lost = set(outcomes["uri"][: len(statuses)])
    return type(given)(given.crops[~given.crops["uri"].isin(lost)], outcomes)


def test_file_level_is_of_files_and_frame_level_of_frames(predictions: Make) -> None:
    given = predictions(40, frames=4)
    corpus = given.evaluate().corpora["set"]
    means = given.crops.groupby("uri")["logit"].mean()
    labels = given.outcomes.set_index("uri")["label"].loc[means.index] == "fake"
    assert corpus.files.metrics.n == 80
    assert corpus.frames.metrics.n == 320
    assert corpus.files.metrics.auc == pytest.approx(roc_auc_score(labels, means))
    assert corpus.files.intervals.n_groups == 40


def test_likelihood_ratios_do_not_depend_on_the_prior_and_keep_their_bounds(
    predictions: Make,
) -> None:
    given, log_odds_of_tenth = predictions(40), -math.log(9)
    tenth = JudgementSettings(
        calibration=Calibration(bias=log_odds_of_tenth, prior=0.1, is_fitted=True)
    )
    plain, other = (
        given.evaluate(judgement={"video": own}).table for own in (JudgementSettings(), tenth)
    )
    np.testing.assert_allclose(plain["log_lr"], plain["logit"])
    np.testing.assert_allclose(other["log_lr"], plain["log_lr"])
    bounds = LikelihoodRatioBounds(lower=0.5, upper=2.0, num_real=20, num_fake=20)
    bounded = given.evaluate(judgement={"video": JudgementSettings(likelihood_ratio_bounds=bounds)})
    assert np.abs(bounded.table["log_lr"]).max() == pytest.approx(math.log(2))
    metrics = bounded.corpora["set"].files.metrics
    assert metrics.cllr == pytest.approx(cllr(metrics_labels(bounded), bounded.table["log_lr"]))
    assert bounded.summary()["video_cllr"] == metrics.cllr


def metrics_labels(result: Any) -> np.ndarray:
    """Return 1 for each fake of a result's table."""
    return (result.table["label"] == "fake").to_numpy().astype(int)


def test_the_headline_counts_every_file(predictions: Make) -> None:
    failed = ["no_face", "decode_error", "timeout", "crashed", "missing", "empty"]
    given = with_failures(predictions(20, shift=20.0), failed)
    corpus = given.evaluate().corpora["set"]
    # Perfect where there is a score: 40 entries, one of them without a file, 5 without a score.
    assert corpus.files.metrics.accuracy == 1.0
    assert corpus.headline_accuracy == pytest.approx(34 / 39)
    assert (corpus.n_files, corpus.n_missing) == (39, 1)
    assert (corpus.selective_accuracy, corpus.coverage) == (1.0, pytest.approx(34 / 39))
    assert corpus.statuses["no_face"] == 1
    table = given.evaluate().table.set_index("uri")
    row = table.loc[given.outcomes["uri"].iloc[0]]
    assert row["verdict"] == "not_applicable"
    assert pd.isna(row["prob_fake"])
    assert pd.isna(row["logit"])


def test_one_class_has_a_rate_and_no_auc(predictions: Make) -> None:
    corpus = predictions(30, labels=("fake",)).evaluate().corpora["set"]
    assert corpus.files.metrics.auc is None
    assert corpus.headline.auc is None
    assert "only fakes" in (corpus.headline.why or "")
    assert corpus.rate_interval is not None
    low, high = corpus.rate_interval
    assert corpus.headline_accuracy is not None
    assert low < corpus.headline_accuracy < high
    assert {part.rate_of for part in corpus.slices} == {"recall"}
    assert all(part.auc is None and part.why for part in corpus.slices)


def test_methods_are_compared_with_all_reals(predictions: Make) -> None:
    given = predictions(40)
    parts = {(p.by, p.value): p for p in given.evaluate().corpora["set"].slices}
    swap = parts["method", "swap"]
    means = given.crops.groupby("uri")["logit"].mean()
    meta = given.outcomes.set_index("uri").loc[means.index]
    own = meta["method"].isin(["swap", "original"])
    assert swap.auc == pytest.approx(roc_auc_score(meta.loc[own, "label"] == "fake", means[own]))
    assert (swap.n, swap.n_fake, swap.rate_of) == (20, 20, "recall")
    assert parts["method", "original"].rate_of == "specificity"
    assert parts["kind", "video"].rate_of == "accuracy"


def test_corpora_are_averaged_never_pooled(predictions: Make) -> None:
    # Each corpus is separated well, at logits ten apart: pooled, the AUC would be much lower.
    one, two = predictions(40, corpus="one"), predictions(40, corpus="two", seed=1)
    shifted = type(two)(two.crops.assign(logit=two.crops["logit"] + 10), two.outcomes)
    result = (one + shifted).evaluate()
    alone = [c.files.metrics.auc for c in result.corpora.values()]
    assert result.averages["video_auc"] == pytest.approx(np.mean(alone))
    assert result.average_counts["video_auc"] == 2
    assert "video_auc_low" not in result.averages
    assert result.summary()["two/video_auc"] == alone[1]


def test_an_average_leaves_out_corpora_of_one_class(predictions: Make) -> None:
    given = predictions(40, corpus="one") + predictions(40, corpus="two", labels=("fake",))
    result = given.evaluate()
    assert result.averages["video_auc"] == result.corpora["one"].files.metrics.auc
    assert result.average_counts["video_auc"] == 1


def test_the_matched_test_unmasks_a_detector_of_face_size(predictions: Make) -> None:
    honest = predictions(300, shift=1.5, size_shift=1.5).evaluate().corpora["set"]
    fraud = predictions(300, shift=0.0, size_shift=1.5, size_weight=3.0).evaluate().corpora["set"]
    assert fraud.headline.unmatched_auc is not None
    assert fraud.headline.unmatched_auc > 0.8
    assert fraud.headline.basis == "matched"
    assert fraud.headline.auc is not None
    assert fraud.headline.auc < 0.6
    assert honest.headline.auc is not None
    assert honest.headline.auc == pytest.approx(honest.headline.unmatched_auc, abs=0.06)
    alone = fraud.matched.auc_of_covariates["face_px"]
    assert alone == pytest.approx(0.5, abs=0.08)


def test_pairs_stand_in_the_table_and_do_not_depend_on_the_detector(predictions: Make) -> None:
    given = predictions(50, size_shift=0.5)
    other = type(given)(given.crops.assign(logit=-given.crops["logit"]), given.outcomes)
    first, second = given.evaluate().table, other.evaluate().table
    pd.testing.assert_series_equal(first["pair_id"], second["pair_id"])
    paired = first[first["pair_id"].notna()].groupby("pair_id")["label"].agg(set)
    assert len(paired) >= 10
    assert all(labels == {"real", "fake"} for labels in paired)


def test_few_pairs_are_no_headline(predictions: Make) -> None:
    corpus = predictions(10).evaluate().corpora["set"]
    assert corpus.headline.basis == "unmatched"
    assert "at least 30" in (corpus.headline.why or "")
    assert corpus.headline.auc == corpus.files.metrics.auc
    assert "matched_auc" not in predictions(10).evaluate().summary()


def test_each_kind_has_its_own_calibration_and_thresholds(predictions: Make) -> None:
    video = predictions(30, corpus="clips")
    given = video + predictions(30, corpus="stills", kind="image", frames=1)
    stills = JudgementSettings(
        calibration=Calibration(bias=1.0), thresholds=Thresholds(real_below=0.7, fake_from=0.9)
    )
    table = given.evaluate(judgement={"still": stills, "video": JudgementSettings()}).table
    stills, videos = table[table["kind"] == "image"], table[table["kind"] == "video"]
    np.testing.assert_allclose(stills["log_odds"], stills["logit"] + 1.0)
    np.testing.assert_allclose(videos["log_odds"], videos["logit"])
    assert (stills["threshold"] == 0.7).all()
    assert (videos["threshold"] == 0.5).all()
    assert (stills.loc[stills["prob_fake"].between(0.7, 0.89), "verdict"] == "uncertain").all()


def test_a_further_kind_of_evidence_is_carried_into_the_result(predictions: Make) -> None:
    voice = JudgementSettings(calibration=Calibration(bias=2.0))
    judgement = {"video": JudgementSettings(), "voice": voice}
    result = predictions(30).evaluate(judgement=judgement)
    assert result.settings["judgement"]["voice"] == voice
    assert result.to_json()["settings"]["judgement"]["voice"]["calibration"]["bias"] == 2.0


def test_a_kind_that_is_not_judged_is_an_error(predictions: Make) -> None:
    with pytest.raises(ConfigError, match="does not judge videos, only still"):
        predictions(30).evaluate(judgement={"still": JudgementSettings()})


def test_thresholds_fixed_on_val_are_reported_as_they_fare_here(predictions: Make) -> None:
    given = predictions(40)
    fixed = Thresholds(fpr_5=0.8, is_fitted=True)
    judgement = {"video": JudgementSettings(thresholds=fixed)}
    points = given.evaluate(judgement=judgement).corpora["set"].operating_points
    probs = given.evaluate().table.query("label == 'real'")["prob_fake"]
    assert points == {
        "video_fpr_5": {
            "threshold": 0.8,
            "tpr": pytest.approx(points["video_fpr_5"]["tpr"]),
            "fpr": pytest.approx((probs >= 0.8).mean()),
        }
    }


def test_the_aggregation_asked_for_is_used(predictions: Make) -> None:
    given = predictions(20)
    table = given.evaluate(aggregation=AggregationConfig(video="max")).table.set_index("uri")
    highest = given.crops.groupby("uri")["logit"].max()
    np.testing.assert_allclose(table["logit"], highest.loc[table.index])


def test_the_order_of_rows_does_not_matter(predictions: Make) -> None:
    given = predictions(30)
    mixed = type(given)(
        given.crops.sample(frac=1, random_state=1), given.outcomes.sample(frac=1, random_state=2)
    )
    first, second = given.evaluate().to_json(), mixed.evaluate().to_json()
    assert first["summary"] == pytest.approx(second["summary"])


def test_the_largest_face_speaks_for_size_and_sharpness(predictions: Make) -> None:
    given = predictions(4)
    uri = given.crops["uri"].iloc[0]
    first = given.crops[given.crops["uri"] == uri]
    large = first.assign(track_id=7, face_px=900.0, sharpness=1.5, logit=-50.0)
    more = type(given)(pd.concat([given.crops, large]), given.outcomes)
    row = more.evaluate().table.set_index("uri").loc[uri]
    assert (row["face_px"], row["sharpness"]) == (900.0, 1.5)
    assert row["strongest_track_id"] == 0
    assert row["num_tracks"] == 2


def test_unlabelled_files_are_counted_only(predictions: Make) -> None:
    given = predictions(20)
    outcomes = given.outcomes.copy()
    outcomes.loc[outcomes.index[:5], "label"] = None
    corpus = type(given)(given.crops, outcomes).evaluate().corpora["set"]
    assert (corpus.n_files, corpus.n_unlabelled) == (35, 5)


def test_a_content_under_two_names_has_two_rows_and_one_score(predictions: Make) -> None:
    # The index holds the crops of a content under its first name alone.
    given = predictions(20)
    copy = given.outcomes.iloc[:1].assign(uri="/data/set/copy.mp4")
    more = type(given)(given.crops, pd.concat([given.outcomes, copy], ignore_index=True))
    result = more.evaluate()
    rows = result.table.set_index("uri").loc[[given.outcomes["uri"].iloc[0], "/data/set/copy.mp4"]]
    assert result.corpora["set"].n_files == 41
    assert rows["logit"].notna().all()
    assert rows["logit"].nunique() == 1


def test_a_group_that_is_missing_is_the_media_itself(predictions: Make) -> None:
    given = predictions(20)
    lone = type(given)(given.crops, given.outcomes.assign(group=None))
    assert lone.evaluate().corpora["set"].files.intervals.n_groups == 40


def test_the_json_has_only_json_types(predictions: Make) -> None:
    given = with_failures(predictions(20, labels=("real",)), ["no_face"])
    text = json.dumps(given.evaluate().to_json(), allow_nan=False)
    found = json.loads(text)
    assert found["corpora"]["set"]["files"]["metrics"]["auc"] is None
    assert "only reals" in found["corpora"]["set"]["files"]["metrics"]["why"]["auc"]
    assert found["settings"]["judgement"]["video"]["calibration"]["is_fitted"] is False
    assert "video_auc" not in found["summary"]


def test_a_corpus_in_which_every_file_failed(predictions: Make) -> None:
    given = predictions(3)
    failed = type(given)(given.crops.iloc[:0], given.outcomes.assign(status="no_face"))
    corpus = failed.evaluate().corpora["set"]
    assert corpus.headline_accuracy == 0.0
    assert corpus.coverage == 0.0
    assert corpus.selective_accuracy is None
    assert corpus.files.metrics.accuracy is None


def test_what_does_not_fit_is_refused(predictions: Make) -> None:
    given = predictions(5)
    kind = type(given)
    with pytest.raises(DataError, match="no logits"):
        kind(given.crops.iloc[3:], given.outcomes).evaluate()
    with pytest.raises(DataError, match="no outcome"):
        kind(given.crops, given.outcomes.iloc[1:]).evaluate()
    with pytest.raises(DataError, match="two outcomes"):
        kind(given.crops, pd.concat([given.outcomes, given.outcomes.iloc[:1]])).evaluate()
    with pytest.raises(DataError, match="none of 10 files has a label"):
        kind(given.crops, given.outcomes.assign(label=None)).evaluate()
    with pytest.raises(DataError, match="finite"):
        kind(given.crops.assign(logit=np.nan), given.outcomes).evaluate()


def test_a_fake_is_compared_with_the_real_that_it_was_made_of(predictions: Make) -> None:
    given = predictions(4, frames=1, shift=0.0)
    # All of one person: every real stands in the group of every fake.
    outcomes = given.outcomes.assign(group="id0")
    number = given.crops["uri"].str[-8:-4].astype(int)
    is_fake = given.crops["uri"].str.contains("/fake/")
    # Each fake lies just above its own real, and below those of the next ones.
    crops = given.crops.assign(logit=number + 0.5 * is_fake)
    corpus = type(given)(crops, outcomes).evaluate().corpora["set"]
    assert corpus.files.metrics.auc == pytest.approx(10 / 16)
    assert (corpus.own_real.rate, corpus.own_real.pairs, corpus.own_real.num_fakes) == (1.0, 4, 4)
    alone = outcomes[~outcomes["uri"].str.endswith("real/0001.mp4")]
    kept = crops[crops["uri"].isin(alone["uri"])]
    corpus = type(given)(kept, alone).evaluate().corpora["set"]
    assert (corpus.own_real.pairs, corpus.own_real.num_fakes) == (3, 4)
    lower = crops.assign(logit=number - 0.5 * is_fake)
    assert type(given)(lower, outcomes).evaluate().corpora["set"].own_real.rate == 0.0
    unknown = outcomes.drop(columns="original")
    assert type(given)(crops, unknown).evaluate().corpora["set"].own_real.rate is None
