"""The logits of a snapshot's crops."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deepfake.errors import ConfigError
from deepfake.inference import Detector
from deepfake.media import decode_crop
from deepfake.shards import Snapshot

__all__ = ["predict_crops"]

_CHUNK = 256
"""Crops decoded at a time: 50 MB at 256 pixels."""


def predict_crops(
    detector: Detector,
    snapshot: Snapshot,
    index: pd.DataFrame,
    *,
    on_done: Callable[[int], None] = lambda _: None,
) -> NDArray[np.float32]:
    """Return a logit for each row of an index.

    Args:
        detector: The detector.
        snapshot: Whose crops they are.
        index: Rows of its index, in any order.
        on_done: Called with the number of crops done, after each chunk.

    Returns:
        Shape (len(index),), float32, in the order of `index`.

    Raises:
        ConfigError: The crops were made otherwise than those that the detector scores.
    """
    _check_crops(detector, snapshot)
    reader = snapshot.reader()
    places = list(index[["shard", "row"]].itertuples(index=False, name=None))
    logits = np.empty(len(places), dtype=np.float32)
    for start in range(0, len(places), _CHUNK):
        chunk = places[start : start + _CHUNK]
        crops = [decode_crop(reader.encoded(shard, int(row))) for shard, row in chunk]
        logits[start : start + len(chunk)] = detector.logits(crops)
        on_done(start + len(chunk))
    return logits


def _check_crops(detector: Detector, snapshot: Snapshot) -> None:
    wanted, found = detector.spec.crop, snapshot.config.crop
    if wanted != found:
        raise ConfigError(
            f"the crops of {snapshot.corpus} were made with {found}, the detector takes {wanted}",
            hint=f"Ingest it with --face-size {wanted.size} --margin {wanted.margin:g} "
            f"--codec {wanted.codec}.",
        )
