"""Compute a detector's head outputs for the crops of a snapshot."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deepfake.config import CropConfig
from deepfake.corpora.shards import Snapshot
from deepfake.detectors.inference import HeadOutputModel
from deepfake.errors import ConfigError
from deepfake.extract.faces import spread_of_colour
from deepfake.extract.options import ingest_options_of
from deepfake.media import decode_crop

__all__ = ["check_crops_fit", "predict_crops"]

_CHUNK = 256
"""Crops decoded at a time: 50 MB at 256 pixels."""


def predict_crops(
    detector: HeadOutputModel[NDArray[np.uint8]],
    snapshot: Snapshot,
    index: pd.DataFrame,
    *,
    crop_of: Callable[[int], NDArray[np.uint8]] | None = None,
    on_done: Callable[[int], None] = lambda _: None,
) -> pd.DataFrame:
    """Return an index with `logit`, whatever else `spec.outputs` names, and `colour`.

    Args:
        detector: The detector.
        snapshot: Whose crops they are.
        index: Rows of its index, in any order.
        crop_of: Gives the crop of a row of `index`, as the detector takes it, for crops that were
            made otherwise; None for crops as they are stored.
        on_done: Called with the number of crops done, after each chunk.

    Returns:
        The rows of `index` in their order, the new columns float64.

    Raises:
        ConfigError: The crops were made otherwise than those that the detector scores.
    """
    if crop_of is None:
        check_crops_fit(snapshot, detector.spec.crop)
        crop_of = _stored_crops(snapshot, index)
    found = {name: np.empty(len(index)) for name in (*detector.spec.outputs, "colour")}
    for start in range(0, len(index), _CHUNK):
        chunk = range(start, min(start + _CHUNK, len(index)))
        crops = [crop_of(row) for row in chunk]
        for name, values in detector.head_outputs(crops).items():
            found[name][start : start + len(chunk)] = values
        found["colour"][chunk.start : chunk.stop] = [spread_of_colour(crop) for crop in crops]
        on_done(start + len(chunk))
    return index.assign(**found)


def _stored_crops(snapshot: Snapshot, index: pd.DataFrame) -> Callable[[int], NDArray[np.uint8]]:
    reader = snapshot.reader()
    places = list(index[["shard", "row"]].itertuples(index=False, name=None))

    def crop_of(row: int) -> NDArray[np.uint8]:
        shard, at = places[row]
        return decode_crop(reader.encoded(shard, int(at)))

    return crop_of


def check_crops_fit(snapshot: Snapshot, crop: CropConfig, *, role: str = "detector") -> None:
    """Reject a snapshot whose crops were made otherwise than those that a detector scores.

    Args:
        snapshot: The crops.
        crop: How the detector's are made.
        role: The detector, for the message.

    Raises:
        ConfigError: They differ; its hint names the options of `ingest`.
    """
    found = snapshot.config.crop
    if crop != found:
        raise ConfigError(
            f"the crops of {snapshot.corpus} were made with {found}, the {role} takes {crop}",
            hint=f"Ingest it with {ingest_options_of(crop)}.",
        )
