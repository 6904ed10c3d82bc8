"""Build the snapshot of a corpus: the index over its finished shards, and its outcomes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from deepfake import __version__
from deepfake.config import AnyExtractConfig, SpeechExtractConfig, SyncExtractConfig, digest_of
from deepfake.corpora.batches import Batch
from deepfake.corpora.ingest.plan import IngestPlan, extract_digest
from deepfake.corpora.manifest_row import LATER_COLUMNS, ManifestRow, interval_records
from deepfake.corpora.shards import (
    FACES,
    SYNC,
    VOICE,
    Shard,
    Snapshot,
    has_snapshot,
    open_snapshot,
    read_shard,
    set_latest,
    shard_outcomes,
    write_snapshot,
)
from deepfake.corpora.shortcuts import find_shortcuts
from deepfake.errors import ShardError
from deepfake.extract.extracted_medium import (
    SPEECH_STEP_VERSION,
    STEP_VERSION,
    SYNC_STEP_VERSION,
)
from deepfake.extract.faces import weights_digest
from deepfake.storage import DataRoot, Location, write_json
from deepfake.types import Kind, Status

__all__ = ["build_snapshot", "snapshot_digest"]


def build_snapshot(
    root: DataRoot,
    corpus: str,
    rows: Sequence[ManifestRow],
    plan: IngestPlan,
    *,
    config: AnyExtractConfig,
    notes: Mapping[str, Any],
) -> tuple[Snapshot, bool]:
    """Write the index over finished shards, check it for shortcuts, and make it the latest.

    Args:
        root: The data root.
        corpus: Name of the corpus.
        rows: The manifest.
        plan: All of its batches must be finished.
        config: What the crops were made with.
        notes: On the split, for people.

    Returns:
        The snapshot, and whether it is new.

    Raises:
        ShardError: A shard is missing or damaged.
    """
    corpus_dir = root.corpus_shards(corpus)
    shards = [_finished_shard(corpus_dir, batch) for batch in plan.batches]
    digest = snapshot_digest(rows, config=config, shards=[shard.sha256 for shard in shards])
    is_new = not has_snapshot(corpus_dir, digest)
    if is_new:
        write_snapshot(
            corpus_dir,
            corpus=corpus,
            digest=digest,
            media=_media_rows(rows, plan.uris),
            outcomes=_outcome_rows(corpus_dir, rows, shards),
            shards=shards,
            description=_description(corpus, config, shards, notes),
            kind=_kind_of(config),
        )
    snapshot = open_snapshot(root, corpus, digest=digest)
    shortcuts_path = snapshot.folder / "shortcuts.json"
    if not shortcuts_path.is_file():  # also if an earlier run was killed before it wrote them
        shortcuts = find_shortcuts(snapshot.index(), snapshot.outcomes(), kind=snapshot.kind)
        write_json(shortcuts_path, [shortcut.as_record() for shortcut in shortcuts])
    set_latest(corpus_dir, digest)
    return snapshot, is_new


def _finished_shard(corpus_dir: Location, batch: Batch) -> Shard:
    shard = read_shard(corpus_dir, batch.key)
    if shard is None:
        raise ShardError(f"the shard {batch.key} is missing or damaged", path=corpus_dir)
    return shard


def snapshot_digest(
    rows: Iterable[ManifestRow], *, config: AnyExtractConfig, shards: Iterable[str]
) -> str:
    """Return the digest that names a snapshot: of its manifest, settings and shards.

    Args:
        rows: The manifest.
        config: What the crops were made with.
        shards: SHA-256 of each shard.
    """
    sha256 = hashlib.sha256()
    for row in rows:
        sha256.update(repr(_items_of(replace(row, mtime_ns=None))).encode())
    if any(row.status is Status.TOO_LARGE for row in rows):
        sha256.update(config.limits.model_dump_json().encode())
    return digest_of(extract_digest(config), sha256.hexdigest(), "".join(sorted(shards)))


def _items_of(row: ManifestRow) -> list[tuple[str, Any]]:
    """Return the columns that a row's digest depends on: later ones only where they are set."""
    return sorted((k, v) for k, v in asdict(row).items() if v is not None or k not in LATER_COLUMNS)


def _media_rows(rows: Sequence[ManifestRow], uris: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the manifest row of the uri under which each medium was read."""
    media_ids = {uri: media_id for media_id, uri in uris.items()}
    return [{**asdict(r), "media_id": media_ids[r.uri]} for r in rows if r.uri in media_ids]


def _outcome_rows(
    corpus_dir: Location, rows: Sequence[ManifestRow], shards: Sequence[Shard]
) -> list[dict[str, Any]]:
    """Return a row for every file: its manifest row, and the outcome of extracting it."""
    by_media = {
        str(row["media_id"]): row
        for shard in shards
        for row in shard_outcomes(corpus_dir, shard.key)
    }
    return [_outcome_row(row, by_media) for row in rows]


def _outcome_row(row: ManifestRow, by_media: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    described = {k: v if v is None else _plain(v) for k, v in asdict(row).items()}
    described["fake_intervals"] = interval_records(row.fake_intervals)
    outcome = by_media.get(str(row.media_id)) if row.status is Status.OK else None
    if outcome is None:
        return described
    known = {k: v for k, v in outcome.items() if v is not None and k not in {"uri", "media_id"}}
    return {**described, **known}


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, (Kind, Status)) else value


def _description(
    corpus: str, config: AnyExtractConfig, shards: Sequence[Shard], notes: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "corpus": corpus,
        "config": config.model_dump(mode="json"),
        **_made_with(config),
        "package_version": __version__,
        "parts": sorted(shard.key for shard in shards),
        "num_crops": sum(shard.num_crops for shard in shards),
        "split": dict(notes),
    }


def _made_with(config: AnyExtractConfig) -> dict[str, str]:
    if isinstance(config, SpeechExtractConfig):
        return {"kind": VOICE, "step_version": SPEECH_STEP_VERSION}
    if isinstance(config, SyncExtractConfig):
        made_with = {"step_version": SYNC_STEP_VERSION, "detector_weights": weights_digest()}
        return {"kind": SYNC, **made_with}
    return {"step_version": STEP_VERSION, "detector_weights": weights_digest()}


def _kind_of(config: AnyExtractConfig) -> str:
    if isinstance(config, SpeechExtractConfig):
        return VOICE
    return SYNC if isinstance(config, SyncExtractConfig) else FACES
