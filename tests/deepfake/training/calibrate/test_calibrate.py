"""A bundle and labelled files to answers that can be read, as scoring computes them."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from deepfake.config import AggregationConfig, CropConfig
from deepfake.corpora.splits import halve_by_group
from deepfake.detectors.bundles import HeadSpec, load_bundle, save_bundle
from deepfake.errors import DataError
from deepfake.scoring.drift import load_reference
from deepfake.training import calibrate as calibrating
from deepfake.training.calibrate import calibrate_bundle, reject_too_few_files, scale_heads
from deepfake.training.calibrate.fit_judgement import fit_judgement
from deepfake.types import PICTURE_KINDS, Kind
from tests.untrained_detector import write_bundle

HEADS = (
    HeadSpec(name="blended", learns_from="self_blended"),
    HeadSpec(name="generated", learns_from="labelled"),
)


def _normal(count: int, **means: float) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {name: rng.normal(mean, 2.0, count) for name, mean in means.items()}


def test_logits_of_heads_become_log_odds_of_what_each_was_taught() -> None:
    # Normal classes of one spread: log-odds are (distance / variance) * (logit - middle).
    reals = _normal(4000, logit_blended=0.0, logit_generated=-6.0)
    fakes = _normal(4000, logit_blended=0.0, logit_generated=-2.0)
    labels = np.repeat(["real", "fake"], 4000)
    crops = pd.DataFrame({k: np.concatenate([reals[k], fakes[k]]) for k in reals})
    blends = pd.DataFrame(_normal(4000, logit_blended=2.0, logit_generated=-6.0))
    heads = scale_heads(HEADS, crops.assign(label=labels), blends)
    assert [h.name for h in heads] == ["blended", "generated"]
    assert heads[0].center == pytest.approx(1.0, abs=0.2)
    assert heads[0].scale == pytest.approx(2.0, rel=0.1)
    assert heads[1].center == pytest.approx(-4.0, abs=0.2)
    assert heads[1].scale == pytest.approx(1.0, rel=0.1)


def test_a_single_head_keeps_its_scale() -> None:
    crops = pd.DataFrame({"label": ["real"] * 50, "logit": 1.0})
    assert scale_heads((HeadSpec(),), crops, crops[:0]) == (HeadSpec(),)
    few = crops.assign(logit_blended=0.0, logit_generated=0.0)
    assert scale_heads(HEADS, few, few[:0]) == HEADS, "no fakes to read a scale off"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    written = load_bundle(write_bundle(tmp_path / "begin", model="test_efficientnet", size=64))
    spec = written.spec.model_copy(update={"crop": CropConfig(size=64)})
    return save_bundle(tmp_path / "bundle", state_dict=written.state_dict(), spec=spec)


def test_stills_and_videos_are_calibrated_apart_on_the_half_that_chose_nothing(
    bundle: Path, tmp_path: Path, corpus_writer: Any, file_plan: Any
) -> None:
    assert load_bundle(bundle).spec.judgement["still"].likelihood_ratio_bounds is None
    stills = corpus_writer(tmp_path / "a", file_plan({"val": 120}), corpus="stills")
    videos = corpus_writer(
        tmp_path / "b", file_plan({"val": 120}, kind="video", num_crops=4), corpus="videos"
    )
    summary = calibrate_bundle(bundle, snapshots=[stills, videos], output=tmp_path / "out")
    spec = load_bundle(tmp_path / "out").spec
    assert spec.judgement["still"].calibration.fitted_on == "still"
    assert spec.judgement["video"].calibration.fitted_on == "video"
    index = pd.concat([stills.index(), videos.index()])
    groups = index["group"].fillna("media:" + index["media_id"])
    calibrates = ~halve_by_group(groups.tolist())
    for kind in PICTURE_KINDS:
        files = index.loc[calibrates & (index["kind"] == kind).to_numpy(), "uri"].nunique()
        assert spec.judgement_of(kind).calibration.num_samples == files
    assert spec.calibration_digests == {"stills": stills.digest, "videos": videos.digest}
    allowed = {
        kind: (own.thresholds.max_false_alarm, own.thresholds.max_miss)
        for kind, own in spec.judgement.items()
    }
    assert allowed == {"still": (0.05, 0.05), "video": (0.05, 0.1)}
    assert spec.judgement["video"].support.min_frames == 3
    assert spec.judgement["still"].support.min_frames == 1
    assert "val_choosing_video_auc_max_mean" in summary.metrics
    for kind, own in spec.judgement.items():
        alarms = [
            summary.metrics[f"val_calibration_{kind}_false_alarm_{n}_people"] for n in (1, 2, 3, 5)
        ]
        assert alarms[0] is not None and float(alarms[0]) <= own.thresholds.max_false_alarm
        assert all(0 <= float(share) <= 1 for share in alarms)
    assert not [note for note in spec.all_notes if note.startswith("Probabilities")]
    for kind, own in spec.judgement.items():
        bounds, fitted = own.likelihood_ratio_bounds, own.calibration.num_samples
        assert bounds is not None
        assert bounds.num_real + bounds.num_fake == fitted
        assert 1 / (bounds.num_fake + 1) < bounds.lower <= 1 <= bounds.upper < bounds.num_real + 1
        assert 0 < float(summary.metrics[f"val_calibration_{kind}_cllr"] or 0) < 1.5


def test_how_the_files_looked_is_kept_beside_the_bundle(
    bundle: Path, tmp_path: Path, corpus_writer: Any, file_plan: Any
) -> None:
    stills = corpus_writer(tmp_path / "a", file_plan({"val": 120, "train": 40}), corpus="stills")
    videos = corpus_writer(
        tmp_path / "b", file_plan({"val": 20}, kind="video", num_crops=4), corpus="videos"
    )
    assert load_reference(bundle) is None
    calibrate_bundle(bundle, snapshots=[stills, videos], output=tmp_path / "out")
    reference = load_reference(tmp_path / "out")
    assert reference is not None
    assert set(reference.features) == {Kind.IMAGE}, "40 videos are too few, 20 of each class"
    own = stills.index().query("split == 'val'").drop_duplicates("uri")
    # Faces and sharpness of these crops are all alike: there is no distribution to move.
    assert set(reference.features[Kind.IMAGE]) == {"logit"}
    histogram = reference.features[Kind.IMAGE]["logit"]
    assert {label: sum(n) for label, n in histogram.counts.items()} == (
        own["label"].value_counts().to_dict()
    )
    assert reference.data_digests == {"stills": stills.digest, "videos": videos.digest}


def test_fakes_of_unseen_kinds_lower_the_threshold_and_are_counted(
    bundle: Path, tmp_path: Path, corpus_writer: Any, file_plan: Any
) -> None:
    stills = corpus_writer(tmp_path / "a", file_plan({"val": 120}), corpus="stills")
    others = corpus_writer(tmp_path / "b", file_plan({"test": 100}), corpus="others")
    calibrate_bundle(bundle, snapshots=[stills], output=tmp_path / "plain")
    calibrate_bundle(
        bundle,
        snapshots=[stills],
        output=tmp_path / "out",
        unseen=[others],
        max_unseen_miss=0.1,
    )
    plain = load_bundle(tmp_path / "plain").spec
    spec = load_bundle(tmp_path / "out").spec
    before, own = plain.judgement["still"], spec.judgement["still"]
    assert before.unseen == ()
    assert own.calibration == before.calibration
    assert own.thresholds.fake_from == before.thresholds.fake_from
    assert own.thresholds.real_below <= before.thresholds.real_below
    assert own.thresholds.max_unseen_miss == 0.1
    (counted,) = own.unseen
    assert (counted.corpus, counted.digest) == ("others", others.digest)
    assert counted.num_fake == counted.num_real == 100
    assert counted.fakes_called_real <= 10
    assert any("fake stills of kinds that it did not learn" in n for n in spec.reading_notes)
    assert spec.judgement["video"].unseen == (), "no video was shown"


def test_crops_of_all_corpora_are_counted_on(
    bundle: Path, tmp_path: Path, corpus_writer: Any, file_plan: Any
) -> None:
    stills = corpus_writer(tmp_path / "a", file_plan({"val": 60}), corpus="stills")
    others = [
        corpus_writer(tmp_path / name, file_plan({"test": 20}), corpus=name) for name in ("b", "c")
    ]
    done: list[int] = []
    calibrate_bundle(
        bundle, snapshots=[stills], output=tmp_path / "o", unseen=others, on_done=done.append
    )
    assert done == sorted(done), "no corpus begins at nought again"
    assert done[-1] == sum(len(snapshot.index()) for snapshot in (stills, *others))


def test_a_corpus_that_was_learnt_from_says_nothing_of_unseen_kinds(
    bundle: Path, tmp_path: Path, corpus_writer: Any, file_plan: Any
) -> None:
    stills = corpus_writer(tmp_path / "a", file_plan({"val": 80}), corpus="stills")
    written = load_bundle(bundle)
    spec = written.spec.model_copy(update={"data_digests": {"stills": stills.digest}})
    save_bundle(bundle, state_dict=written.state_dict(), spec=spec, overwrite=True)
    with pytest.raises(DataError, match="learnt from stills"):
        calibrate_bundle(bundle, snapshots=[stills], output=tmp_path / "out", unseen=[stills])


def test_a_kind_without_files_stays_uncalibrated_and_says_so(
    bundle: Path, tmp_path: Path, corpus_writer: Any, file_plan: Any
) -> None:
    stills = corpus_writer(tmp_path / "a", file_plan({"val": 80}), corpus="stills")
    calibrate_bundle(bundle, snapshots=[stills], output=bundle)
    spec = load_bundle(bundle).spec
    assert spec.judgement["still"].calibration.is_fitted
    assert not spec.judgement["video"].calibration.is_fitted
    assert any("videos are not calibrated" in note for note in spec.all_notes)
    calibrate_bundle(bundle, snapshots=[stills], output=bundle)
    assert len(load_bundle(bundle).spec.all_notes) == len(spec.all_notes), (
        "a note is not said twice"
    )


def test_too_few_files_of_every_kind_are_refused_and_enough_of_one_are_taken(
    tmp_path: Path, corpus_writer: Any, file_plan: Any
) -> None:
    few = corpus_writer(tmp_path / "few", file_plan({"val": 34}), corpus="few")
    with pytest.raises(DataError, match=r"nothing can be calibrated.*20 of each are needed"):
        reject_too_few_files([few])
    none = corpus_writer(tmp_path / "none", file_plan({"train": 8}), corpus="none")
    with pytest.raises(DataError, match="0 real and 0 fake stills, 0 real and 0 fake videos"):
        reject_too_few_files([none])
    enough = corpus_writer(tmp_path / "enough", file_plan({"val": 120}), corpus="enough")
    reject_too_few_files([few, enough])


def test_calibrating_changes_answers_and_not_weights(
    bundle: Path, tmp_path: Path, corpus_writer: Any, file_plan: Any
) -> None:
    stills = corpus_writer(tmp_path / "a", file_plan({"val": 80}), corpus="stills")
    calibrate_bundle(bundle, snapshots=[stills], output=tmp_path / "out", prior=0.1)
    before, after = load_bundle(bundle), load_bundle(tmp_path / "out")
    assert before.spec.weights_sha256 == after.spec.weights_sha256
    assert before.digest != after.digest
    assert after.spec.prior == after.spec.judgement["still"].calibration.prior == 0.1


def test_error_rates_can_be_named(
    bundle: Path, tmp_path: Path, corpus_writer: Any, file_plan: Any
) -> None:
    stills = corpus_writer(tmp_path / "a", file_plan({"val": 120}), corpus="stills")
    bands = []
    for share in (0.0, 0.3):
        calibrate_bundle(
            bundle,
            snapshots=[stills],
            output=tmp_path / str(share),
            max_false_alarm=share,
            max_miss=share,
        )
        thresholds = load_bundle(tmp_path / str(share)).spec.judgement["still"].thresholds
        assert (thresholds.max_false_alarm, thresholds.max_miss) == (share, share)
        bands.append(thresholds.fake_from - thresholds.real_below)
    assert bands[0] > bands[1], "fewer errors allowed leave more undecided"


def _clips(num: int, *, better: str) -> pd.DataFrame:
    """Return clips in which one way of adding up tells more than the others."""
    rng = np.random.default_rng(1)
    rows = []
    for number in range(num):
        is_fake = number % 2 == 1
        for frame in range(8):
            shift = 1.0 if better == "mean" or frame == 0 else 0.0
            rows.append(
                {
                    "corpus": "c",
                    "uri": f"/{number}",
                    "kind": "video",
                    "method": "synthetic_labelled_fake" if is_fake else "synthetic_real",
                    "label": "fake" if is_fake else "real",
                    "track_id": 0,
                    "frame_index": frame,
                    "pts_seconds": frame / 8,
                    "logit": rng.normal(is_fake * shift * (1 if better == "mean" else 6), 1),
                }
            )
    return pd.DataFrame(rows)


def test_a_note_says_what_videos_calibrate_and_how_many_are_recordings() -> None:
    clips = _clips(80, better="mean").assign(face_px=100.0, sharpness=90.0, novelty=1.0, colour=0.5)
    fit = partial(fit_judgement, kind=Kind.VIDEO, aggregation=AggregationConfig(), prior=0.5)
    (note,) = fit(clips).settings.notes
    assert "out of stills: " in note
    recorded = clips["uri"].isin([f"/{number}" for number in range(30)])
    mixed = clips.assign(method=clips["method"].where(~recorded, "recorded_real"))
    settings = fit(mixed).settings
    assert "out of stills and on 30 clips of recordings" in settings.notes[0]
    assert settings.calibration.fitted_on == "synthetic and recorded video"


@pytest.mark.parametrize("better", ["mean", "max"])
def test_the_way_of_adding_up_that_tells_most_is_chosen(better: str) -> None:
    chosen, metrics = calibrating.choose_aggregation(
        _clips(200, better=better), current=AggregationConfig()
    )
    # A mean over all crops would average the one fake person away among the bystanders.
    assert chosen.video in ({"strongest_track", "any_track"} if better == "mean" else {"max"})
    assert metrics["val_choosing_aggregation"] == calibrating.aggregation_name(chosen)


def test_in_a_crowd_real_people_stand_beside_those_who_are_there() -> None:
    clips = _clips(40, better="mean")
    crowds = calibrating.add_bystanders(clips)
    assert crowds.groupby("uri")["track_id"].nunique().tolist() == [3] * 40
    assert crowds.drop_duplicates("uri")["label"].value_counts().to_dict() == {
        "real": 20,
        "fake": 20,
    }
    # Whoever is beside a fake is real: the mean over its other tracks is that of reals.
    others = crowds[(crowds["label"] == "fake") & (crowds["track_id"] > 0)]
    assert abs(others["logit"].mean()) < 0.2
    assert crowds[(crowds["label"] == "fake") & (crowds["track_id"] == 0)]["logit"].mean() > 0.8
