"""Thresholds keep their promise on the reals of each corpus, not on all of them together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from deepfake.errors import ConfigError, DataError
from deepfake.training.voice.calibrate import fit_voice_judgement, reject_too_few_voices
from deepfake.types import Verdict
from deepfake.verdicts.calibration import Thresholds, raise_for_corpora
from deepfake.verdicts.voice import VoiceScore
from tests.voice_corpus import voice_files, write_voice_corpus


def _files(seed: int = 0) -> tuple[pd.DataFrame, list[VoiceScore]]:
    """Return many reals of a quiet corpus, and few of one whose reals look half fake."""
    rng = np.random.default_rng(seed)
    parts = [
        ("large", "real", rng.normal(-3, 1, 900)),
        ("small", "real", rng.normal(0, 1, 60)),
        ("large", "fake", rng.normal(3, 1, 400)),
    ]
    files = pd.DataFrame(
        [(corpus, label) for corpus, label, logits in parts for _ in logits],
        columns=["corpus", "label"],
    )
    logits = np.concatenate([own for _, _, own in parts])
    scores = [
        VoiceScore(float(logit), 1, 0.0, 4.0, novelty=float(rng.uniform(0.5, 2)), bandwidth_hz=None)
        for logit in logits
    ]
    return files, scores


def test_few_reals_of_each_corpus_are_called_fake() -> None:
    files, scores = _files()
    judgement, metrics = fit_voice_judgement(files, scores)
    is_fake = np.array([judgement.judge(score)[0] is Verdict.FAKE for score in scores])
    is_real = (files["label"] == "real").to_numpy()
    for corpus in ("large", "small"):
        own = is_real & (files["corpus"] == corpus).to_numpy()
        assert is_fake[own].mean() <= 0.05
    assert is_fake[~is_real].mean() > 0.8
    # All together: most of the small corpus might be called fake.
    alone, _ = fit_voice_judgement(files.assign(corpus="one"), scores)
    assert alone.thresholds.fake_from < judgement.thresholds.fake_from
    assert judgement.support.num_samples == len(scores)
    assert judgement.support.min_bandwidth_hz is None
    assert metrics["val_calibration_voice_n"] == len(scores)
    eer = metrics["val_calibration_voice_eer"]
    assert isinstance(eer, float)
    assert eer < 0.1


def test_what_is_far_from_the_calibration_is_uncertain() -> None:
    files, scores = _files()
    judgement, _ = fit_voice_judgement(files, scores)
    strange = VoiceScore(9.0, 1, 0.0, 4.0, novelty=5.0)
    assert judgement.judge(strange)[0] is Verdict.UNCERTAIN
    assert judgement.judge(VoiceScore(9.0, 1, 0.0, 4.0, novelty=1.0))[0] is Verdict.FAKE


def test_too_few_files_leave_it_uncalibrated() -> None:
    files, scores = _files()
    judgement, metrics = fit_voice_judgement(files.iloc[950:970], scores[950:970], prior=0.2)
    assert not judgement.calibration.is_fitted
    assert judgement.calibration.prior == 0.2
    assert metrics == {}
    assert "10 real and 10 fake ones" in judgement.notes[0]


def test_a_threshold_is_raised_and_never_lowered() -> None:
    base = Thresholds(real_below=0.2, fake_from=0.6)
    reals = np.linspace(0.0, 0.99, 100)
    raised = raise_for_corpora(base, [reals, [0.1], []], max_false_alarm=0.05)
    assert (reals >= raised.fake_from).sum() == 5
    assert raise_for_corpora(base, [[0.1]], max_false_alarm=0.05) == base
    with pytest.raises(ConfigError, match="a share lies in"):
        raise_for_corpora(base, [reals], max_false_alarm=1.0)


def test_corpora_are_counted_together_before_anything_is_computed(tmp_path: Path) -> None:
    few, more = (
        write_voice_corpus(tmp_path, voice_files({"val": count}), corpus=name)
        for name, count in (("few", 10), ("more", 54))
    )
    with pytest.raises(DataError, match=r"real and \d+ fake voices; 20 of each are needed"):
        reject_too_few_voices([few])
    reject_too_few_voices([few, more])
