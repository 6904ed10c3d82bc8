"""Plan which batches of media are extracted, and find those whose shard is on disk already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from deepfake.config import (
    AnyExtractConfig,
    MediaLimits,
    SpeechExtractConfig,
    SyncExtractConfig,
    digest_of,
)
from deepfake.corpora.batches import Batch, MediumToExtract, plan_batches
from deepfake.corpora.manifest_row import ManifestRow
from deepfake.corpora.shards import (
    list_shards,
    open_snapshot,
    parse_config,
    read_shard,
    shard_outcomes,
)
from deepfake.errors import DataError
from deepfake.extract.extracted_medium import (
    SPEECH_STEP_VERSION,
    STEP_VERSION,
    SYNC_STEP_VERSION,
)
from deepfake.extract.faces import weights_digest
from deepfake.storage import DataRoot, Location
from deepfake.types import TRANSIENT_STATUSES, Kind, Status

__all__ = [
    "IngestPlan",
    "extract_digest",
    "extract_digest_of",
    "limits_of_latest",
    "plan_extraction",
]


@dataclass(frozen=True, slots=True)
class IngestPlan:
    """The batches of a snapshot, and which of them are done.

    Attributes:
        batches: Every batch of the snapshot.
        finished: Keys of the batches whose shard is on disk, undamaged.
        uris: The uri under which each medium is read, by media_id.
    """

    batches: tuple[Batch, ...]
    finished: frozenset[str]
    uris: Mapping[str, str]

    @property
    def unfinished(self) -> tuple[Batch, ...]:
        """The batches that are still to be extracted."""
        return tuple(batch for batch in self.batches if batch.key not in self.finished)


def extract_digest(config: AnyExtractConfig) -> str:
    """Return the digest of all that can change a record: settings, code version, face detector."""
    if isinstance(config, SpeechExtractConfig):
        return digest_of("extract_speech", SPEECH_STEP_VERSION, config.window_settings)
    if isinstance(config, SyncExtractConfig):
        return digest_of("extract_sync", SYNC_STEP_VERSION, config.run_settings, weights_digest())
    return digest_of("extract", STEP_VERSION, config.crop_settings, weights_digest())


def extract_digest_of(description: Mapping[str, Any], *, path: Location) -> str:
    """Return what `extract_digest` was when a snapshot was made.

    Args:
        description: Of its `snapshot.json`.
        path: The snapshot, for messages.

    Raises:
        KeyError: The description lacks a version.
        ShardError: Its settings are damaged.
    """
    config, version = parse_config(description, path=path), description["step_version"]
    if isinstance(config, SpeechExtractConfig):
        return digest_of("extract_speech", version, config.window_settings)
    weights = description["detector_weights"]
    if isinstance(config, SyncExtractConfig):
        return digest_of("extract_sync", version, config.run_settings, weights)
    return digest_of("extract", version, config.crop_settings, weights)


def plan_extraction(
    root: DataRoot,
    corpus: str,
    rows: Iterable[ManifestRow],
    *,
    config: AnyExtractConfig,
    max_files: int | None = None,
    is_retrying_failed: bool = False,
) -> IngestPlan:
    """Divide the media of a corpus into batches, and find those that are done.

    Args:
        root: The data root.
        corpus: Name of the corpus.
        rows: The manifest.
        config: Everything that can change a record.
        max_files: Files of a batch.
        is_retrying_failed: Whether to repeat batches in which a file timed out, crashed its worker
            or ran out of memory. Batches in which a file was too large are repeated if the latest
            snapshot was made with other limits.
    """
    uris = _uris_by_media(rows)
    corpus_dir = root.corpus_shards(corpus)
    retried = TRANSIENT_STATUSES if is_retrying_failed else frozenset[Status]()
    if limits_of_latest(root, corpus) != config.limits:
        retried |= {Status.TOO_LARGE}
    on_disk = list_shards(corpus_dir)
    batches = plan_batches(
        [MediumToExtract(media_id, kind) for media_id, (_, kind) in uris.items()],
        settings_digest=extract_digest(config),
        known=_shards_of_latest(root, corpus, on_disk),
        finished=on_disk,
        max_files=max_files,
    )
    finished = frozenset(
        batch.key
        for batch in batches
        if batch.key in on_disk
        and read_shard(corpus_dir, batch.key) is not None
        and not (retried and _has_outcome(corpus_dir, batch.key, retried))
    )
    return IngestPlan(
        tuple(batches), finished, {media_id: uri for media_id, (uri, _) in uris.items()}
    )


def _uris_by_media(rows: Iterable[ManifestRow]) -> dict[str, tuple[str, Kind]]:
    """Return one uri and the kind of each readable medium, in the order of the uris.

    Of several files with the same content, one that has a label is taken.
    """
    found: dict[str, tuple[str, Kind]] = {}
    for row in sorted(rows, key=lambda row: (row.label is None, row.uri)):
        if row.status is Status.OK and row.media_id is not None and row.kind is not None:
            found.setdefault(row.media_id, (row.uri, Kind(row.kind)))
    return dict(sorted(found.items(), key=lambda item: item[1][0]))


def _shards_of_latest(
    root: DataRoot, corpus: str, on_disk: Mapping[str, Sequence[str]]
) -> dict[str, Sequence[str]]:
    try:
        keys = open_snapshot(root, corpus).description().get("parts", [])
    except DataError:
        return {}
    return {key: on_disk[key] for key in keys if key in on_disk}


def limits_of_latest(root: DataRoot, corpus: str) -> MediaLimits | None:
    """Return the limits that the latest snapshot was made with; None without a snapshot."""
    try:
        return open_snapshot(root, corpus).any_config.limits
    except DataError:
        return None


def _has_outcome(corpus_dir: Location, key: str, statuses: Set[Status]) -> bool:
    return any(Status(row["status"]) in statuses for row in shard_outcomes(corpus_dir, key))
