"""Say in a sentence how media differ from those that a detector was calibrated on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deepfake.scoring.drift.compare import is_moved

__all__ = ["describe_drift"]

_PLURALS = {"image": "pictures", "video": "videos"}
_SENTENCES = {
    "logit": "the scores of these {files} are distributed otherwise",
    "face_px": "the faces in these {files} are larger or smaller",
    "sharpness": "the faces in these {files} are sharper or more blurred",
    "novelty": "the faces in these {files} are less like those that the detector learnt from",
    "bytes_per_pixel": "these {files} are compressed more or less",
}
_OTHER = "the {name} of these {files} is distributed otherwise"


def describe_drift(feature: Mapping[str, Any], *, limit: float, note: str) -> str:
    """Return a sentence on one feature, and behind it the measure.

    Args:
        feature: A record of `DriftedFeature` that has an index.
        limit: Over which a feature counts as moved.
        note: Which media were compared.

    Example:
        >>> feature = {"name": "face_px", "kind": "image", "level": "moved"}
        >>> feature |= {"index": 0.321, "num_media": 60}
        >>> describe_drift(feature, limit=0.25, note="all media").partition(":")[0]
        'the faces in these pictures are larger or smaller than those of the calibration'
    """
    name, kind = str(feature["name"]), str(feature["kind"])
    files = _PLURALS.get(kind, f"{kind}s")
    measure = (
        f"{name}: population stability index {feature['index']:.2f}, limit {limit:g}; "
        f"{feature['num_media']} media, {note}"
    )
    if not is_moved(feature):
        return f"these {files} look like those of the calibration (furthest away is {measure})"
    sentence = _SENTENCES.get(name, _OTHER).format(files=files, name=name)
    return f"{sentence} than those of the calibration: trust the verdicts less ({measure})"
