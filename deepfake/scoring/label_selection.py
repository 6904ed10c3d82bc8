"""Select media for a person to label: those that the detector is least sure of."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from deepfake.errors import ConfigError, DataError
from deepfake.scoring.schemas import LATER_COLUMNS, SCORES_SCHEMA
from deepfake.storage import Location, check_schema, local_copy
from deepfake.types import Kind, Verdict

__all__ = ["UncertainMedium", "labelling_csv", "least_certain"]

_COLUMNS = ["uri", "media_id", "kind", "status", "verdict", "prob_fake"]


@dataclass(frozen=True, slots=True)
class UncertainMedium:
    """A medium that is worth a label.

    Attributes:
        uri: One of its names; the first by the alphabet that is there.
        media_id: Of its content.
        verdict: What the detector said.
        prob_fake: How probable.
    """

    uri: str
    media_id: str
    verdict: Verdict
    prob_fake: float


def least_certain(folder: Location, *, num: int) -> list[UncertainMedium]:
    """Return the media that a detector is least sure of, each content once.

    First those with the verdict `uncertain`, then the others; within both those first whose
    probability is nearest to where the verdict changes. That place is read off the table: 0.5, or
    what is nearest to it between the surest `real` and the least sure `fake` of the kind. Files
    that are no longer there are left out, and names that a CSV cannot bring back.

    Args:
        folder: Where scores went; its tables are those of the last run.
        num: How many, at most.

    Raises:
        ConfigError: `num` is not positive.
        DataError: There is no table, or it is of another version of this program.
    """
    if num < 1:
        raise ConfigError(f"expected at least 1 medium, got {num}")
    path = folder / "scores.parquet"
    if not path.is_file():
        raise DataError(
            "no scores here", path=folder, hint="Name what was --output of `deepfake score`."
        )
    check_schema(path, SCORES_SCHEMA, may_lack=LATER_COLUMNS["scores"])
    with local_copy(path) as local:
        return list(itertools.islice(_ordered(local), num))


def _ordered(path: Path) -> Iterator[UncertainMedium]:
    decisions = _decisions(path)
    whens = " ".join(f"WHEN '{kind}' THEN {at!r}" for kind, at in decisions.items())
    with duckdb.connect() as db, pq.ParquetFile(path) as source:
        db.register("scores", _reader(source))
        rows = db.sql(
            "SELECT uri, media_id, verdict, prob_fake FROM scores WHERE status = 'ok' "
            f"ORDER BY verdict != '{Verdict.UNCERTAIN}', "
            f"abs(prob_fake - CASE kind {whens} ELSE 0.5 END), media_id, uri"
        )
        seen: set[str] = set()
        for batch in rows.to_arrow_reader(1000):
            for uri, media_id, verdict, prob in zip(*batch.to_pydict().values(), strict=True):
                if media_id not in seen and _is_usable(uri):
                    seen.add(media_id)
                    yield UncertainMedium(uri, media_id, Verdict(verdict), prob)


def _decisions(path: Path) -> dict[Kind, float]:
    """Return for each kind the probability at which real becomes fake."""
    with duckdb.connect() as db, pq.ParquetFile(path) as source:
        db.register("scores", _reader(source))
        rows = db.sql(
            f"SELECT kind, max(prob_fake) FILTER (verdict = '{Verdict.REAL}'), "
            f"min(prob_fake) FILTER (verdict = '{Verdict.FAKE}') "
            "FROM scores WHERE status = 'ok' GROUP BY kind"
        ).fetchall()
    return {
        Kind(kind): min(max(0.5, real or 0.0), 1.0 if fake is None else fake)
        for kind, real, fake in rows
    }


def _reader(source: pq.ParquetFile) -> pa.RecordBatchReader:
    schema = pa.schema([SCORES_SCHEMA.field(name) for name in _COLUMNS])
    return pa.RecordBatchReader.from_batches(schema, source.iter_batches(columns=_COLUMNS))


def _is_usable(uri: str) -> bool:
    # The layout `csv` takes paths of this machine, and blanks around a cell are no part of it.
    return "://" not in uri and uri == uri.strip() and Path(uri).is_file()


def labelling_csv(media: list[UncertainMedium]) -> str:
    """Return a CSV for `ingest --layout csv`, whose column `label` is for a person to fill in."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["uri", "label"])
    writer.writerows([medium.uri, ""] for medium in media)
    return text.getvalue()
