"""Fit the reference that drift is measured against, from the files of a calibration."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deepfake.config import AggregationConfig
from deepfake.corpora.shards import Snapshot
from deepfake.scoring.drift import Reference, bytes_per_pixel, fit_reference
from deepfake.training.calibrate.file_scores import KEYS, file_scores
from deepfake.types import PICTURE_KINDS, Kind

__all__ = ["reference_of_crops"]

_OF_FACES = ("face_px", "sharpness", "novelty")


def reference_of_crops(
    crops: pd.DataFrame, *, snapshots: Sequence[Snapshot], aggregation: AggregationConfig
) -> Reference | None:
    """Return the distributions of the files of some crops, as scoring sees files.

    Args:
        crops: With logits, and the columns of the index.
        snapshots: Of the crops.
        aggregation: How crops become a file.

    Returns:
        None where there are too few.
    """
    sizes = pd.concat([_sizes(snapshot) for snapshot in snapshots])
    values: dict[str, dict[str, NDArray[np.float64]]] = {}
    labels: dict[str, NDArray[np.float64]] = {}
    for kind in PICTURE_KINDS:
        own = crops[crops["kind"] == str(kind)]
        if own.empty:
            continue
        labels[kind], scores = file_scores(own, aggregation=aggregation)
        files = own.drop_duplicates(KEYS)[KEYS]
        bytes_a_pixel = files.join(sizes, on=KEYS)["bytes_per_pixel"]
        values[kind] = {
            "logit": np.array([score.logit for score in scores], dtype=np.float64),
            **{
                name: np.array([getattr(s.strongest, name) for s in scores], dtype=np.float64)
                for name in _OF_FACES
            },
            "bytes_per_pixel": bytes_a_pixel.to_numpy(dtype=np.float64),
        }
    digests = {snapshot.corpus: snapshot.digest for snapshot in snapshots}
    return fit_reference(values, labels=labels, data_digests=digests)


def _sizes(snapshot: Snapshot) -> pd.DataFrame:
    """Return bytes a pixel of a frame, indexed by corpus and uri."""
    outcomes = snapshot.outcomes()
    size, width, height, num_frames = (
        outcomes[name].to_numpy(dtype=np.float64, na_value=np.nan)
        for name in ("size_bytes", "width", "height", "num_frames")
    )
    ratio = bytes_per_pixel(
        size,
        width=width,
        height=height,
        num_frames=num_frames,
        is_video=outcomes["kind"] == str(Kind.VIDEO),
    )
    return outcomes[KEYS].assign(bytes_per_pixel=ratio).set_index(KEYS)
