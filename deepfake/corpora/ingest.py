"""A labelled corpus to a snapshot of face crops, in steps that each leave something on disk."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from deepfake import __version__
from deepfake.compute.workers import Failure, MediaWorkers, WorkerSetup
from deepfake.config import (
    DecoderName,
    ExtractConfig,
    MediaLimits,
    SplitConfig,
    WorkerLimits,
    digest_of,
)
from deepfake.corpora.batches import Batch, Work, plan_batches
from deepfake.corpora.layouts import check_contradictions
from deepfake.corpora.manifest import ManifestRow, read_manifest, write_manifest
from deepfake.corpora.shards import (
    Part,
    Snapshot,
    crop_records,
    is_snapshot,
    list_parts,
    name_latest,
    open_snapshot,
    part_outcomes,
    read_part,
    write_part,
    write_snapshot,
)
from deepfake.corpora.shortcuts import find_shortcuts
from deepfake.corpora.splits import assign_splits, read_assignments, write_assignments
from deepfake.detectors.on_device import device_setup
from deepfake.errors import DataError, ShardError
from deepfake.extract.extractor import (
    STEP_VERSION,
    ExtractedMedium,
    ExtractorSetup,
    ExtractRequest,
    create_extractor,
    extract_medium,
)
from deepfake.extract.faces import weights_digest
from deepfake.storage import DataRoot, Location, write_json
from deepfake.types import TRANSIENT_STATUSES, Kind, Outcome, Status

__all__ = [
    "BatchResult",
    "IngestPlan",
    "build_snapshot",
    "describe_before",
    "extract_batch",
    "extract_digest",
    "plan_extraction",
    "settle_manifest",
    "snapshot_digest",
    "worker_setup",
]


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What a batch left on disk.

    Attributes:
        key: Name of the part.
        num_crops: Crops in it.
        statuses: How many media ended in each status.
        seconds: Wall time.
    """

    key: str
    num_crops: int
    statuses: dict[str, int]
    seconds: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True)
class IngestPlan:
    """What is to be extracted, and what already lies there.

    Attributes:
        batches: Every batch of the snapshot.
        finished: Keys of those whose part is on disk, whole.
        uris: The name under which each medium is read.
    """

    batches: tuple[Batch, ...]
    finished: frozenset[str]
    uris: Mapping[str, str]

    @property
    def unfinished(self) -> tuple[Batch, ...]:
        """The batches that are still to be done."""
        return tuple(batch for batch in self.batches if batch.key not in self.finished)


def extract_digest(config: ExtractConfig) -> str:
    """Return the digest of all that can change a crop: settings, code version, detector weights."""
    return digest_of("extract", STEP_VERSION, config.crop_settings, weights_digest())


def worker_setup(
    config: ExtractConfig,
    *,
    decoder: DecoderName = "pyav",
    device: str = "cpu",
    cache: Path | None = None,
    limits: WorkerLimits | None = None,
    num_workers: int = 0,
) -> WorkerSetup:
    """Return the set-up of workers that extract."""
    return WorkerSetup(
        create=create_extractor,
        argument=ExtractorSetup(config, decoder, device, cache),
        limits=limits or WorkerLimits(),
        num_workers=num_workers,
        device=device_setup(device),
    )


def settle_manifest(
    root: DataRoot, corpus: str, rows: Sequence[ManifestRow], *, split: SplitConfig
) -> tuple[list[ManifestRow], dict[str, Any]]:
    """Check probed rows against each other, assign groups and splits, and write the manifest.

    Args:
        root: The data root.
        corpus: Name of the corpus.
        rows: Scanned and probed.
        split: How groups are given to splits.

    Returns:
        The rows as written, and notes on the split for people.

    Raises:
        SplitLeakageError: The corpus's own lists leak.
    """
    checked = check_contradictions(rows)
    kept_path = root.splits / f"{corpus}.json"
    kept = read_assignments(kept_path) if kept_path.is_file() else None
    result = assign_splits(checked, config=split, kept=kept)
    write_assignments(kept_path, result.assignments)
    write_manifest(root.manifest(corpus), result.rows)
    notes = {
        "strategy": result.strategy,
        "shared_identities": [asdict(shared) for shared in result.shared_identities],
        "notes": list(result.notes),
    }
    return list(result.rows), notes


def plan_extraction(
    root: DataRoot,
    corpus: str,
    rows: Iterable[ManifestRow],
    *,
    config: ExtractConfig,
    max_files: int | None = None,
    is_retrying_failed: bool = False,
) -> IngestPlan:
    """Return the batches of a corpus and which of them lie on disk already.

    Args:
        root: The data root.
        corpus: Name of the corpus.
        rows: The manifest.
        config: Everything that can change a crop.
        max_files: Of a batch.
        is_retrying_failed: Whether batches in which a file timed out, crashed its worker or ran
            out of memory are done again. Those in which one was too large are if the latest
            snapshot was made with other limits.
    """
    uris: dict[str, str] = {}
    work: list[Work] = []
    # Of a content with several names, one that has a label speaks.
    for row in sorted(rows, key=lambda row: (row.label is None, row.uri)):
        is_usable = row.status is Status.OK and row.media_id is not None and row.kind is not None
        if is_usable and row.media_id not in uris:
            uris[str(row.media_id)] = row.uri
            work.append(Work(str(row.media_id), Kind(str(row.kind))))
    work.sort(key=lambda item: uris[item.media_id])
    corpus_dir = root.corpus_shards(corpus)
    again = TRANSIENT_STATUSES if is_retrying_failed else frozenset[Status]()
    if _limits_of_latest(root, corpus) != config.limits:
        again |= {Status.TOO_LARGE}
    every = list_parts(corpus_dir)
    batches = plan_batches(
        work,
        settings_digest=extract_digest(config),
        known=_parts_of_latest(root, corpus, every),
        finished=every,
        max_files=max_files,
    )
    finished = frozenset(
        batch.key
        for batch in batches
        if batch.key in every
        and read_part(corpus_dir, batch.key) is not None
        and not (again and _has_outcome(corpus_dir, batch.key, again))
    )
    return IngestPlan(tuple(batches), finished, uris)


def _parts_of_latest(
    root: DataRoot, corpus: str, every: Mapping[str, Sequence[str]]
) -> dict[str, Sequence[str]]:
    try:
        named = open_snapshot(root, corpus).description().get("parts", [])
    except DataError:
        return {}
    return {key: every[key] for key in named if key in every}


def _limits_of_latest(root: DataRoot, corpus: str) -> MediaLimits | None:
    try:
        return open_snapshot(root, corpus).config.limits
    except DataError:
        return None


def _has_outcome(corpus_dir: Location, key: str, statuses: Set[Status]) -> bool:
    return any(Status(row["status"]) in statuses for row in part_outcomes(corpus_dir, key))


def extract_batch(
    corpus_dir: Location,
    batch: Batch,
    *,
    uris: Mapping[str, str],
    workers: MediaWorkers,
    on_done: Callable[[int], None] = lambda _: None,
) -> BatchResult:
    """Extract a batch in the media workers and write its part.

    Args:
        corpus_dir: The folder of the corpus's shards.
        batch: The media.
        uris: Where each is read.
        workers: Set up by `worker_setup`.
        on_done: Called with the number of media done, after each.
    """
    began = time.monotonic()
    requests = [ExtractRequest(uris[media_id], media_id) for media_id in batch.media_ids]
    records: list[dict[str, Any]] = []
    outcomes: list[Outcome] = []
    for request, result in zip(requests, workers.map(extract_medium, requests), strict=True):
        medium = _again_with_pyav(request, result, workers)
        outcomes.append(medium.outcome)
        if medium.kind is not None:
            records += crop_records(
                request.media_id, str(medium.kind), medium.crops, frame_wh=medium.frame_wh
            )
        on_done(len(outcomes))
    part = write_part(corpus_dir, key=batch.key, records=records, outcomes=outcomes)
    statuses = dict(Counter(str(outcome.status) for outcome in outcomes))
    return BatchResult(batch.key, part.num_crops, statuses, time.monotonic() - began)


def _again_with_pyav(
    request: ExtractRequest, result: ExtractedMedium | Failure, workers: MediaWorkers
) -> ExtractedMedium:
    """Give a file that twice killed its worker another try, with the decoder that does not abort.

    decord does, over damage that PyAV reads around.
    """
    is_dead = isinstance(result, Failure) and result.status is Status.CRASHED
    if is_dead and workers.setup.argument.decoder != "pyav":
        (result,) = workers.map(extract_medium, [replace(request, decoder="pyav")])
    if not isinstance(result, Failure):
        return result
    return ExtractedMedium(
        Outcome(
            uri=request.uri,
            media_id=request.media_id,
            status=result.status,
            error_type=result.error_type,
            message=result.message,
        )
    )


def build_snapshot(
    root: DataRoot,
    corpus: str,
    rows: Sequence[ManifestRow],
    plan: IngestPlan,
    *,
    config: ExtractConfig,
    notes: Mapping[str, Any],
) -> tuple[Snapshot, bool]:
    """Write the index over finished parts, check it for shortcuts, and make it the latest.

    Args:
        root: The data root.
        corpus: Name of the corpus.
        rows: The manifest.
        plan: Whose batches are all finished.
        config: What the crops were made with.
        notes: On the split, for people.

    Returns:
        The snapshot, and whether it is new.

    Raises:
        ShardError: A part is missing or damaged.
    """
    corpus_dir = root.corpus_shards(corpus)
    parts = [_finished_part(corpus_dir, batch) for batch in plan.batches]
    digest = snapshot_digest(rows, config=config, shards=[p.shard_sha256 for p in parts])
    is_new = not is_snapshot(corpus_dir, digest)
    if is_new:
        _write_snapshot(
            corpus_dir,
            corpus=corpus,
            digest=digest,
            rows=rows,
            uris=plan.uris,
            parts=parts,
            description=_description(corpus, config, parts, notes),
        )
    snapshot = open_snapshot(root, corpus, digest=digest)
    told = snapshot.folder / "shortcuts.json"
    if not told.is_file():  # or the run that wrote the index was killed before this
        shortcuts = find_shortcuts(snapshot.index(), snapshot.outcomes())
        write_json(told, [s.as_record() for s in shortcuts])
    name_latest(corpus_dir, digest)
    return snapshot, is_new


def _write_snapshot(
    corpus_dir: Location,
    *,
    corpus: str,
    digest: str,
    rows: Sequence[ManifestRow],
    uris: Mapping[str, str],
    parts: Sequence[Part],
    description: Mapping[str, Any],
) -> None:
    by_media = {
        str(row["media_id"]): row for p in parts for row in part_outcomes(corpus_dir, p.key)
    }
    first = {uri: media_id for media_id, uri in uris.items()}
    write_snapshot(
        corpus_dir,
        corpus=corpus,
        digest=digest,
        media=[{**asdict(row), "media_id": first[row.uri]} for row in rows if row.uri in first],
        outcomes=[_outcome_row(row, by_media) for row in rows],
        parts=parts,
        description=description,
    )


def _finished_part(corpus_dir: Location, batch: Batch) -> Part:
    part = read_part(corpus_dir, batch.key)
    if part is None:
        raise ShardError(f"the part {batch.key} is missing or damaged", path=corpus_dir)
    return part


def snapshot_digest(
    rows: Iterable[ManifestRow], *, config: ExtractConfig, shards: Iterable[str]
) -> str:
    """Name a snapshot after its media, what is said of them, and how the crops were made.

    Args:
        rows: The manifest.
        config: What the crops were made with.
        shards: SHA-256 of each shard.
    """
    told = hashlib.sha256()
    for row in rows:
        plain = replace(row, mtime_ns=None)
        told.update(repr(sorted(asdict(plain).items())).encode())
    if any(row.status is Status.TOO_LARGE for row in rows):
        told.update(config.limits.model_dump_json().encode())
    return digest_of(extract_digest(config), told.hexdigest(), "".join(sorted(shards)))


def _outcome_row(row: ManifestRow, by_media: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    own = {k: v if v is None else _plain(v) for k, v in asdict(row).items()}
    medium = by_media.get(str(row.media_id)) if row.status is Status.OK else None
    if medium is None:
        return own
    found = {k: v for k, v in medium.items() if v is not None and k not in {"uri", "media_id"}}
    return {**own, **found}


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, (Kind, Status)) else value


def _description(
    corpus: str, config: ExtractConfig, parts: Sequence[Part], notes: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "corpus": corpus,
        "config": config.model_dump(mode="json"),
        "step_version": STEP_VERSION,
        "detector_weights": weights_digest(),
        "package_version": __version__,
        "parts": sorted(part.key for part in parts),
        "num_crops": sum(part.num_crops for part in parts),
        "split": dict(notes),
    }


def describe_before(
    root: DataRoot, corpus: str, *, limits: MediaLimits | None = None
) -> list[ManifestRow]:
    """Return the rows of the corpus's last manifest; none where there is none or it is foreign.

    Args:
        root: The data root.
        corpus: Name of the corpus.
        limits: Leave out what was too large under other limits than these; None returns it too.
    """
    path = root.manifest(corpus)
    try:
        rows = read_manifest(path) if path.is_file() else []
    except DataError:
        return []
    if limits is None or _limits_of_latest(root, corpus) == limits:
        return rows
    return [row for row in rows if row.status is not Status.TOO_LARGE]
