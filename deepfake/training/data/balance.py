"""Balance what differs between the classes beside the forgery.

That is the number of crops, the number of crops a file, and the resolution of the faces.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch.utils.data import Sampler

from deepfake.config import CropConfig
from deepfake.detectors.inference import resize_square
from deepfake.errors import DataError

__all__ = [
    "BalancedSampler",
    "balanced_weights",
    "draw_rows",
    "effective_sizes",
    "epoch_share",
    "matched_sizes",
    "pool_by_file",
    "reduce_resolution",
]


def balanced_weights(labels: ArrayLike, *, files: ArrayLike) -> NDArray[np.float64]:
    """Return the share of each crop in an ideal epoch.

    Both classes have the same share, every file of a class the same, whatever its number of crops.

    Args:
        labels: 1 fake, 0 real, shape (N,).
        files: Number of the file of each crop, shape (N,).

    Returns:
        Shape (N,), sums to 1.

    Raises:
        DataError: There is no crop, or a label is unknown.
    """
    classes, numbers = np.asarray(labels, dtype=np.float64), np.asarray(files)
    if classes.size == 0 or not np.isin(classes, (0.0, 1.0)).all():
        raise DataError("balancing needs crops that are all labelled")
    present = np.unique(classes)
    weights = np.zeros(classes.size)
    for value in present:
        own = np.flatnonzero(classes == value)
        _, inverse, counts = np.unique(numbers[own], return_inverse=True, return_counts=True)
        weights[own] = 1.0 / (counts[inverse] * len(counts) * len(present))
    return weights


def effective_sizes(face_px: ArrayLike, *, crop: CropConfig) -> NDArray[np.float64]:
    """Return the face sizes in the stored crops, which the crop size caps.

    Args:
        face_px: Longer side of each box in its frame, pixels.
        crop: How the crops were stored.
    """
    return np.minimum(np.asarray(face_px, dtype=np.float64), crop.size / crop.margin)


def matched_sizes(
    face_px: ArrayLike, labels: ArrayLike, *, weights: ArrayLike | None = None
) -> NDArray[np.float64]:
    """Return the face size to reduce each crop to, so that size does not reveal the class.

    A crop at quantile q of its class is brought to the smallest of the classes' sizes at q. So no
    crop has to grow, and both classes end in one distribution.

    Args:
        face_px: Effective size of each face, pixels, shape (N,).
        labels: 1 fake, 0 real, shape (N,).
        weights: How often each crop is drawn; None for equally often.

    Returns:
        Shape (N,), nowhere over `face_px`. With one class, `face_px` itself.

    Example:
        >>> matched_sizes([10, 20, 30, 60], [0, 0, 1, 1]).tolist()
        [10.0, 20.0, 10.0, 20.0]
    """
    sizes, classes = np.asarray(face_px, dtype=np.float64), np.asarray(labels)
    shares = np.ones(sizes.size) if weights is None else np.asarray(weights, dtype=np.float64)
    ranks = np.zeros(sizes.size)
    curves = []
    for value in np.unique(classes):
        own = np.flatnonzero(classes == value)
        order = own[np.argsort(sizes[own], kind="stable")]
        # The middle of the stretch of the class's total weight that each crop takes.
        middles = (np.cumsum(shares[order]) - shares[order] / 2) / shares[order].sum()
        ranks[order] = middles
        curves.append((middles, sizes[order]))
    at_rank = [np.interp(ranks, middles, ordered) for middles, ordered in curves]
    return np.minimum(sizes, np.min(at_rank, axis=0)) if at_rank else sizes


def reduce_resolution(
    crop: NDArray[np.uint8], *, target_px: float, face_px: float, margin: float
) -> NDArray[np.uint8]:
    """Reduce a crop's detail as if its face had been smaller in the frame.

    Shrinks by areas to what the crop function would have cut, and grows back bicubic as it does.

    Args:
        crop: Shape (S, S, 3), uint8.
        target_px: Size that the face shall have had, pixels.
        face_px: Effective size that it has, pixels.
        margin: Of the crop function.

    Returns:
        Same shape. The crop itself where nothing is to be taken away.
    """
    size = crop.shape[0]
    side = max(8, round(target_px * margin))
    if target_px >= face_px or side >= size:
        return crop
    return resize_square(resize_square(crop, size=side), size=size)


class BalancedSampler(Sampler[tuple[int, int]]):
    """Draws epochs in which both classes, and the files of a class, are equally frequent.

    An epoch is as long as all files would make it with `frames_per_video` crops each, half of it
    from either class. Files take turns, and so do the crops of a file, before any comes again; only
    files of the rarer class give more than `frames_per_video`.

    Args:
        labels: 1 fake, 0 real, shape (N,).
        files: Number of the file of each crop, shape (N,).
        frames_per_video: Crops of a file that count towards the length of an epoch.
        max_crops: The longest an epoch may be; None for no limit.
        seed: With the epoch it determines what is drawn.
    """

    def __init__(
        self,
        labels: NDArray[np.float64],
        *,
        files: NDArray[np.int64],
        frames_per_video: int,
        max_crops: int | None = None,
        seed: int = 0,
    ) -> None:
        self._pools = [pool_by_file(files, labels == value) for value in np.unique(labels)]
        self._per_class = epoch_share(
            self._pools, frames_per_video=frames_per_video, max_crops=max_crops
        )
        self._seed, self._epoch = seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Name the epoch that is drawn next; Lightning calls it."""
        self._epoch = epoch

    def __len__(self) -> int:
        return self._per_class * len(self._pools)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        rng = np.random.default_rng([self._seed, self._epoch])
        rows = np.concatenate([draw_rows(p, self._per_class, rng=rng) for p in self._pools])
        rng.shuffle(rows)
        seeds = rng.integers(0, 2**31, size=len(rows))
        yield from zip(rows.tolist(), seeds.tolist(), strict=True)


def pool_by_file(files: NDArray[np.int64], is_wanted: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
    """Return the wanted rows of each file that has any, by ascending number of the file."""
    return [np.flatnonzero((files == f) & is_wanted) for f in np.unique(files[is_wanted])]


def epoch_share(
    pools: Sequence[Sequence[NDArray[np.int64]]], *, frames_per_video: int, max_crops: int | None
) -> int:
    """Return how many crops of each class an epoch has, rounded up to equal shares.

    Args:
        pools: Rows of the files of each class.
        frames_per_video: Crops of a file that count towards the length of an epoch.
        max_crops: The longest an epoch may be; None for no limit.
    """
    full = sum(min(len(rows), frames_per_video) for pool in pools for rows in pool)
    wanted = full if max_crops is None else min(full, max_crops)
    return max(1, -(-wanted // len(pools)))


def draw_rows(
    pool: Sequence[NDArray[np.int64]], count: int, *, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return `count` rows; files take turns, and so do the rows of a file.

    Args:
        pool: Rows of each file, none empty.
        count: Rows wanted.
        rng: All that is random.
    """
    turns = _cycled(np.arange(len(pool)), count, rng=rng)
    counts = np.bincount(turns, minlength=len(pool))
    drawn = [_cycled(rows, int(n), rng=rng) for rows, n in zip(pool, counts, strict=True)]
    return np.concatenate(drawn)


def _cycled(
    values: NDArray[np.int64], count: int, *, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return `count` values, each once in random order before any a second time."""
    rounds = -(-count // len(values))
    return np.concatenate([rng.permutation(values) for _ in range(max(1, rounds))])[:count]
