"""Aggregate the logits of crops to one of a track and one of a file. Arithmetic only.

A file is one `uri`. Folders and base names do not matter: `000_003` is the name of four files in
FaceForensics++, one under each of four methods.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from deepfake.config import AggregationConfig
from deepfake.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FileScore", "TrackScore", "aggregate_by_uri", "aggregate_file", "aggregate_track"]

_NEEDED = ("track_id", "frame_index", "pts_seconds", "logit")
_OPTIONAL = ("face_px", "sharpness", "confidence", "novelty", "colour")

_FULL_FACE_PX = 150.0
"""A larger face shows nothing more in a network's input of 192 to 224 pixels."""

_HALF_SHARPNESS = 50.0
"""Variance of the Laplacian at which a crop counts half; ours, a tenth of it is out of focus."""

_LEAST_WEIGHT = 1e-3


@dataclass(frozen=True, slots=True)
class TrackScore:
    """The score of one face over its track.

    Attributes:
        track_id: The track.
        logit: Mean over its crops by `AggregationConfig.track`; positive means fake.
        num_frames: Distinct frames that it was seen in.
        first_pts_seconds: Time of its first crop.
        last_pts_seconds: Time of its last crop.
        max_logit: The highest of a single crop.
        max_pts_seconds: The moment of that crop; the earliest of equals.
        face_px: Median of the longer side of the box, frame pixels; None where it was not given.
        sharpness: Median; None where it was not given.
        novelty: Mean distance from the training data; None where it was not given.
        colour: Median spread of colour; None where it was not given.
    """

    track_id: int
    logit: float
    num_frames: int
    first_pts_seconds: float
    last_pts_seconds: float
    max_logit: float
    max_pts_seconds: float
    face_px: float | None = None
    sharpness: float | None = None
    novelty: float | None = None
    colour: float | None = None


@dataclass(frozen=True, slots=True)
class FileScore:
    """The score of a file.

    Attributes:
        logit: Of the file, by `AggregationConfig.video`.
        num_faces: Crops, over all frames.
        num_tracks: Tracks, the short ones too.
        num_frames: Distinct frames with a face.
        strongest_track_id: The track with the highest mean logit among those that count.
        strongest_pts_seconds: The moment of the highest logit in that track.
        tracks: All tracks, ascending by `track_id`.
    """

    logit: float
    num_faces: int
    num_tracks: int
    num_frames: int
    strongest_track_id: int
    strongest_pts_seconds: float
    tracks: tuple[TrackScore, ...]

    @property
    def strongest(self) -> TrackScore:
        """The track that decides."""
        return next(t for t in self.tracks if t.track_id == self.strongest_track_id)


def aggregate_file(
    crops: pd.DataFrame | Mapping[str, ArrayLike], *, config: AggregationConfig
) -> FileScore:
    """Return the score of one file from the logits of its crops.

    The result does not depend on the order of the rows. Tracks that are too small beside the
    largest do not count. `strongest_track` takes the track of the highest mean among those with at
    least `min_track_frames` frames, or among all if no track is that long (a still has tracks of
    one frame). `any_track` is the logarithm of the mean of the odds of these tracks. `mean` is over
    all crops, `max` the highest single crop. Equal tracks: the longer one, then the one with the
    lower id.

    Args:
        crops: A table, or its columns by name, with a row a crop of this file: `track_id`,
            `frame_index`, `pts_seconds`, `logit`, and `face_px`, `sharpness`, `confidence`,
            `novelty`, `colour` where known.
        config: How.

    Raises:
        DataError: No crops, a column is missing, or a logit is not a number. A file without faces
            has a status, not a score.
    """
    return _aggregate(_columns_of(crops), config=config)


def aggregate_by_uri(
    crops: pd.DataFrame, *, config: AggregationConfig, keys: Sequence[str] = ("uri",)
) -> dict[tuple[str, ...], FileScore]:
    """Return the score of every file of a table of crops.

    Args:
        crops: Rows of many files, in any order, with the columns of `aggregate_file` and `keys`.
        config: How.
        keys: What names a file; `("corpus", "uri")` where corpora stand in one table.

    Returns:
        By the values of `keys`, always a tuple.

    Raises:
        DataError: As `aggregate_file`.
    """
    positions = crops.groupby(list(keys), sort=True, dropna=False).indices
    columns = _columns_of(crops)
    scores: dict[tuple[str, ...], FileScore] = {}
    for key, rows in positions.items():
        name = key if isinstance(key, tuple) else (key,)
        own = {column: values[rows] for column, values in columns.items()}
        scores[name] = _aggregate(own, config=config)
    return scores


def aggregate_track(
    crops: Mapping[str, ArrayLike], *, config: AggregationConfig, track_id: int = 0
) -> TrackScore:
    """Return the score of one track, as `aggregate_file` computes it for each track of a file.

    Args:
        crops: By column: `frame_index`, `pts_seconds`, `logit`, and `face_px`, `sharpness`,
            `confidence`, `novelty` where known; all of one length, at least 1.
        config: How.
        track_id: Of the result.

    Raises:
        DataError: As `aggregate_file`.
    """
    columns = {name: np.asarray(values, dtype=np.float64) for name, values in crops.items()}
    num = len(columns["logit"])
    if not num or not np.isfinite(columns["logit"]).all():
        raise DataError("a track needs crops, and each a logit that is a finite number")
    columns["track_id"] = np.full(num, track_id)
    weights = _weights_of(columns, config=config)
    return _track_score(columns, track_id, weights=weights)


def _aggregate(columns: dict[str, NDArray[Any]], *, config: AggregationConfig) -> FileScore:
    if not len(columns["logit"]):
        raise DataError("a file without crops has no score")
    if not np.isfinite(columns["logit"]).all():
        raise DataError("a logit is not a finite number")
    # What is not known of every crop of a file is not known of the file.
    columns = {n: v for n, v in columns.items() if n not in _OPTIONAL or not np.isnan(v).any()}
    weights = _weights_of(columns, config=config)
    tracks = tuple(
        _track_score(columns, int(t), weights=weights) for t in np.unique(columns["track_id"])
    )
    large = _large_enough(tracks, min_share=config.min_face_share)
    counted = _long_enough(large, min_frames=config.min_track_frames)
    strongest = min(counted, key=lambda t: (-t.logit, -t.num_frames, t.track_id))
    is_large = np.isin(columns["track_id"], [track.track_id for track in large])
    return FileScore(
        logit=_file_logit(
            columns["logit"][is_large],
            weights=weights[is_large],
            tracks=[track.logit for track in counted],
            config=config,
        ),
        num_faces=len(columns["logit"]),
        num_tracks=len(tracks),
        num_frames=len(np.unique(columns["frame_index"])),
        strongest_track_id=strongest.track_id,
        strongest_pts_seconds=strongest.max_pts_seconds,
        tracks=tracks,
    )


def _columns_of(crops: pd.DataFrame | Mapping[str, ArrayLike]) -> dict[str, NDArray[Any]]:
    missing = [name for name in _NEEDED if name not in crops]
    if missing:
        raise DataError(f"crops lack the columns {missing}, got {list(crops)}")
    columns = {name: np.asarray(crops[name]) for name in _NEEDED}
    for name in _OPTIONAL:
        if name in crops:
            columns[name] = _as_floats(crops[name])
    columns["logit"] = columns["logit"].astype(np.float64)
    return columns


def _as_floats(values: Any) -> NDArray[np.float64]:
    """Return numbers, NaN where there is none."""
    if hasattr(values, "to_numpy"):
        return np.asarray(values.to_numpy(dtype=np.float64, na_value=np.nan))
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _weights_of(
    columns: dict[str, NDArray[Any]], *, config: AggregationConfig
) -> NDArray[np.float64]:
    """Return how much each crop counts within its track."""
    weights = np.ones(len(columns["logit"]))
    if config.track == "mean":
        return weights
    if "confidence" in columns:
        weights = weights * columns["confidence"]
    if "face_px" in columns:
        weights = weights * np.minimum(columns["face_px"] / _FULL_FACE_PX, 1.0)
    if "sharpness" in columns:
        weights = weights * (columns["sharpness"] / (columns["sharpness"] + _HALF_SHARPNESS))
    # Never 0: a track whose crops are all poor still has a mean.
    return np.asarray(np.maximum(weights, _LEAST_WEIGHT), dtype=np.float64)


def _track_score(
    columns: dict[str, NDArray[Any]], track_id: int, *, weights: NDArray[np.float64]
) -> TrackScore:
    own = columns["track_id"] == track_id
    logits, times = columns["logit"][own], columns["pts_seconds"][own]
    best = np.lexsort((times, -logits))[0]

    def summarise(name: str, summary: Callable[[NDArray[Any]], Any]) -> float | None:
        return float(summary(columns[name][own])) if name in columns else None

    return TrackScore(
        track_id=track_id,
        logit=_mean(logits, weights=weights[own]),
        num_frames=len(np.unique(columns["frame_index"][own])),
        first_pts_seconds=float(times.min()),
        last_pts_seconds=float(times.max()),
        max_logit=float(logits[best]),
        max_pts_seconds=float(times[best]),
        face_px=summarise("face_px", np.median),
        sharpness=summarise("sharpness", np.median),
        novelty=summarise("novelty", np.mean),
        colour=summarise("colour", np.median),
    )


def _large_enough(tracks: tuple[TrackScore, ...], *, min_share: float) -> tuple[TrackScore, ...]:
    sizes = [track.face_px for track in tracks]
    largest = max((size for size in sizes if size is not None), default=0.0)
    return tuple(
        track
        for track, size in zip(tracks, sizes, strict=True)
        if size is None or size >= min_share * largest
    )


def _long_enough(tracks: tuple[TrackScore, ...], *, min_frames: int) -> tuple[TrackScore, ...]:
    return tuple(track for track in tracks if track.num_frames >= min_frames) or tracks


def _file_logit(
    logits: NDArray[np.float64],
    *,
    weights: NDArray[np.float64],
    tracks: Sequence[float],
    config: AggregationConfig,
) -> float:
    if config.video == "mean":
        return _mean(logits, weights=weights)
    if config.video == "max":
        return float(logits.max())
    highest = max(tracks)
    if config.video == "strongest_track":
        return highest
    # Taken off first, so that no odds overflow.
    return highest + math.log(math.fsum(math.exp(t - highest) for t in tracks) / len(tracks))


def _mean(values: NDArray[np.float64], *, weights: NDArray[np.float64]) -> float:
    # fsum is exact, so the order of the rows cannot show in the last bit.
    return math.fsum(values * weights) / math.fsum(weights)
