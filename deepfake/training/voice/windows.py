"""Batches of windows of speech, for training and for evaluation.

A window carries its own seed, so that an epoch is the same for any number of worker processes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from deepfake.config import SoundAugmentConfig, VoiceTrainConfig
from deepfake.media.sound import SAMPLE_RATE, Samples
from deepfake.media.sound_codec import decode_sound
from deepfake.training.data import file_codes, labels_of
from deepfake.training.data.balance import draw_rows, pool_by_file
from deepfake.training.data.crops import readers_of, worker_options
from deepfake.training.voice.augment import augment_sound
from deepfake.training.voice.copy_synthesis import synthesise_copy

__all__ = [
    "WindowBatch",
    "WindowDataset",
    "WindowDraw",
    "WindowSampler",
    "evaluation_windows",
    "training_windows",
]

WindowBatch: TypeAlias = tuple[Tensor, Tensor, Tensor]
"""Samples (N, T) float32; labels (N,), 1 fake and 0 real; rows of the dataset's table (N,)."""


@dataclass(frozen=True, slots=True)
class WindowDraw:
    """A window that is to be shown.

    Attributes:
        row: Of the table.
        seed: Of the part that is shown, and of its augmentation.
        num_samples: Of the part; None for the whole window.
        copy_kind: How a copy is synthesised that is shown in its place; None for the window itself.
    """

    row: int
    seed: int = 0
    num_samples: int | None = None
    copy_kind: str | None = None


class WindowDataset(Dataset[WindowBatch]):
    """Windows of a table, decoded on access, a batch at a time.

    Args:
        windows: Rows of `collect_crops`.
        augment: Training augmentations; None for what scoring hears.
    """

    def __init__(self, windows: pd.DataFrame, *, augment: SoundAugmentConfig | None = None) -> None:
        self.labels = labels_of(windows)
        self._augment = augment if augment is not None and augment.is_enabled else None
        self._shards = windows["shard"].astype(str).tolist()
        self._rows = windows["row"].to_numpy(dtype=np.int64)
        self._folders = windows["corpus_dir"].astype(str).tolist()
        self._readers = readers_of(windows)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, draws: Sequence[WindowDraw]) -> WindowBatch:
        """Return a batch, its windows all of one length."""
        samples = np.stack([self.shown_window(draw) for draw in draws])  # (N, T)
        labels = [1.0 if draw.copy_kind else float(self.labels[draw.row]) for draw in draws]
        rows = [draw.row for draw in draws]
        return torch.from_numpy(samples), torch.tensor(labels), torch.tensor(rows)

    def stored_window(self, row: int) -> Samples:
        """Return a row's window as it is stored, shape (T,)."""
        encoded = self._readers[self._folders[row]].encoded(self._shards[row], int(self._rows[row]))
        return decode_sound(encoded)

    def shown_window(self, draw: WindowDraw) -> Samples:
        """Return a window as the network is shown it.

        A window and its copy that are drawn with one seed show the same part, changed alike.
        """
        window, rng = self.stored_window(draw.row), np.random.default_rng(draw.seed)
        if draw.num_samples is not None and draw.num_samples < len(window):
            begin = int(rng.integers(0, len(window) - draw.num_samples + 1))
            window = window[begin : begin + draw.num_samples]
        if draw.copy_kind is not None:
            own = np.random.default_rng([draw.seed, 1])
            window = synthesise_copy(window, kind=draw.copy_kind, rng=own)
        if self._augment is None:
            return window
        return augment_sound(window, config=self._augment, rng=rng)


class WindowSampler(Sampler[tuple[WindowDraw, ...]]):
    """Draws batches of which half is real.

    Over an epoch the corpora of reals are equally frequent, and so are the methods of labelled
    fakes; files take turns, and so do the windows of a file. The other fakes are copies of reals of
    the same batch.

    Args:
        windows: Labelled rows of `collect_crops`.
        config: Windows of an epoch and of a batch, their lengths, the share of copies, the seed.
    """

    def __init__(self, windows: pd.DataFrame, *, config: VoiceTrainConfig) -> None:
        is_fake, files = labels_of(windows) == 1.0, file_codes(windows)
        corpora = windows["corpus"].astype(str)
        methods = corpora + "/" + windows["method"].astype("object").fillna("unknown").astype(str)
        self._reals = _pools(corpora, files=files, is_wanted=~is_fake)
        self._fakes = _pools(methods, files=files, is_wanted=is_fake)
        self._config = config
        self._half = config.batch_size // 2
        self._kinds = config.copy_kinds
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Name the epoch that is drawn next; Lightning calls it."""
        self._epoch = epoch

    def __len__(self) -> int:
        return max(1, self._config.windows_per_epoch // (2 * self._half))

    def __iter__(self) -> Iterator[tuple[WindowDraw, ...]]:
        rng = np.random.default_rng([self._config.seed, self._epoch])
        num = len(self) * self._half
        is_copy = rng.permutation(np.arange(num) < round(self._config.copy_share * num))
        reals = _draw_evenly(self._reals, num, rng=rng)
        fakes = iter(_draw_evenly(self._fakes, int((~is_copy).sum()), rng=rng).tolist())
        low, high = (round(s * SAMPLE_RATE) for s in self._config.crop_seconds)
        for at in range(0, num, self._half):
            length = int(rng.integers(low, high + 1))
            own = [
                WindowDraw(int(row), int(rng.integers(2**31)), length)
                for row in reals[at : at + self._half]
            ]
            copied = iter(rng.permutation(self._half).tolist())
            others = [
                self._copy(own[next(copied)], rng=rng)
                if is_one
                else WindowDraw(next(fakes), int(rng.integers(2**31)), length)
                for is_one in is_copy[at : at + self._half]
            ]
            yield (*own, *others)

    def _copy(self, real: WindowDraw, *, rng: np.random.Generator) -> WindowDraw:
        kind = self._kinds[int(rng.integers(len(self._kinds)))]
        return WindowDraw(real.row, real.seed, real.num_samples, kind)


def _pools(
    names: pd.Series[str], *, files: NDArray[np.int64], is_wanted: NDArray[np.bool_]
) -> list[list[NDArray[np.int64]]]:
    """Return the wanted rows by name, and within each by file."""
    found = [
        pool_by_file(files, is_wanted & (names == one).to_numpy()) for one in sorted(set(names))
    ]
    return [pool for pool in found if pool]


def _draw_evenly(
    pools: Sequence[Sequence[NDArray[np.int64]]], count: int, *, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return `count` rows in random order, as many of each pool as of any other."""
    if not count:
        return np.empty(0, dtype=np.int64)
    per_pool = -(-count // len(pools))
    rows = np.concatenate([draw_rows(pool, per_pool, rng=rng) for pool in pools])
    return rng.permutation(rows)[:count]


def training_windows(
    windows: pd.DataFrame,
    *,
    config: VoiceTrainConfig,
    num_workers: int = 0,
    pin_memory: bool = False,
) -> DataLoader[WindowBatch]:
    """Return balanced, augmented batches of labelled windows, a new draw each epoch.

    Args:
        windows: Labelled rows of `collect_crops`.
        config: What is drawn, and how it is changed.
        num_workers: Processes that decode and augment; 0 for this one.
        pin_memory: Whether batches go to a CUDA device.
    """
    return DataLoader(
        WindowDataset(windows, augment=config.augment),
        batch_size=None,  # the sampler draws whole batches, whose windows have one length
        sampler=WindowSampler(windows, config=config),
        **worker_options(num_workers, pin_memory=pin_memory),
    )


def evaluation_windows(
    windows: pd.DataFrame,
    *,
    batch_size: int = 32,
    num_workers: int = 0,
    pin_memory: bool = False,
) -> DataLoader[WindowBatch]:
    """Return batches of all windows in order, as scoring hears them.

    Args:
        windows: Rows of `collect_crops`.
        batch_size: Windows a batch.
        num_workers: Processes that decode; 0 for this one.
        pin_memory: Whether batches go to a CUDA device.
    """
    draws = [WindowDraw(row) for row in range(len(windows))]
    batches = [tuple(draws[at : at + batch_size]) for at in range(0, len(draws), batch_size)]
    return DataLoader(
        WindowDataset(windows),
        batch_size=None,
        sampler=batches,
        **worker_options(num_workers, pin_memory=pin_memory),
    )
