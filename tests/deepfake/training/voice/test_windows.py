"""Batches are balanced, alike for any seed of workers, and copies are of their own reals."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from deepfake.config import VoiceTrainConfig
from deepfake.errors import ConfigError, ShardError, SplitLeakageError
from deepfake.training.data import collect_crops
from deepfake.training.voice.window_selection import select_windows
from deepfake.training.voice.windows import (
    WindowDataset,
    WindowDraw,
    WindowSampler,
    evaluation_windows,
    training_windows,
)
from tests.synthetic_corpus import plain_files, write_corpus
from tests.voice_corpus import VoiceFile, voice_files, write_voice_corpus

_CONFIG = VoiceTrainConfig(
    windows_per_epoch=160, batch_size=16, copy_share=0.25, crop_seconds=(0.5, 1.0)
)


@pytest.fixture(scope="module")
def windows(tmp_path_factory: pytest.TempPathFactory) -> object:
    """Two corpora of reals, one four times the other, and two methods, one rare."""
    folder = tmp_path_factory.mktemp("corpora")
    large = [VoiceFile(f"r{n}", "real", "train", num_windows=2) for n in range(16)]
    small = [VoiceFile(f"r{n}", "real", "train") for n in range(4)]
    often = [VoiceFile(f"f{n}", "fake", "train", method="often") for n in range(12)]
    rare = [VoiceFile("f", "fake", "train", method="rare")]
    snapshots = [
        write_voice_corpus(folder, [*large, *often], corpus="large"),
        write_voice_corpus(folder, [*small, *rare], corpus="small"),
    ]
    return collect_crops(snapshots)


def test_an_epoch_is_balanced(windows: object) -> None:
    batches = list(WindowSampler(windows, config=_CONFIG))
    draws = [draw for batch in batches for draw in batch]
    assert len(batches) == 10
    assert {len(batch) for batch in batches} == {16}
    label, corpus, method = (windows[name].tolist() for name in ("label", "corpus", "method"))
    copies = [draw for draw in draws if draw.copy_kind]
    reals = [draw for draw in draws if not draw.copy_kind and label[draw.row] == "real"]
    fakes = [draw for draw in draws if not draw.copy_kind and label[draw.row] == "fake"]
    assert (len(reals), len(fakes), len(copies)) == (80, 60, 20)
    assert set(Counter(corpus[draw.row] for draw in reals).values()) == {40}
    assert set(Counter(method[draw.row] for draw in fakes).values()) == {30}
    for batch in batches:
        assert len({draw.num_samples for draw in batch}) == 1
        own = {(draw.row, draw.seed) for draw in batch if not draw.copy_kind}
        assert {(draw.row, draw.seed) for draw in batch if draw.copy_kind} <= own


def test_epochs_differ_and_repeat_by_their_number(windows: object) -> None:
    sampler = WindowSampler(windows, config=_CONFIG)
    first = list(sampler)
    sampler.set_epoch(1)
    second = list(sampler)
    sampler.set_epoch(0)
    assert list(sampler) == first
    assert second != first


def test_a_batch_has_one_length_and_labels_copies_fake(windows: object) -> None:
    samples, labels, rows = next(iter(training_windows(windows, config=_CONFIG)))
    assert samples.shape[0] == labels.shape[0] == rows.shape[0] == 16
    assert 8000 <= samples.shape[1] <= 16_000
    assert labels.sum() == 8


def test_a_copy_is_of_the_part_that_its_real_shows(windows: object) -> None:
    dataset = WindowDataset(windows)
    real = dataset.shown_window(WindowDraw(3, seed=7, num_samples=8000))
    copy = dataset.shown_window(WindowDraw(3, seed=7, num_samples=8000, copy_kind="griffin_lim"))
    level = [float(np.square(sound).mean()) for sound in (real, copy)]
    assert level[1] == pytest.approx(level[0], rel=0.05)
    spectra = [np.abs(np.fft.rfft(sound)) for sound in (real, copy)]
    assert np.corrcoef(*spectra)[0, 1] > 0.5, "the same pitch"
    assert not np.allclose(real, copy, atol=1e-3)


def test_evaluation_hears_whole_windows_in_order(windows: object) -> None:
    dataset = WindowDataset(windows)
    parts = list(evaluation_windows(windows, batch_size=10))
    rows = [int(row) for _, _, own in parts for row in own]
    assert rows == list(range(len(windows)))
    np.testing.assert_array_equal(parts[0][0][4].numpy(), dataset.stored_window(4))


def test_a_group_in_two_splits_is_refused(tmp_path: Path) -> None:
    files = [
        *voice_files({"train": 2}),
        VoiceFile("a", "real", "train", group="speaker"),
        VoiceFile("b", "real", "val", group="speaker"),
    ]
    with pytest.raises(SplitLeakageError, match="speaker"):
        select_windows([write_voice_corpus(tmp_path, files)])


def test_faces_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ShardError, match="ingested for faces, not for voice"):
        select_windows([write_corpus(tmp_path, plain_files({"train": 2}))])


def test_val_is_halved_by_group(tmp_path: Path) -> None:
    snapshot = write_voice_corpus(tmp_path, voice_files({"train": 2, "val": 20}, num_windows=2))
    selection = select_windows([snapshot])
    assert len(selection.train) == 8
    assert len(selection.choose) + len(selection.calibrate) == 80
    assert not set(selection.choose["split_group"]) & set(selection.calibrate["split_group"])
    with pytest.raises(ConfigError, match="named twice"):
        select_windows([snapshot, snapshot])
