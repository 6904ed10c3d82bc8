"""Datasets and loaders of pairs: a real and a self-blended or labelled fake.

Both crops of a pair are in one batch and are augmented with the same random numbers. So a batch
holds as many reals as fakes, and the augmentation does not reveal the class.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from deepfake.config import AugmentConfig, CropConfig, SelfBlendConfig, ViewConfig
from deepfake.errors import DataError
from deepfake.training.data.balance import draw_rows, epoch_share, pool_by_file
from deepfake.training.data.blends import CropBlender
from deepfake.training.data.crops import (
    CropDataset,
    InputSpec,
    Sample,
    evaluation_dataset,
    file_codes,
    labels_of,
    training_dataset,
    worker_options,
)
from deepfake.training.data.self_blend import SelfBlend, are_usable_landmarks
from deepfake.training.data.stored_squares import landmarks_of
from deepfake.training.data.views import ShownSquare

__all__ = [
    "PairDataset",
    "PairDraw",
    "PairSampler",
    "blend_truth",
    "blending_loader",
    "collate_pairs",
    "has_usable_landmarks",
    "pair_loader",
]


class PairDraw(NamedTuple):
    """The rows and the seed of a pair.

    Attributes:
        real_row: Row of the real.
        fake_row: Row of the fake; None for one that is blended out of the real.
        seed: Of blending and augmentation.
    """

    real_row: int
    fake_row: int | None
    seed: int


def has_usable_landmarks(crops: pd.DataFrame, *, crop: CropConfig) -> NDArray[np.bool_]:
    """Return which crops have landmarks that a fake can be blended by, shape (N,)."""
    usable = [are_usable_landmarks(p, size=crop.size) for p in landmarks_of(crops, crop=crop)]
    return np.array(usable, dtype=np.bool_)


MappedSample = tuple[Tensor, float, int, Tensor]
"""A `Sample` and the boundary of what was blended into it, (M, M), NaN where it is unknown."""


class PairDataset(Dataset[tuple[Sample | MappedSample, Sample | MappedSample]]):
    """Pairs of a real and a fake, made on access.

    A blended fake has the row of its real, plus the length of the table.

    Args:
        crops: The dataset that decodes and augments the rows of a table.
        blender: Makes fakes out of the rows of the same table.
        map_side: Side of the boundary maps that samples have; None for none.
    """

    def __init__(
        self, crops: CropDataset, *, blender: CropBlender, map_side: int | None = None
    ) -> None:
        self.crops = crops
        self._blender, self._map_side = blender, map_side

    def __len__(self) -> int:
        return len(self.crops)

    def __getitem__(self, draw: PairDraw) -> tuple[Sample | MappedSample, Sample | MappedSample]:
        """Return the real and the fake of a draw."""
        if draw.fake_row is None:
            shown, blend = self.blended(draw)
            rows = (draw.real_row, draw.real_row)
            squares, pictures = (shown, shown), (blend.real, blend.fake)
        else:
            rows, blend = (draw.real_row, draw.fake_row), None
            squares = self._labelled(draw.real_row, draw.fake_row, seed=draw.seed)
            pictures = (squares[0].pixels, squares[1].pixels)
        # Made of one seed, both are cropped, coloured and compressed alike.
        real, fake = (
            self.crops.make_input(
                pixels, seed=draw.seed, landmarks=self.crops.landmarks_of(row, shown)
            )
            for pixels, row, shown in zip(pictures, rows, squares, strict=True)
        )
        number = len(self.crops) + draw.real_row if draw.fake_row is None else draw.fake_row
        samples: tuple[Sample, Sample] = (real, 0.0, draw.real_row), (fake, 1.0, number)
        return samples if self._map_side is None else self._mapped(samples, blend, draw.seed)

    def pixels(self, draw: PairDraw) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return real and fake before they are augmented, each (S, S, 3), uint8.

        Resolutions are matched between labelled reals and fakes; a blended pair has one as it is.
        """
        if draw.fake_row is None:
            blend = self.blended(draw)[1]
            return blend.real, blend.fake
        real, fake = self._labelled(draw.real_row, draw.fake_row, seed=draw.seed)
        return real.pixels, fake.pixels

    def blended(self, draw: PairDraw) -> tuple[ShownSquare, SelfBlend]:
        """Return what is shown of a real, and what is blended out of it, before augmentation."""
        row, rng = draw.real_row, np.random.default_rng(draw.seed)
        shown = self.crops.draw_square(row, seed=draw.seed, is_matched=False)
        if not self.crops.has_views:
            return shown, self._blender.blend_crop(shown.pixels, row, rng=rng)
        if not self._blender.can_blend(shown, row):
            shown = self.crops.whole_crop(row)
        return shown, self._blender.blend_shown(shown, row, rng=rng)

    def _labelled(self, real: int, fake: int, *, seed: int) -> tuple[ShownSquare, ShownSquare]:
        return (
            self.crops.draw_square(real, seed=seed, partner=fake),
            self.crops.draw_square(fake, seed=seed, partner=real),
        )

    def _mapped(
        self, samples: tuple[Sample, Sample], blend: SelfBlend | None, seed: int
    ) -> tuple[MappedSample, MappedSample]:
        """Return samples with their maps: a real has no boundary, a labelled fake's is unknown."""
        assert self._map_side is not None
        side = self._map_side
        if blend is None:
            boundary = torch.full((side, side), torch.nan)
        else:
            boundary = self.crops.make_boundary_map(blend.mask, seed=seed, side=side)
        real, fake = samples
        return (*real, torch.zeros(side, side)), (*fake, boundary)


def collate_pairs(
    pairs: Sequence[tuple[Sample | MappedSample, Sample | MappedSample]],
) -> list[Tensor]:
    """Return pairs as one batch of inputs, labels and rows, and maps if they have any.

    Partners stand side by side.
    """
    batch: list[Tensor] = torch.utils.data.default_collate([s for pair in pairs for s in pair])
    return batch


class PairSampler(Sampler[PairDraw]):
    """Draws epochs of pairs in which files of a class are equally frequent.

    An epoch is as long as the one of `BalancedSampler`; without labelled fakes it has each real
    crop that this would count.

    Args:
        labels: 1 fake, 0 real, shape (N,).
        files: Number of the file of each crop, shape (N,).
        blended_share: Pairs whose fake is blended, over all pairs.
        frames_per_video: Crops of a file that count towards the length of an epoch.
        max_crops: The longest an epoch may be, crops; None for no limit.
        seed: With the epoch it determines what is drawn.

    Raises:
        DataError: There is no real, or no fake where some are to be drawn.
    """

    def __init__(
        self,
        labels: NDArray[np.float64],
        *,
        files: NDArray[np.int64],
        blended_share: float,
        frames_per_video: int,
        max_crops: int | None = None,
        seed: int = 0,
    ) -> None:
        self._reals, self._fakes = (pool_by_file(files, labels == value) for value in (0.0, 1.0))
        if not self._reals or (not self._fakes and blended_share < 1):
            raise DataError("pairs need reals, and fakes unless all of them are blended")
        # A blended fake takes as much room in an epoch as the real that it is made of.
        classes = [self._reals, self._reals if blended_share == 1 else self._fakes]
        self._num_pairs = epoch_share(
            classes, frames_per_video=frames_per_video, max_crops=max_crops
        )
        self._num_blended = round(blended_share * self._num_pairs)
        self._seed, self._epoch = seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Name the epoch that is drawn next; Lightning calls it."""
        self._epoch = epoch

    def __len__(self) -> int:
        return self._num_pairs

    def __iter__(self) -> Iterator[PairDraw]:
        rng = np.random.default_rng([self._seed, self._epoch])
        reals = rng.permutation(draw_rows(self._reals, self._num_pairs, rng=rng))
        fakes: list[int | None] = [None] * self._num_blended
        count = self._num_pairs - self._num_blended
        if count:
            fakes += rng.permutation(draw_rows(self._fakes, count, rng=rng)).tolist()
        seeds = rng.integers(0, 2**31, size=self._num_pairs)
        for at in rng.permutation(self._num_pairs):
            yield PairDraw(int(reals[at]), fakes[at], int(seeds[at]))


def pair_loader(
    crops: pd.DataFrame,
    *,
    spec: InputSpec,
    augment: AugmentConfig,
    blend: SelfBlendConfig,
    crop: CropConfig,
    batch_size: int,
    blended_share: float,
    frames_per_video: int,
    max_crops: int | None = None,
    seed: int = 0,
    num_workers: int = 0,
    pin_memory: bool = False,
    view: ViewConfig | None = None,
    map_side: int | None = None,
) -> DataLoader[tuple[Sample | MappedSample, Sample | MappedSample]]:
    """Return augmented batches of pairs, a new draw each epoch.

    Args:
        crops: Labelled rows of `collect_crops`, all with usable landmarks.
        spec: The network's input.
        augment: Augmentations; `match_resolution` is between labelled reals and fakes.
        blend: How fakes are made.
        crop: How the crops were stored.
        batch_size: Crops a batch; of an odd number one is left out.
        blended_share: See `PairSampler`.
        frames_per_video: See `BalancedSampler`.
        max_crops: The longest an epoch may be, crops.
        seed: Of the draws, the blending and the augmentations.
        num_workers: Processes that decode and blend; 0 for this one.
        pin_memory: Whether batches go to a CUDA device.
        view: Which square of a crop is drawn; None for the whole crop.
        map_side: See `PairDataset`.
    """
    sampler = PairSampler(
        labels_of(crops),
        files=file_codes(crops),
        blended_share=blended_share,
        frames_per_video=frames_per_video,
        max_crops=max_crops,
        seed=seed,
    )
    num_pairs = max(1, batch_size // 2)
    plain = training_dataset(crops, spec=spec, augment=augment, crop=crop, view=view)
    blender = CropBlender(
        crops, crop=crop, config=blend, pixels_of=plain.stored_pixels, num_workers=num_workers
    )
    return DataLoader(
        PairDataset(plain, blender=blender, map_side=map_side),
        batch_size=num_pairs,
        sampler=sampler,
        collate_fn=collate_pairs,
        drop_last=len(sampler) > num_pairs,
        **worker_options(num_workers, pin_memory=pin_memory),
    )


def blending_loader(
    crops: pd.DataFrame,
    *,
    spec: InputSpec,
    blend: SelfBlendConfig,
    crop: CropConfig,
    batch_size: int = 32,
    seed: int = 0,
    num_workers: int = 0,
    pin_memory: bool = False,
    view: ViewConfig | None = None,
) -> DataLoader[tuple[Sample | MappedSample, Sample | MappedSample]]:
    """Return a blended pair of each real crop in order, without augmentation, always the same.

    Args:
        crops: Reals of `collect_crops`, all with usable landmarks.
        spec: The network's input.
        blend: How fakes are made.
        crop: How the crops were stored.
        batch_size: Crops a batch.
        seed: Of the blending.
        num_workers: Processes that decode and blend; 0 for this one.
        pin_memory: Whether batches go to a CUDA device.
        view: Which square of a crop the detector takes; None for the whole crop.
    """
    seeds = np.random.default_rng(seed).integers(0, 2**31, size=len(crops))
    plain = evaluation_dataset(crops, spec=spec, crop=crop, view=view)
    blender = CropBlender(
        crops, crop=crop, config=blend, pixels_of=plain.stored_pixels, num_workers=num_workers
    )
    return DataLoader(
        PairDataset(plain, blender=blender),
        batch_size=max(1, batch_size // 2),
        sampler=[PairDraw(row, None, int(s)) for row, s in enumerate(seeds)],
        collate_fn=collate_pairs,
        **worker_options(num_workers, pin_memory=pin_memory),
    )


def blend_truth(crops: pd.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return label and file of each row that `blending_loader` gives: the reals, then their fakes.

    Args:
        crops: What the loader was made of, length N.

    Returns:
        Labels and numbers of files, each of shape (2N,). The fakes of a file are a file.
    """
    files = file_codes(crops)
    labels = np.repeat([0.0, 1.0], len(files))
    return labels, np.concatenate([files, files + files.max(initial=-1) + 1])
