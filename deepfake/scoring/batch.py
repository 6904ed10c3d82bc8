"""Score batches of files in the media workers."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from deepfake.compute.workers import MediaWorkers
from deepfake.config import digest_of
from deepfake.corpora.manifest_row import ManifestRow
from deepfake.detectors.bundles import load_bundle
from deepfake.errors import StoreError
from deepfake.extract.extracted_medium import ExtractRequest
from deepfake.scoring.parts import Part, write_part
from deepfake.scoring.schemas import table_schemas
from deepfake.scoring.score_without_output import score_of_result
from deepfake.scoring.scorer_settings import ScoredMedium, ScorerSetup, score_origin
from deepfake.scoring.setups import find_versions
from deepfake.storage import Location, stat_medium
from deepfake.types import EXPECTED_STATUSES, Status

if TYPE_CHECKING:
    from deepfake.scoring.scorer import Scorer

__all__ = [
    "BatchTotals",
    "ChangedFile",
    "ScoreBatch",
    "ScoreRequest",
    "ScoredBatch",
    "create_score_batch",
    "score_batch",
    "score_unchanged",
]

_FAILURE_COLUMNS = ("uri", "media_id", "status", "error_type", "message")


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """A file to be scored, as it was when it was hashed.

    Attributes:
        uri: Where it is.
        media_id: SHA-256 of its bytes then.
        size_bytes: Size then.
        mtime_ns: Time of the last change then.
    """

    uri: str
    media_id: str
    size_bytes: int | None
    mtime_ns: int | None


@dataclass(frozen=True, slots=True)
class ScoreBatch:
    """Media that are scored together and become one part.

    Attributes:
        parts: Where parts of this version lie.
        key: Names the part.
        run_number: Of the run.
        requests: The media, each once.
    """

    parts: Location
    key: str
    run_number: int
    requests: tuple[ScoreRequest, ...]


def create_score_batch(
    rows: Sequence[ManifestRow], *, parts: Location, version: str, run_number: int
) -> ScoreBatch:
    """Return a batch of probed files.

    Args:
        rows: The files, each with a content of its own.
        parts: Where parts of this version lie.
        version: Digest of detector and settings.
        run_number: Of the run.
    """
    requests = tuple(
        ScoreRequest(row.uri, str(row.media_id), row.size_bytes, row.mtime_ns) for row in rows
    )
    key = digest_of(version, str(run_number), *(request.media_id for request in requests))
    return ScoreBatch(parts, key, run_number, requests)


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """A file that had changed or was gone when its turn to be scored came.

    Attributes:
        uri: Where it was.
        media_id: What it was.
        status: `vanished`, or `error` where it was changed.
        message: One sentence for a person.
    """

    uri: str
    media_id: str
    status: str
    message: str


@dataclass(frozen=True, slots=True)
class BatchTotals:
    """Times and outcomes of a batch, in JSON types.

    Attributes:
        seconds: Wall time.
        extract_seconds: Of reading, decoding, finding and cropping faces, summed over the media.
        classify_seconds: Of everything after, summed over the media.
        statuses: Media by status.
        verdicts: Media by verdict.
        failed: For each medium with an unexpected status its uri, media_id, status,
            error_type and message.
    """

    seconds: float
    extract_seconds: float
    classify_seconds: float
    statuses: dict[str, int]
    verdicts: dict[str, int]
    failed: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class ScoredBatch:
    """A finished batch.

    Attributes:
        part: What was written.
        moved: Files that had changed or were gone, so that the part has no score of them.
        totals: Times and outcomes.
    """

    part: Part
    moved: tuple[ChangedFile, ...]
    totals: BatchTotals

    def as_record(self) -> dict[str, Any]:
        """Return all of it in JSON types."""
        return {
            "key": self.part.key,
            "number": self.part.run_number,
            "media": [list(pair) for pair in self.part.media],
            "moved": [asdict(moved) for moved in self.moved],
            "totals": asdict(self.totals),
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> ScoredBatch:
        """Return the batch of `as_record`."""
        media = tuple((media_id, status) for media_id, status in record["media"])
        return cls(
            Part(record["key"], record["number"], media),
            tuple(ChangedFile(**moved) for moved in record["moved"]),
            BatchTotals(**record["totals"]),
        )


def score_batch(
    batch: ScoreBatch,
    *,
    setup: ScorerSetup,
    workers: MediaWorkers,
    on_done: Callable[[int], None] = lambda _: None,
) -> ScoredBatch:
    """Score a batch in the media workers and write its part.

    Args:
        batch: The media.
        setup: Which detector, and how.
        workers: Set up by `scorer_setup`.
        on_done: Called with the number of media done, after each.
    """
    began = time.monotonic()
    requests = batch.requests
    bundle = load_bundle(setup.detector.path)
    origin = score_origin(setup, bundle=bundle)
    media: list[ScoredMedium] = []
    moved: list[ChangedFile] = []
    for request, result in zip(requests, workers.map(score_unchanged, requests), strict=True):
        if isinstance(result, ChangedFile):
            moved.append(result)
        else:
            media.append(score_of_result(request.uri, request.media_id, result, origin))
        on_done(len(media) + len(moved))
    made_with = {
        "environment": find_versions().model_dump(mode="json"),
        "worker_limits": workers.setup.limits.model_dump(mode="json"),
    }
    part = write_part(
        batch.parts,
        key=batch.key,
        run_number=batch.run_number,
        media=media,
        made_with=made_with,
        schemas=table_schemas(
            bundle.spec, has_voice=setup.voice is not None, has_sync=setup.sync is not None
        ),
    )
    totals = _totals(media, seconds=time.monotonic() - began)
    return ScoredBatch(part, tuple(moved), totals)


def _totals(media: Sequence[ScoredMedium], *, seconds: float) -> BatchTotals:
    scores = [medium.score for medium in media]
    return BatchTotals(
        seconds=seconds,
        extract_seconds=sum(score.seconds or 0.0 for score in scores),
        classify_seconds=sum(medium.classify_seconds for medium in media),
        statuses=dict(Counter(str(score.status) for score in scores)),
        verdicts=dict(Counter(str(score.verdict) for score in scores)),
        failed=[
            {name: score.as_row()[name] for name in _FAILURE_COLUMNS}
            for score in scores
            if score.status not in EXPECTED_STATUSES
        ],
    )


def score_unchanged(scorer: Scorer, request: ScoreRequest) -> ScoredMedium | ChangedFile:
    """Score one file in a worker, if it is still the one that was hashed.

    A score belongs to a content: of a file that changed in between it would be another's.
    """
    scored = scorer.score(ExtractRequest(request.uri, request.media_id))
    if scored.score.error_type == StoreError.__name__:
        return _unknown(request, str(scored.score.reason))
    try:
        found = stat_medium(request.uri)
    except StoreError as error:
        return _unknown(request, error.message)
    except FileNotFoundError:
        message = "the file has disappeared since it was listed"
        return ChangedFile(request.uri, request.media_id, str(Status.VANISHED), message)
    except OSError:
        return scored
    if found == (request.size_bytes, request.mtime_ns):
        return scored
    message = "was changed while it was looked at; the next run looks again"
    return ChangedFile(request.uri, request.media_id, str(Status.ERROR), message)


def _unknown(request: ScoreRequest, reason: str) -> ChangedFile:
    """Return a file that its store did not hand out: no score of it may be kept."""
    message = f"could not be fetched ({reason}); the next run tries again"
    return ChangedFile(request.uri, request.media_id, str(Status.ERROR), message)
