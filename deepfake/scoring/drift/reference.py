"""The reference of drift: histograms of the media that a detector was made with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError, model_validator

from deepfake.config import StoredRecord, first_problem
from deepfake.errors import DataError
from deepfake.storage import write_json
from deepfake.types import Label

__all__ = [
    "REFERENCE_NAME",
    "Histogram",
    "Reference",
    "fit_reference",
    "load_reference",
    "write_reference",
]

REFERENCE_NAME = "reference.json"
"""Beside the description and the weights, and no part of their digest: it moves no score."""

_NUM_BINS = 10
_MIN_SAMPLES = 50
"""Fewer say next to nothing of a tenth of a distribution."""
_MAX_BYTES = 2**20

_Edge = Annotated[float, Field(allow_inf_nan=False)]
_Count = Annotated[int, Field(ge=0)]


class Histogram(StoredRecord):
    """How one feature was distributed.

    Attributes:
        edges: Between bins, ascending; the outermost bins are open. A value on an edge lies above.
        counts: Files of each bin, by label.
    """

    edges: tuple[_Edge, ...] = Field(min_length=1, max_length=100)
    counts: dict[Label, tuple[_Count, ...]] = Field(min_length=1)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if any(a >= b for a, b in zip(self.edges, self.edges[1:], strict=False)):
            raise ValueError("edges must ascend")
        if any(len(counts) != self.num_bins for counts in self.counts.values()):
            raise ValueError(f"{len(self.edges)} edges make {self.num_bins} bins")
        if not all(sum(counts) for counts in self.counts.values()):
            raise ValueError("a label without a file")
        return self

    @property
    def num_bins(self) -> int:
        """Bins, the two open ones among them."""
        return len(self.edges) + 1

    @property
    def num_samples(self) -> int:
        """Files of all labels."""
        return sum(sum(counts) for counts in self.counts.values())

    def count(self, values: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return how many values lie in each bin, shape (B,); what is not finite in none."""
        known = values[np.isfinite(values)]
        places = np.searchsorted(np.array(self.edges), known, side="right")
        return np.bincount(places, minlength=self.num_bins).astype(np.int64)


class Reference(StoredRecord):
    """The distributions of a detector's own media.

    Attributes:
        features: By kind of media (`image`, `video`) and name.
        data_digests: Corpus -> digest of the snapshot whose `val` part it is of.
    """

    schema_name: Literal["deepfake.reference"] = "deepfake.reference"
    schema_version: Literal[1] = 1
    features: dict[str, dict[str, Histogram]]
    data_digests: dict[str, str] = Field(default_factory=dict)


def fit_reference(
    values: Mapping[str, Mapping[str, NDArray[np.float64]]],
    *,
    labels: Mapping[str, NDArray[np.float64]],
    data_digests: Mapping[str, str],
) -> Reference | None:
    """Return the histograms of files, in bins of equal mass.

    Args:
        values: Of each kind and feature a value a file, shape (N,); NaN where it is not known.
        labels: Of each kind, 1 fake, 0 real, shape (N,).
        data_digests: Corpus -> digest.

    Returns:
        None where there are too few files of every kind.
    """
    found: dict[str, dict[str, Histogram]] = {}
    for kind, features in values.items():
        fitted = {name: _histogram(column, labels[kind]) for name, column in features.items()}
        known = {name: histogram for name, histogram in fitted.items() if histogram is not None}
        if known:
            found[str(kind)] = known
    return Reference(features=found, data_digests=dict(data_digests)) if found else None


def _histogram(values: NDArray[np.float64], labels: NDArray[np.float64]) -> Histogram | None:
    is_known = np.isfinite(values)
    known, classes = values[is_known], labels[is_known]
    if len(known) < _MIN_SAMPLES:
        return None
    inner = np.linspace(0, 1, _NUM_BINS + 1)[1:-1]
    edges = np.unique(np.quantile(known, inner))
    # Where all are alike the lowest edge would leave a bin without anything below it.
    edges = edges[edges > known.min()]
    if not len(edges):
        return None
    places = np.searchsorted(edges, known, side="right")
    codes = {Label.REAL: 0.0, Label.FAKE: 1.0}
    counts = {
        label: tuple(int(n) for n in np.bincount(places[classes == code], minlength=len(edges) + 1))
        for label, code in codes.items()
        if (classes == code).any()
    }
    return Histogram(edges=tuple(float(edge) for edge in edges), counts=counts)


def write_reference(bundle: Path, reference: Reference) -> None:
    """Put a reference beside a bundle."""
    write_json(bundle / REFERENCE_NAME, reference.model_dump(mode="json"))


def load_reference(bundle: Path) -> Reference | None:
    """Return the reference that lies beside a bundle; None where there is none.

    Raises:
        DataError: What lies there is none.
    """
    path = bundle / REFERENCE_NAME
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise DataError(f"larger than {_MAX_BYTES} bytes", path=path)
        record: Any = json.loads(path.read_bytes())
        return Reference.model_validate(record)
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise DataError(f"no reference ({first_problem(error)})", path=path) from error
    except DataError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"the reference cannot be read ({error})", path=path) from error
