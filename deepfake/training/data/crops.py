"""Datasets and loaders of single crops, for training and for evaluation.

A sample carries its own seed, so that an epoch is the same for any number of worker processes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import cv2
import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from deepfake.compute.processes.spawn import SPAWN
from deepfake.config import AugmentConfig, CropConfig, ViewConfig
from deepfake.corpora.shards import CropReader, Snapshot
from deepfake.detectors.inference import resize_square, to_input
from deepfake.errors import DataError
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
from deepfake.training.data.native_augment import augment_at_native_size, boundary_map
from deepfake.training.data.self_blend import are_usable_landmarks
from deepfake.training.data.stored_squares import landmarks_of, native_face_sizes
from deepfake.training.data.views import CropViews, ShownSquare
from deepfake.types import Label

__all__ = [
    "CropDataset",
    "InputSpec",
    "collect_crops",
    "evaluation_dataset",
    "evaluation_loader",
    "file_codes",
    "labels_of",
    "readers_of",
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


class CropDataset(Dataset[Sample]):
    """The crops of a table, decoded on access.

    Args:
        crops: Rows of `collect_crops`.
        spec: The network's input.
        augment: Training augmentations; None for the plain input that scoring sees.
        target_px: Size that each row's face is reduced to, shape (N,); None to leave all as are.
            `views` have their own.
        crop: How the crops were stored; needed with `target_px`.
        views: Which square of each crop is shown; None for the whole crop.
    """

    def __init__(
        self,
        crops: pd.DataFrame,
        *,
        spec: InputSpec,
        augment: AugmentConfig | None = None,
        target_px: NDArray[np.float64] | None = None,
        crop: CropConfig | None = None,
        views: CropViews | None = None,
    ) -> None:
        if target_px is not None and crop is None:
            raise DataError("reducing the resolution needs the settings of the crops")
        self.spec = spec
        self.labels = labels_of(crops)
        self.files = file_codes(crops)
        self._shards = crops["shard"].astype(str).tolist()
        self._rows = crops["row"].to_numpy(dtype=np.int64)
        self._folders = crops["corpus_dir"].astype(str).tolist()
        self._readers = readers_of(crops)
        self._target_px, self._margin = target_px, crop.margin if crop else 1.0
        self._face_px = effective_sizes(crops["face_px"], crop=crop) if crop else None
        self._erase_p = augment.erase_p if augment is not None and crop is not None else 0.0
        if self._erase_p and crop is not None:
            self._landmarks = landmarks_of(crops, crop=crop)
            self._is_face = [are_usable_landmarks(p, size=crop.size) for p in self._landmarks]
        self._views = views
        self.augment = augment if augment is not None and augment.is_enabled else None
        self._change = None if self.augment is None else _augmentation(self.augment, spec=spec)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def has_views(self) -> bool:
        """Whether a square of each crop is shown, else the whole."""
        return self._views is not None

    def __getitem__(self, item: int | tuple[int, int]) -> Sample:
        """Return one sample.

        Args:
            item: A row, or a row and the seed of its augmentation.
        """
        row, seed = item if isinstance(item, tuple) else (item, 0)
        shown = self.draw_square(row, seed=seed)
        tensor = self.make_input(shown.pixels, seed=seed, landmarks=self.landmarks_of(row, shown))
        return tensor, float(self.labels[row]), int(row)

    def landmarks_of(self, row: int, shown: ShownSquare) -> NDArray[np.float64] | None:
        """Return a row's landmarks in the pixels of what is shown of its crop, (5, 2).

        None where they are not those of a face, and where no feature is ever covered.
        """
        if not self._erase_p or not self._is_face[row]:
            return None
        return np.asarray(shown.place(self._landmarks[row]), dtype=np.float64)

    def draw_square(
        self, row: int, *, seed: int = 0, partner: int | None = None, is_matched: bool = True
    ) -> ShownSquare:
        """Return what is shown of a row's crop, before it is augmented.

        Args:
            row: The row.
            seed: Of the square that is drawn.
            partner: Row that is drawn with the same seed; None for none.
            is_matched: With no more detail than its target size allows.
        """
        if self._views is None:
            return ShownSquare(
                self.reduce_resolution(row) if is_matched else self.stored_pixels(row)
            )
        return self._views.show(
            self.stored_pixels(row), row, seed=seed, partner=partner, is_matched=is_matched
        )

    def whole_crop(self, row: int) -> ShownSquare:
        """Return all of a row's crop, at its own resolution where otherwise a square is shown."""
        pixels = self.stored_pixels(row)
        return ShownSquare(pixels) if self._views is None else self._views.whole(pixels, row)

    def detector_crop(self, row: int) -> NDArray[np.uint8]:
        """Return a row's crop as the detector is to be given it, (S, S, 3), uint8."""
        return self.resize_to_detector(self.draw_square(row).pixels)

    def resize_to_detector(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return a square that is shown at the size of the detector's crops."""
        if self._views is None or self._views.is_drawn:
            return pixels
        return resize_square(pixels, size=self._views.view.size)

    def stored_pixels(self, row: int) -> NDArray[np.uint8]:
        """Return a row's crop as it is stored, shape (S, S, 3), uint8."""
        encoded = self._readers[self._folders[row]].encoded(self._shards[row], int(self._rows[row]))
        return decode_crop(encoded)

    def reduce_resolution(self, row: int) -> NDArray[np.uint8]:
        """Return a row's crop with no more detail than its target size allows."""
        pixels = self.stored_pixels(row)
        if self._target_px is None or self._face_px is None:
            return pixels
        return reduce_resolution(
            pixels,
            target_px=float(self._target_px[row]),
            face_px=float(self._face_px[row]),
            margin=self._margin,
        )

    def make_input(
        self, pixels: NDArray[np.uint8], *, seed: int, landmarks: NDArray[np.float64] | None = None
    ) -> Tensor:
        """Return a crop as the network takes it, (3, S, S), augmented as the seed says.

        Crops of one size and one seed are augmented alike.

        Args:
            pixels: Shape (S, S, 3), uint8.
            seed: Of all that is random.
            landmarks: In its pixels, shape (5, 2); None where nothing is to be covered.
        """
        pixels = self.resize_to_detector(pixels)
        if self._change is not None:
            if landmarks is not None:
                rng = np.random.default_rng([seed, 1])
                if rng.random() < self._erase_p:
                    pixels = cover_feature(pixels, landmarks, rng=rng)
            pixels = self._change(pixels, seed)
        spec = self.spec
        batch = to_input([pixels], input_size=spec.input_size, mean=spec.mean, std=spec.std)
        return batch[0]

    def make_boundary_map(self, mask: NDArray[np.float32], *, seed: int, side: int) -> Tensor:
        """Return the boundary of a mask as the input of the same seed has it, (side, side).

        Args:
            mask: Of a square that is shown, 0 to 1, (S, S).
            seed: Of the augmentation.
            side: Of the map.
        """
        size = self.spec.input_size
        found = boundary_map(mask, side=side, config=self.augment, seed=seed, input_size=size)
        return torch.from_numpy(found)


class _ResizedFirst:
    """Augmentation of torchvision's transforms, which begin with the network's input size."""

    def __init__(self, config: AugmentConfig, *, input_size: int) -> None:
        self._transform = create_augmentation(config, input_size=input_size)

    def __call__(self, pixels: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
        tensor = torch.from_numpy(pixels).permute(2, 0, 1)  # (H, W, 3) -> (3, H, W)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            changed = self._transform(tensor)
        back = changed.permute(1, 2, 0).contiguous()  # (3, H, W) -> (H, W, 3)
        return np.asarray(back.numpy(), dtype=np.uint8)


def _augmentation(
    config: AugmentConfig, *, spec: InputSpec
) -> Callable[[NDArray[np.uint8], int], NDArray[np.uint8]]:
    if config.resize == "first":
        return _ResizedFirst(config, input_size=spec.input_size)
    return partial(augment_at_native_size, config=config, input_size=spec.input_size)


def readers_of(crops: pd.DataFrame) -> dict[str, CropReader]:
    """Return a reader of each folder that rows of `collect_crops` name."""
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
    view: ViewConfig | None = None,
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
        view: Which square of a crop is drawn; None for the whole crop.
    """
    labels, files = labels_of(crops), file_codes(crops)
    dataset = training_dataset(crops, spec=spec, augment=augment, crop=crop, view=view)
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
    crops: pd.DataFrame,
    *,
    spec: InputSpec,
    augment: AugmentConfig,
    crop: CropConfig,
    view: ViewConfig | None = None,
) -> CropDataset:
    """Return augmented crops, their resolution matched where `augment` asks for it.

    Args:
        crops: Labelled rows of `collect_crops`.
        spec: The network's input.
        augment: As for `training_loader`.
        crop: How the crops were stored.
        view: As for `training_loader`.
    """
    target_px = None
    if augment.match_resolution:
        sizes = (
            effective_sizes(crops["face_px"], crop=crop)
            if view is None
            else native_face_sizes(crops, crop=crop)
        )
        labels = labels_of(crops)
        weights = balanced_weights(labels, files=file_codes(crops))
        target_px = matched_sizes(sizes, labels, weights=weights)
    if view is None:
        return CropDataset(crops, spec=spec, augment=augment, target_px=target_px, crop=crop)
    views = CropViews(crops, crop=crop, view=view, is_drawn=True, target_px=target_px)
    return CropDataset(crops, spec=spec, augment=augment, crop=crop, views=views)


def evaluation_dataset(
    crops: pd.DataFrame,
    *,
    spec: InputSpec,
    crop: CropConfig,
    view: ViewConfig | None = None,
) -> CropDataset:
    """Return crops as scoring sees them.

    Args:
        crops: Rows of `collect_crops`.
        spec: The network's input.
        crop: How the crops were stored.
        view: Which square of a crop the detector takes; None for the whole crop.
    """
    views = None if view is None else CropViews(crops, crop=crop, view=view, is_drawn=False)
    return CropDataset(crops, spec=spec, views=views)


def evaluation_loader(
    crops: pd.DataFrame,
    *,
    spec: InputSpec,
    crop: CropConfig,
    view: ViewConfig | None = None,
    batch_size: int = 32,
    num_workers: int = 0,
    pin_memory: bool = False,
) -> DataLoader[Sample]:
    """Return batches of all crops in order, prepared as for scoring."""
    return DataLoader(
        evaluation_dataset(crops, spec=spec, crop=crop, view=view),
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
