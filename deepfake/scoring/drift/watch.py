"""Count the media of a run and compare them with those that its detector was made with."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from deepfake.corpora.manifest_row import ManifestRow
from deepfake.detectors.bundles import Bundle
from deepfake.errors import DataError, DeepfakeError
from deepfake.scoring.drift import (
    Counts,
    Drift,
    DriftedFeature,
    Reference,
    bytes_per_pixel,
    compare,
    load_reference,
)
from deepfake.scoring.output.tables import open_database, part_rows, reraise_original
from deepfake.scoring.state.finished_scores import FinishedScores
from deepfake.scoring.state.state import ScoringState
from deepfake.storage import Location
from deepfake.types import PICTURE_KINDS, Kind

__all__ = ["DriftResult", "DriftWatch"]

_FEW = 100
"""Media of one run that are enough to be looked at alone."""
_ROWS = 10_000
_FEATURES = ("logit", "face_px", "sharpness", "novelty")


@dataclass(frozen=True, slots=True)
class DriftResult:
    """The result of the comparison.

    Attributes:
        drift: How far the media have moved; None where there is nothing to compare with.
        note: Why there is nothing, or what was compared.
        detector: Digest of the detector.
        data_digests: Corpora that the reference is of.
    """

    drift: Drift | None
    note: str
    detector: str
    data_digests: dict[str, str]

    @property
    def moved(self) -> tuple[DriftedFeature, ...]:
        """The features over the limit, the furthest first."""
        return () if self.drift is None else self.drift.moved

    def as_record(self) -> dict[str, Any]:
        """Return all of it in JSON types."""
        found = self.drift
        return {
            "schema": "deepfake.drift",
            "schema_version": 1,
            "note": self.note,
            "detector": self.detector,
            "reference": self.data_digests or None,
            "limit": None if found is None else found.limit,
            "prior": None if found is None else found.prior,
            "is_drifted": bool(self.moved),
            "features": [] if found is None else [f.as_record() for f in found.features],
        }


class DriftWatch:
    """Counts the media of a run, in memory that does not grow with their number.

    Args:
        bundle: The detector, with or without a reference beside it.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._lacking = "the detector keeps no reference to compare with"
        reference: Reference | None = None
        try:
            reference = load_reference(bundle.path)
        except DataError as error:
            self._lacking = f"no reference: {error.message}"
        self._counts = None if reference is None else Counts(reference)

    def add_probed(self, rows: Iterable[ManifestRow]) -> None:
        """Count files by how strongly they are compressed."""
        if self._counts is None:
            return
        for kind in PICTURE_KINDS:
            own = [row for row in rows if row.kind is kind]
            if own:
                ratios = bytes_per_pixel(
                    [row.size_bytes for row in own],
                    width=[row.width for row in own],
                    height=[row.height for row in own],
                    num_frames=[row.num_frames for row in own],
                    is_video=kind is Kind.VIDEO,
                )
                self._counts.add(kind, {"bytes_per_pixel": ratios})

    def compare(
        self,
        state: ScoringState,
        *,
        parts: Location,
        scratch: Path,
        prior: float | None,
        limit: float,
    ) -> DriftResult:
        """Compare what the run scored, or all that was, where the run scored little.

        Args:
            state: Of the run.
            parts: Where the parts lie.
            scratch: A folder here, for what does not fit into memory.
            prior: Share of fakes expected; None for the detector's own.
            limit: Over which a feature counts as moved.

        Raises:
            DataError: A part is damaged.
        """
        digest = self._bundle.digest
        if self._counts is None:
            return DriftResult(None, self._lacking, digest, {})
        num = state.finished.num_scored_by(state.run)
        is_alone = num >= _FEW
        run = state.run if is_alone else None
        for kind, values in _rows(state.finished, run, parts=parts, scratch=scratch):
            self._counts.add(kind, values)
        found = compare(self._counts, prior=prior or self._bundle.spec.prior, limit=limit)
        note = f"the {num} media of this run" if is_alone else "all media scored so far"
        return DriftResult(found, note, digest, self._counts.reference.data_digests)


def _rows(
    finished: FinishedScores, run: int | None, *, parts: Location, scratch: Path
) -> Iterator[tuple[Kind, dict[str, NDArray[np.float64]]]]:
    """Yield the features of media with a score, ten thousand rows at a time."""
    keys = finished.parts_of(run)
    failed: list[DeepfakeError] = []
    with reraise_original(failed), open_database(scratch) as db:
        db.register("named", _named(finished.iter_scored(run)))
        db.register("scores", part_rows("scores", parts, keys, failed=failed))
        db.register("tracks", part_rows("tracks", parts, keys, failed=failed))
        found = db.sql(
            "SELECT scores.kind, scores.logit, face_px, sharpness, novelty FROM named "
            "JOIN scores ON named.media_id = scores.media_id AND named.part = scores.part "
            "JOIN tracks ON named.media_id = tracks.media_id AND named.part = tracks.part "
            "AND scores.strongest_track_id = tracks.track_id WHERE scores.status = 'ok'"
        )
        for batch in found.to_arrow_reader(_ROWS):
            kinds = batch.column("kind").to_numpy(zero_copy_only=False)
            for kind in PICTURE_KINDS:
                is_own = kinds == str(kind)
                yield kind, {name: _numbers(batch, name)[is_own] for name in _FEATURES}


def _numbers(batch: pa.RecordBatch, name: str) -> NDArray[np.float64]:
    # A null is NaN.
    return np.asarray(batch.column(name).to_numpy(zero_copy_only=False), dtype=np.float64)


_NAMED = pa.schema([("media_id", pa.string()), ("part", pa.string())])


def _named(scored: Iterable[tuple[str, str]]) -> pa.RecordBatchReader:
    def batches() -> Iterator[pa.RecordBatch]:
        rest = iter(scored)
        while rows := list(itertools.islice(rest, _ROWS)):
            columns = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
            yield pa.RecordBatch.from_arrays(columns, schema=_NAMED)

    return pa.RecordBatchReader.from_batches(_NAMED, batches())
