"""From the logits of crops to one of a track and one of a file. Arithmetic only.

A file is one `uri`. Nothing here looks at folders or base names: `000_003` stands under four
methods in FaceForensics++ and is four files.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deepfake.config import AggregationConfig
from deepfake.errors import DataError

__all__ = ["FileScore", "TrackScore", "aggregate_by_uri", "aggregate_file"]

_NEEDED = ("track_id", "frame_index", "pts_seconds", "logit")


@dataclass(frozen=True, slots=True)
class TrackScore:
    """What one face says over its track.

    Attributes:
        track_id: The track.
        logit: Mean over its crops; positive means fake.
        num_frames: Distinct frames that it was seen in.
        first_pts_seconds: Time of its first crop.
        last_pts_seconds: Time of its last crop.
        max_logit: The highest of a single crop.
        max_pts_seconds: The moment of that crop; the earliest of equals.
        face_px: Median of the longer side of the box, frame pixels; None where it was not given.
    """

    track_id: int
    logit: float
    num_frames: int
    first_pts_seconds: float
    last_pts_seconds: float
    max_logit: float
    max_pts_seconds: float
    face_px: float | None = None


@dataclass(frozen=True, slots=True)
class FileScore:
    """What a file says.

    Attributes:
        logit: Of the file, by `AggregationConfig.video`.
        num_faces: Crops, over all frames.
        num_tracks: Tracks, the short ones too.
        num_frames: Distinct frames with a face.
        strongest_track_id: The track with the highest mean logit among those that may speak.
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


def aggregate_file(crops: pd.DataFrame, *, config: AggregationConfig) -> FileScore:
    """Return the score of one file from the logits of its crops.

    The result does not depend on the order of the rows. `strongest_track` takes the track of the
    highest mean among those with at least `min_track_frames` frames, or among all if no track is
    that long (a still has tracks of one frame). `mean` is over all crops, `max` the highest single
    crop. Equal tracks: the longer one, then the one with the lower id.

    Args:
        crops: One row a crop of this file: `track_id`, `frame_index`, `pts_seconds`, `logit`, and
            `face_px` where known.
        config: How.

    Raises:
        DataError: No crops, a column is missing, or a logit is not a number. A file without faces
            has a status, not a score.
    """
    columns = _columns_of(crops)
    tracks = tuple(_track_score(columns, int(t)) for t in np.unique(columns["track_id"]))
    strongest = _strongest_of(tracks, min_frames=config.min_track_frames)
    return FileScore(
        logit=_file_logit(columns["logit"], strongest=strongest, config=config),
        num_faces=len(crops),
        num_tracks=len(tracks),
        num_frames=len(np.unique(columns["frame_index"])),
        strongest_track_id=strongest.track_id,
        strongest_pts_seconds=strongest.max_pts_seconds,
        tracks=tracks,
    )


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
    scores: dict[tuple[str, ...], FileScore] = {}
    for key, rows in positions.items():
        name = key if isinstance(key, tuple) else (key,)
        scores[name] = aggregate_file(crops.iloc[rows], config=config)
    return scores


def _columns_of(crops: pd.DataFrame) -> dict[str, NDArray[Any]]:
    missing = [name for name in _NEEDED if name not in crops.columns]
    if missing:
        raise DataError(f"crops lack the columns {missing}, got {list(crops.columns)}")
    if crops.empty:
        raise DataError("a file without crops has no score")
    columns = {name: crops[name].to_numpy() for name in _NEEDED}
    if "face_px" in crops.columns:
        columns["face_px"] = crops["face_px"].to_numpy(dtype=np.float64)
    columns["logit"] = columns["logit"].astype(np.float64)
    if not np.isfinite(columns["logit"]).all():
        raise DataError("a logit is not a finite number")
    return columns


def _track_score(columns: dict[str, NDArray[Any]], track_id: int) -> TrackScore:
    own = columns["track_id"] == track_id
    logits, times = columns["logit"][own], columns["pts_seconds"][own]
    best = np.lexsort((times, -logits))[0]
    sizes = columns["face_px"][own] if "face_px" in columns else None
    return TrackScore(
        track_id=track_id,
        logit=_mean(logits),
        num_frames=len(np.unique(columns["frame_index"][own])),
        first_pts_seconds=float(times.min()),
        last_pts_seconds=float(times.max()),
        max_logit=float(logits[best]),
        max_pts_seconds=float(times[best]),
        face_px=None if sizes is None else float(np.median(sizes)),
    )


def _strongest_of(tracks: tuple[TrackScore, ...], *, min_frames: int) -> TrackScore:
    long_enough = [track for track in tracks if track.num_frames >= min_frames]
    return min(long_enough or tracks, key=lambda t: (-t.logit, -t.num_frames, t.track_id))


def _file_logit(
    logits: NDArray[np.float64], *, strongest: TrackScore, config: AggregationConfig
) -> float:
    if config.video == "mean":
        return _mean(logits)
    if config.video == "max":
        return float(logits.max())
    return strongest.logit


def _mean(values: NDArray[np.float64]) -> float:
    # fsum is exact, so the order of the rows cannot show in the last bit.
    return math.fsum(values) / len(values)
