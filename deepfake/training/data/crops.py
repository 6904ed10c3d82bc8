"""Datasets and loaders of single crops, for training and for evaluation.

A sample carries its own seed, so that an epoch is the same for any number of worker processes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from deepfake.compute.processes.spawning import SPAWN
from deepfake.config import AugmentConfig, CropConfig
from deepfake.corpora.shards import CropReader, Snapshot
from deepfake.detectors.inference import to_input
from deepfake.errors import DataError
from deepfake.extract.faces import Square, landmarks_in_square, place_square
from deepfake.media import decode_crop
from deepfake.storage import location_of
from deepfake.training.data.augment import cover_feature, create_augmentation
from deepfake.training.data.balance import (
    BalancedSampler,
    balanced_weights,
    effective_sizes,
    matched_sizes,
    reduce_resolution,
)
from deepfake.training.data.self_blend import are_usable_landmarks
from deepfake.types import Face, Label

__all__ = [
    "CropDataset",
    "InputSpec",
    "collect_crops",
    "evaluation_loader",
    "file_codes",
    "labels_of",
    "landmarks_of",
    "sides_of",
    "training_dataset",
    "training_loader",
    "worker_options",
]

Sample = tuple[Tensor, float, int]
"""Input (3, S, S) float32; 1.0 fake, 0.0 real, NaN unknown; row of the dataset's table."""


@dataclass(frozen=True, slots=True)
class InputSpec:
    """What a network's input looks like.

    Attributes:
        input_size: Side, pixels.
        mean: Per channel, RGB, of a pixel scale of 0 to 1.
        std: Per channel, RGB, of a pixel scale of 0 to 1.
    """

    input_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


def collect_crops(snapshots: Sequence[Snapshot]) -> pd.DataFrame:
    """Return the crops of several snapshots in one table.

    Args:
        snapshots: At least one.

    Returns:
        The index's columns and `corpus_dir`, the folder that `shard` is to be looked for in.

    Raises:
        DataError: No snapshot, or no crop in any.
    """
    frames = [s.index().assign(corpus_dir=str(s.corpus_dir)) for s in snapshots]
    filled = [frame for frame in frames if len(frame)]
    if not filled:
        raise DataError(f"no crop in the snapshots {[s.corpus for s in snapshots]}")
    return pd.concat(filled, ignore_index=True)


def labels_of(crops: pd.DataFrame) -> NDArray[np.float64]:
    """Return 1 for fake, 0 for real, NaN for unknown, a value a row."""
    codes = {str(Label.FAKE): 1.0, str(Label.REAL): 0.0}
    return np.array([codes.get(str(label), np.nan) for label in crops["label"]], dtype=np.float64)


def file_codes(crops: pd.DataFrame) -> NDArray[np.int64]:
    """Return which file each crop is of, numbered from 0 in the order of first appearance.

    A file is its corpus and its uri; folder and base names say nothing.
    """
    keys = pd.MultiIndex.from_frame(crops[["corpus", "uri"]].astype(str))
    codes, _ = pd.factorize(keys)
    return np.asarray(codes, dtype=np.int64)


def landmarks_of(crops: pd.DataFrame, *, crop: CropConfig) -> NDArray[np.float64]:
    """Return landmarks in the pixels of the stored crops, shape (N, 5, 2)."""
    points = np.empty((len(crops), 5, 2))
    for slot, (face, square) in zip(points, _squares_of(crops, crop=crop), strict=True):
        slot[...] = landmarks_in_square(face, square, size=crop.size)
    return points


def sides_of(crops: pd.DataFrame, *, crop: CropConfig) -> NDArray[np.int64]:
    """Return the side of the square that each crop was cut as, pixels of its frame, shape (N,)."""
    return np.array([s.side for _, s in _squares_of(crops, crop=crop)], dtype=np.int64)


def _squares_of(crops: pd.DataFrame, *, crop: CropConfig) -> Iterator[tuple[Face, Square]]:
    columns = ("bbox_xyxy", "landmarks", "frame_width", "frame_height")
    for box, flat, width, height in zip(*(crops[name] for name in columns), strict=True):
        left, top, right, bottom = (float(v) for v in box)
        pairs = tuple((float(x), float(y)) for x, y in np.asarray(flat).reshape(5, 2))
        face = Face((left, top, right, bottom), pairs, 1.0)
        yield face, place_square(face, width=int(width), height=int(height), config=crop)


class CropDataset(Dataset[Sample]):
    """The crops of a table, decoded on access.

    Args:
        crops: Rows of `collect_crops`.
        spec: The network's input.
        augment: Training augmentations; None for the plain input that scoring sees.
        target_px: Size that each row's face is reduced to, shape (N,); None to leave all as are.
        crop: How the crops were stored; needed with `target_px`.
    """

    def __init__(
        self,
        crops: pd.DataFrame,
        *,
        spec: InputSpec,
        augment: AugmentConfig | None = None,
        target_px: NDArray[np.float64] | None = None,
        crop: CropConfig | None = None,
    ) -> None:
        if target_px is not None and crop is None:
            raise DataError("reducing the resolution needs the settings of the crops")
        self.spec = spec
        self.labels = labels_of(crops)
        self.files = file_codes(crops)
        self._shards = crops["shard"].astype(str).tolist()
        self._rows = crops["row"].to_numpy(dtype=np.int64)
        self._folders = crops["corpus_dir"].astype(str).tolist()
        self._readers = _readers_of(crops)
        self._target_px, self._margin = target_px, crop.margin if crop else 1.0
        self._face_px = effective_sizes(crops["face_px"], crop=crop) if crop else None
        self._erase_p = augment.erase_p if augment is not None and crop is not None else 0.0
        if self._erase_p and crop is not None:
            self._landmarks = landmarks_of(crops, crop=crop)
            self._is_face = [are_usable_landmarks(p, size=crop.size) for p in self._landmarks]
        self._augment = (
            create_augmentation(augment, input_size=spec.input_size)
            if augment is not None and augment.is_enabled
            else None
        )

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, item: int | tuple[int, int]) -> Sample:
        """Return one sample.

        Args:
            item: A row, or a row and the seed of its augmentation.
        """
        row, seed = item if isinstance(item, tuple) else (item, 0)
        tensor = self.input_of(
            self.matched_pixels(row), seed=seed, landmarks=self.landmarks_of(row)
        )
        return tensor, float(self.labels[row]), int(row)

    def landmarks_of(self, row: int) -> NDArray[np.float64] | None:
        """Return a row's landmarks in the pixels of its crop, (5, 2).

        None where they are not those of a face, and where no feature is ever covered.
        """
        return self._landmarks[row] if self._erase_p and self._is_face[row] else None

    def pixels(self, row: int) -> NDArray[np.uint8]:
        """Return a row's crop as it is stored, shape (S, S, 3), uint8."""
        encoded = self._readers[self._folders[row]].encoded(self._shards[row], int(self._rows[row]))
        return decode_crop(encoded)

    def matched_pixels(self, row: int) -> NDArray[np.uint8]:
        """Return a row's crop with no more detail than its target size allows."""
        pixels = self.pixels(row)
        if self._target_px is None or self._face_px is None:
            return pixels
        return reduce_resolution(
            pixels,
            target_px=float(self._target_px[row]),
            face_px=float(self._face_px[row]),
            margin=self._margin,
        )

    def input_of(
        self, pixels: NDArray[np.uint8], *, seed: int, landmarks: NDArray[np.float64] | None = None
    ) -> Tensor:
        """Return a crop as the network takes it, (3, S, S), augmented as the seed says.

        Crops of one size and one seed are augmented alike.

        Args:
            pixels: Shape (S, S, 3), uint8.
            seed: Of all that is random.
            landmarks: In its pixels, shape (5, 2); None where nothing is to be covered.
        """
        if self._augment is not None:
            if landmarks is not None:
                rng = np.random.default_rng([seed, 1])
                if rng.random() < self._erase_p:
                    pixels = cover_feature(pixels, landmarks, rng=rng)
            pixels = self._augmented(pixels, seed=seed)
        spec = self.spec
        batch = to_input([pixels], input_size=spec.input_size, mean=spec.mean, std=spec.std)
        return batch[0]

    def _augmented(self, pixels: NDArray[np.uint8], *, seed: int) -> NDArray[np.uint8]:
        assert self._augment is not None
        tensor = torch.from_numpy(pixels).permute(2, 0, 1)  # (H, W, 3) -> (3, H, W)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            changed = self._augment(tensor)
        back = changed.permute(1, 2, 0).contiguous()  # (3, H, W) -> (H, W, 3)
        return np.asarray(back.numpy(), dtype=np.uint8)


def _readers_of(crops: pd.DataFrame) -> dict[str, CropReader]:
    return {
        str(folder): CropReader(
            location_of(str(folder)), dict(zip(own["shard"], own["shard_sha256"], strict=True))
        )
        for folder, own in crops.groupby("corpus_dir")
    }


def training_loader(
    crops: pd.DataFrame,
    *,
    spec: InputSpec,
    augment: AugmentConfig,
    crop: CropConfig,
    batch_size: int,
    frames_per_video: int,
    max_crops: int | None = None,
    seed: int = 0,
    num_workers: int = 0,
    pin_memory: bool = False,
) -> DataLoader[Sample]:
    """Return balanced, augmented batches of labelled crops, a new draw each epoch.

    Args:
        crops: Labelled rows of `collect_crops`.
        spec: The network's input.
        augment: Augmentations; `match_resolution` brings both classes to one distribution of
            effective face size first.
        crop: How the crops were stored.
        batch_size: Crops a batch.
        frames_per_video: See `BalancedSampler`.
        max_crops: The longest an epoch may be.
        seed: Of the draws and the augmentations.
        num_workers: Processes that decode; 0 for this one.
        pin_memory: Whether batches go to a CUDA device.
    """
    labels, files = labels_of(crops), file_codes(crops)
    dataset = training_dataset(crops, spec=spec, augment=augment, crop=crop)
    sampler = BalancedSampler(
        labels, files=files, frames_per_video=frames_per_video, max_crops=max_crops, seed=seed
    )
    return DataLoader(
        dataset,
        batch_size=batch_size,
        sampler=sampler,
        # A last batch of one crop would break batch normalisation.
        drop_last=len(sampler) > batch_size,
        **worker_options(num_workers, pin_memory=pin_memory),
    )


def training_dataset(
    crops: pd.DataFrame, *, spec: InputSpec, augment: AugmentConfig, crop: CropConfig
) -> CropDataset:
    """Return augmented crops, their resolution matched where `augment` asks for it.

    Args:
        crops: Labelled rows of `collect_crops`.
        spec: The network's input.
        augment: As for `training_loader`.
        crop: How the crops were stored.
    """
    labels, target_px = labels_of(crops), None
    if augment.match_resolution:
        sizes = effective_sizes(crops["face_px"], crop=crop)
        weights = balanced_weights(labels, files=file_codes(crops))
        target_px = matched_sizes(sizes, labels, weights=weights)
    return CropDataset(crops, spec=spec, augment=augment, target_px=target_px, crop=crop)


def evaluation_loader(
    crops: pd.DataFrame,
    *,
    spec: InputSpec,
    batch_size: int = 32,
    num_workers: int = 0,
    pin_memory: bool = False,
) -> DataLoader[Sample]:
    """Return batches of all crops in order, prepared as for scoring."""
    return DataLoader(
        CropDataset(crops, spec=spec),
        batch_size=batch_size,
        **worker_options(num_workers, pin_memory=pin_memory),
    )


def worker_options(num_workers: int, *, pin_memory: bool) -> dict[str, Any]:
    """Return the options of a `DataLoader` about its processes."""
    return {
        "num_workers": num_workers,
        # A fork would take over the locks and sockets of whatever threads the caller runs.
        "multiprocessing_context": SPAWN if num_workers else None,
        "persistent_workers": num_workers > 0,
        "worker_init_fn": _use_one_thread if num_workers else None,
        "pin_memory": pin_memory,
    }


def _use_one_thread(worker: int) -> None:
    # OpenCV's thread pool does not survive the fork, and the cores are the network's.
    cv2.setNumThreads(0)
