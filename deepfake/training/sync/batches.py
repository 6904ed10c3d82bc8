"""Batches of windows of mouths and of their sound.

A run carries its own seed, so that an epoch is the same for any number of worker processes.
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

from deepfake.config import SyncTrainConfig
from deepfake.media.run_codec import decode_run
from deepfake.training.data import file_codes
from deepfake.training.data.balance import draw_rows, pool_by_file
from deepfake.training.data.crops import readers_of, worker_options
from deepfake.training.sync.augment import augment_part, spoken_part
from deepfake.training.sync.draw_windows import draw_windows
from deepfake.types import MouthRun

__all__ = ["RunDataset", "RunDraw", "RunSampler", "SyncBatch", "evaluation_runs", "training_runs"]

SyncBatch: TypeAlias = tuple[Tensor, Tensor]
"""Windows of mouths (B, K, 5, S, S), and of the sound of the same moments (B, K, 1, M, F)."""


@dataclass(frozen=True, slots=True)
class RunDraw:
    """A run that is to be shown.

    Attributes:
        row: Of the table.
        seed: Of its windows and of its augmentation; None for evenly spread ones as they are.
    """

    row: int
    seed: int | None = None


class RunDataset(Dataset[SyncBatch]):
    """Runs of a table, decoded on access, a batch at a time.

    Args:
        runs: Rows of `collect_crops`, of snapshots of runs.
        config: How many windows are drawn, and how runs are changed.
    """

    def __init__(self, runs: pd.DataFrame, *, config: SyncTrainConfig) -> None:
        self._config = config
        self._records = runs.to_dict("records")
        self._readers = readers_of(runs)

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, draws: Sequence[RunDraw]) -> SyncBatch:
        """Return a batch."""
        mouths, sounds = zip(*(self._windows(draw) for draw in draws), strict=True)
        return torch.from_numpy(np.stack(mouths)), torch.from_numpy(np.stack(sounds))

    def stored_run(self, row: int) -> MouthRun:
        """Return a row's run as it is stored."""
        record = self._records[row]
        reader = self._readers[str(record["corpus_dir"])]
        encoded = reader.encoded(str(record["shard"]), int(record["row"]))
        return decode_run(encoded, record={str(k): v for k, v in record.items()})

    def _windows(self, draw: RunDraw) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        part, config = spoken_part(self.stored_run(draw.row)), self._config
        rng = None if draw.seed is None else np.random.default_rng(draw.seed)
        if rng is not None:
            part = augment_part(part, config=config, rng=rng)
        return draw_windows(
            part, num=config.windows_per_run, min_gap=config.min_gap_frames, rng=rng
        )


class RunSampler(Sampler[tuple[RunDraw, ...]]):
    """Draws batches; corpora are equally frequent, files take turns, and so do the runs of a file.

    Args:
        runs: Rows of `collect_crops`.
        config: Runs of an epoch and of a batch, the seed.
    """

    def __init__(self, runs: pd.DataFrame, *, config: SyncTrainConfig) -> None:
        files, corpora = file_codes(runs), runs["corpus"].astype(str)
        self._pools = [
            pool_by_file(files, (corpora == one).to_numpy()) for one in sorted(set(corpora))
        ]
        self._config = config
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Name the epoch that is drawn next; Lightning calls it."""
        self._epoch = epoch

    def __len__(self) -> int:
        return max(1, self._config.runs_per_epoch // self._config.batch_size)

    def __iter__(self) -> Iterator[tuple[RunDraw, ...]]:
        rng = np.random.default_rng([self._config.seed, self._epoch])
        size = self._config.batch_size
        num = len(self) * size
        share = -(-num // len(self._pools))
        drawn = np.concatenate([draw_rows(pool, share, rng=rng) for pool in self._pools])
        rows = rng.permutation(drawn)[:num]
        seeds = rng.integers(2**31, size=num)
        draws = [RunDraw(int(row), int(seed)) for row, seed in zip(rows, seeds, strict=True)]
        yield from (tuple(draws[at : at + size]) for at in range(0, num, size))


def training_runs(
    runs: pd.DataFrame, *, config: SyncTrainConfig, num_workers: int = 0, pin_memory: bool = False
) -> DataLoader[SyncBatch]:
    """Return augmented batches, a new draw each epoch.

    Args:
        runs: Real rows of `collect_crops`.
        config: What is drawn, and how it is changed.
        num_workers: Processes that decode and augment; 0 for this one.
        pin_memory: Whether batches go to a CUDA device.
    """
    return DataLoader(
        RunDataset(runs, config=config),
        batch_size=None,  # the sampler draws whole batches
        sampler=RunSampler(runs, config=config),
        **worker_options(num_workers, pin_memory=pin_memory),
    )


def evaluation_runs(
    runs: pd.DataFrame, *, config: SyncTrainConfig, num_workers: int = 0, pin_memory: bool = False
) -> DataLoader[SyncBatch]:
    """Return batches of all runs in order, as they are.

    Args:
        runs: Real rows of `collect_crops`.
        config: How many windows a run shows.
        num_workers: Processes that decode; 0 for this one.
        pin_memory: Whether batches go to a CUDA device.
    """
    draws, size = [RunDraw(row) for row in range(len(runs))], config.batch_size
    batches = [tuple(draws[at : at + size]) for at in range(0, len(draws), size)]
    return DataLoader(
        RunDataset(runs, config=config),
        batch_size=None,
        sampler=batches,
        **worker_options(num_workers, pin_memory=pin_memory),
    )
