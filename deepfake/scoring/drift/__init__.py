"""Drift: compare scored media with those that a detector was made with."""

from deepfake.scoring.drift.compare import DEFAULT_LIMIT, Drift, DriftedFeature, compare, is_moved
from deepfake.scoring.drift.compression import bytes_per_pixel
from deepfake.scoring.drift.counts import Counts
from deepfake.scoring.drift.reference import (
    REFERENCE_NAME,
    Histogram,
    Reference,
    fit_reference,
    load_reference,
    write_reference,
)
from deepfake.scoring.drift.stability import chance_index, stability_index

__all__ = [
    "DEFAULT_LIMIT",
    "REFERENCE_NAME",
    "Counts",
    "Drift",
    "DriftedFeature",
    "Histogram",
    "Reference",
    "bytes_per_pixel",
    "chance_index",
    "compare",
    "fit_reference",
    "is_moved",
    "load_reference",
    "stability_index",
    "write_reference",
]
