"""Training on lips and sound: runs, windows, the loss, and a whole small training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from deepfake.config import MouthAugmentConfig, SoundAugmentConfig, SyncTrainConfig
from deepfake.errors import ConfigError, DataError
from deepfake.evaluation.sync import evaluate_sync, sync_metrics, write_sync_evaluation
from deepfake.training.sync.augment import augment_mouths, augment_part, spoken_part
from deepfake.training.sync.draw_windows import draw_windows, spread_starts
from deepfake.training.sync.loss import contrastive_loss
from deepfake.training.sync.train import train_sync_detector
from tests.training_lips import write_sync_corpus
from tests.untrained_sync_detector import draw_run

PLAIN = SyncTrainConfig(
    mouths=MouthAugmentConfig(is_enabled=False),
    sound=SoundAugmentConfig(is_enabled=False, speed_p=0.0),
    speed=(1.0, 1.0),
)

_SHORT = {"epochs": 10, "runs_per_epoch": 160, "batch_size": 16, "learning_rate": 3e-3}


def test_a_part_has_just_the_sound_of_its_mouths() -> None:
    run = draw_run(np.random.default_rng(0), num_mouths=12, sound_span=(9_000, 15_000))
    part = spoken_part(run)
    assert part.samples.shape == (12 * 640,)
    np.testing.assert_array_equal(part.samples, run.samples[9_600 : 9_600 + 12 * 640])
    assert part.sound_span == (0, 5_400)


def test_what_is_not_changed_stays_as_it_is() -> None:
    part = spoken_part(draw_run(np.random.default_rng(0), num_mouths=12))
    changed = augment_part(part, config=PLAIN, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(changed.mouths, part.mouths)
    np.testing.assert_allclose(changed.samples, part.samples, atol=1e-6)


def test_pictures_and_sound_are_played_faster_together() -> None:
    part = spoken_part(draw_run(np.random.default_rng(0), num_mouths=50))
    samples = np.zeros_like(part.samples)
    samples[20 * 640] = 1.0
    mouths = part.mouths.copy()
    mouths[20] = 255
    config = PLAIN.model_copy(update={"speed": (1.25, 1.25)})
    changed = augment_part(
        replace(part, samples=samples, mouths=mouths), config=config, rng=np.random.default_rng(0)
    )
    assert len(changed.mouths) == 40
    assert int(changed.mouths.mean(axis=(1, 2)).argmax()) == 16
    assert int(np.abs(changed.samples).argmax()) == 16 * 640


def test_all_pictures_of_a_run_are_changed_alike() -> None:
    mouth = draw_run(np.random.default_rng(0), num_mouths=1).mouths
    config = MouthAugmentConfig(noise_p=0.0)
    rng = np.random.default_rng(3)
    changed = augment_mouths(np.repeat(mouth, 4, axis=0), config=config, rng=rng)
    assert (changed == changed[0]).all()
    assert np.abs(changed[0].astype(int) - mouth[0]).mean() > 3


def test_windows_keep_their_distance_and_their_sound() -> None:
    part = spoken_part(draw_run(np.random.default_rng(0), num_mouths=40))
    starts = spread_starts(36, num=8, min_gap=3, rng=np.random.default_rng(0))
    assert np.diff(starts).min() >= 3
    assert 0 <= starts.min() <= starts.max() < 36
    mouths, sounds = draw_windows(part, num=8, min_gap=3)
    assert mouths.shape == (8, 5, 64, 64)
    assert sounds.shape == (8, 1, 40, 20)
    with pytest.raises(ValueError, match="do not fit"):
        spread_starts(20, num=8, min_gap=3, rng=None)


def test_the_loss_is_low_where_each_window_finds_its_own_sound() -> None:
    own = torch.nn.functional.normalize(torch.eye(12).reshape(3, 4, 12), dim=-1)
    settings = {"temperature": 0.07, "inner_weight": 0.5}
    assert float(contrastive_loss(own, own, **settings)) < 1e-4
    moved = contrastive_loss(own, own.roll(1, dims=1), **settings)
    foreign = contrastive_loss(own, own.roll(1, dims=0), temperature=0.07, inner_weight=0.0)
    assert min(float(moved), float(foreign)) > 10
    alike = torch.ones(3, 4, 12) / 12**0.5
    expected = 0.5 * np.log(4) + 0.5 * np.log(12)
    assert float(contrastive_loss(alike, alike, **settings)) == pytest.approx(expected, abs=1e-4)


def test_sound_cannot_be_sped_up_alone() -> None:
    with pytest.raises(ValueError, match="speed_p must be 0"):
        SyncTrainConfig(sound=SoundAugmentConfig(speed_p=0.1))


def test_a_corpus_without_reals_is_rejected(tmp_path: Path) -> None:
    snapshot = write_sync_corpus(tmp_path, {("train", "fake"): 3})
    with pytest.raises(DataError, match="real runs in the split `train`"):
        train_sync_detector(snapshots=[snapshot], config=PLAIN, run_dir=tmp_path / "r", name="n")


@pytest.mark.slow
def test_a_training_learns_which_lips_go_with_which_sound(tmp_path: Path) -> None:
    counts = {
        ("train", "real"): 40,
        ("val", "real"): 24,
        ("test", "real"): 12,
        ("test", "fake"): 12,
    }
    snapshot = write_sync_corpus(tmp_path, counts)
    config = PLAIN.model_copy(update={**_SHORT, "weight_average": 0.0})
    run_dir = tmp_path / "run"
    common = {"snapshots": [snapshot], "run_dir": run_dir, "name": "tried", "device": "cpu"}
    result = train_sync_detector(config=config, num_workers=0, show_progress=False, **common)
    assert result.num_epochs == 10
    assert float(result.metrics["val_auc"] or 0) > 0.8
    found = evaluate_sync(snapshot, result.bundle)
    assert (found.n_real, found.n_fake, found.n_without_score) == (12, 12, 0)
    assert (found.shifts["10"].auc or 0) > 0.9
    assert (found.foreign["any"].auc or 0) > 0.8
    assert (found.labelled.auc or 0) > 0.8
    page = write_sync_evaluation(found, tmp_path / "evaluation", notes=["A note."])
    assert "sound moved by 80 ms" in page
    assert sync_metrics(found)["sync_n_fake"] == 12
    with pytest.raises(ConfigError, match="exists already"):
        train_sync_detector(config=config, show_progress=False, **common)
