"""Taking media out of an ingested corpus, without decoding anything anew."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
from pydantic import ValidationError

from deepfake.config import ExtractConfig, digest_of
from deepfake.corpora.ingest import read_previous_rows, snapshot_digest
from deepfake.corpora.manifest import write_manifest
from deepfake.corpora.shards import (
    INDEX_SCHEMA,
    OUTCOMES_SCHEMA,
    Shard,
    Snapshot,
    list_shards,
    recorded_digest,
    remove_shard,
    rewrite_shard,
    rows_by_crop_id,
    set_latest,
    shards_folder,
)
from deepfake.corpora.shortcuts import find_shortcuts
from deepfake.errors import DataError, ShardError
from deepfake.forgetting.scrub import Subject, Trace, left_of, scrub_json, scrub_table
from deepfake.storage import (
    DataRoot,
    Location,
    folders_in,
    read_json,
    read_table,
    remove_folder,
    write_json,
    write_table,
)

__all__ = ["corpora_of", "forget_in_corpus"]


def corpora_of(root: DataRoot) -> list[str]:
    """Return the names of all corpora of which anything lies under a data root."""
    manifests = (root.path / "manifests").glob("*.parquet")
    found = {path.name.removesuffix(".parquet") for path in manifests}
    found |= {path.name.removesuffix(".json") for path in root.splits.glob("*.json")}
    return sorted(found | set(folders_in(root.path / "shards")))


def forget_in_corpus(
    root: DataRoot, corpus: str, subject: Subject, *, is_dry_run: bool = False
) -> Iterator[Trace]:
    """Remove media from the manifest, the shards and the snapshots of a corpus.

    The newest snapshot is written anew over what is left; older ones that hold them are deleted.
    Killed on the way and called again, it goes on.

    Args:
        root: The data root.
        corpus: Name of the corpus.
        subject: The media.
        is_dry_run: Only say what would be removed.
    """
    yield from _forget_manifest(root, corpus, subject, is_dry_run=is_dry_run)
    corpus_dir = root.corpus_shards(corpus)
    if not corpus_dir.is_dir():
        return
    parts = {
        key: media_ids
        for key, media_ids in list_shards(corpus_dir).items()
        if not subject.media_ids.isdisjoint(media_ids)
    }
    holding = [s for s in _snapshots(corpus_dir, corpus) if _is_holding(s, subject, set(parts))]
    for key, media_ids in parts.items():
        count = len(subject.media_ids & set(media_ids))
        shard = shards_folder(corpus_dir) / f"{key}.arrow"
        yield Trace(str(shard), f"crops of {count} of its {len(media_ids)} media")
    for snapshot in holding:
        yield Trace(str(snapshot.folder), "a snapshot that holds them")
    if is_dry_run:
        return
    replaced = {
        key: _replacement(corpus_dir, corpus, key, media_ids, subject)
        for key, media_ids in parts.items()
    }
    lost = [k for k, p in replaced.items() if p is None and set(parts[k]) - subject.media_ids]
    if lost:
        told = "damaged shards, which leave no snapshot: ingest the corpus again"
        yield Trace(str(corpus_dir / "latest"), f"{told} ({', '.join(lost)})")
    _rebuild_latest(root, corpus, subject, holding=holding, replaced=replaced, is_lost=bool(lost))
    for snapshot in holding:
        # Without its index it is none, wherever the removal stops.
        (snapshot.folder / "index.parquet").unlink(missing_ok=True)
        remove_folder(snapshot.folder)
    for key in parts:
        remove_shard(corpus_dir, key)


def _forget_manifest(
    root: DataRoot, corpus: str, subject: Subject, *, is_dry_run: bool
) -> Iterator[Trace]:
    path = root.manifest(corpus)
    if not path.is_file() or not (count := scrub_table(path, subject, is_dry_run=True)):
        return
    yield Trace(str(path), f"rows: {count}")
    rows = read_previous_rows(root, corpus)
    if is_dry_run:
        return
    if not rows:  # of another schema version: its rows are known by their columns all the same
        scrub_table(path, subject)
        return
    left = [row for row in rows if not subject.is_named_by(row.media_id, row.uri)]
    regrouped = (
        row if row.group is None else replace(row, group=subject.groups.get(row.group, row.group))
        for row in left
    )
    write_manifest(path, regrouped)


def _snapshots(corpus_dir: Location, corpus: str) -> Iterator[Snapshot]:
    for name in folders_in(corpus_dir):
        if (corpus_dir / name / "outcomes.parquet").is_file():
            yield Snapshot(corpus_dir, corpus, name)


def _is_holding(snapshot: Snapshot, subject: Subject, parts: set[str]) -> bool:
    tables = [snapshot.folder / f"{name}.parquet" for name in ("outcomes", "index")]
    if any(path.is_file() and scrub_table(path, subject, is_dry_run=True) for path in tables):
        return True
    return not parts.isdisjoint(_described(snapshot).get("parts", []))


def _described(snapshot: Snapshot) -> dict[str, Any]:
    try:
        return dict(read_json(snapshot.folder / "snapshot.json"))
    except (DataError, ValueError, TypeError):
        return {}


def _replacement(
    corpus_dir: Location, corpus: str, key: str, media_ids: Iterable[str], subject: Subject
) -> Shard | None:
    """Write what is left of a part; None where nothing is, or where it is damaged."""
    had = tuple(media_ids)
    left = tuple(media_id for media_id in had if media_id not in subject.media_ids)
    if not left:
        return None
    settings = _settings_of(corpus_dir, corpus, key, had)
    # What no known settings gave is found by no plan: any name will do.
    new_key = digest_of(settings or key, *left)
    try:
        return rewrite_shard(corpus_dir, key, without=subject.media_ids, new_key=new_key)
    except ShardError:
        return None


def _settings_of(
    corpus_dir: Location, corpus: str, key: str, media_ids: tuple[str, ...]
) -> str | None:
    """Return the digest of the settings that a part was made with, as some snapshot tells them."""
    for snapshot in _snapshots(corpus_dir, corpus):
        told = _described(snapshot)
        try:
            config = ExtractConfig.model_validate(told["config"])
            settings = digest_of(
                "extract", told["step_version"], config.crop_settings, told["detector_weights"]
            )
        except (KeyError, ValidationError):
            continue
        if digest_of(settings, *media_ids) == key:
            return settings
    return None


def _rebuild_latest(
    root: DataRoot,
    corpus: str,
    subject: Subject,
    *,
    holding: Sequence[Snapshot],
    replaced: Mapping[str, Shard | None],
    is_lost: bool,
) -> None:
    """Write the newest snapshot anew, if it holds them, and make the new one the newest."""
    corpus_dir = root.corpus_shards(corpus)
    latest = corpus_dir / "latest"
    digest = latest.read_text(encoding="utf-8").strip() if latest.is_file() else None
    old = next((snapshot for snapshot in holding if snapshot.digest == digest), None)
    if old is None:
        return
    outcomes = left_of(read_table(old.folder / "outcomes.parquet", schema=OUTCOMES_SCHEMA), subject)
    if is_lost or len(outcomes) == 0 or not (old.folder / "index.parquet").is_file():
        latest.unlink()
        return
    index = left_of(read_table(old.folder / "index.parquet", schema=INDEX_SCHEMA), subject)
    moved = _moved(index, corpus_dir, replaced)
    told = _redescribed(_described(old), moved, replaced)
    new = Snapshot(corpus_dir, corpus, _digest(root, old, told, moved, outcomes))
    write_table(new.folder / "outcomes.parquet", outcomes)
    write_json(new.folder / "snapshot.json", told)
    scrub_json(new.folder / "snapshot.json", subject)
    shortcuts = find_shortcuts(moved.to_pandas(), outcomes.to_pandas())
    write_json(new.folder / "shortcuts.json", [found.as_record() for found in shortcuts])
    write_table(new.folder / "index.parquet", moved)
    set_latest(corpus_dir, new.digest)


def _moved(index: pa.Table, corpus_dir: Location, replaced: Mapping[str, Shard | None]) -> pa.Table:
    """Return an index that says where the crops of rewritten shards lie now."""
    places = {
        f"{key}.arrow": (part, rows_by_crop_id(corpus_dir, part.key))
        for key, part in replaced.items()
        if part is not None
    }
    columns = {
        name: index[name].to_pylist() for name in ("crop_id", "shard", "row", "shard_sha256")
    }
    for at, shard in enumerate(columns["shard"]):
        if shard in places:
            part, rows = places[shard]
            columns["shard"][at] = f"{part.key}.arrow"
            columns["row"][at] = rows[columns["crop_id"][at]]
            columns["shard_sha256"][at] = part.sha256
    for name in ("shard", "row", "shard_sha256"):
        field = INDEX_SCHEMA.field(name)
        values = pa.array(columns[name], field.type)
        index = index.set_column(INDEX_SCHEMA.get_field_index(name), field, values)
    return index


def _redescribed(
    told: Mapping[str, Any], index: pa.Table, replaced: Mapping[str, Shard | None]
) -> dict[str, Any]:
    keys = []
    for key in told.get("parts", []):
        part = replaced.get(key)
        if part is not None or key not in replaced:
            keys.append(key if part is None else part.key)
    return {**told, "parts": sorted(keys), "num_crops": len(index)}


def _digest(
    root: DataRoot, old: Snapshot, told: Mapping[str, Any], index: pa.Table, outcomes: pa.Table
) -> str:
    """Return the digest that ingesting what is left would give, where that can be told."""
    rows = read_previous_rows(root, old.corpus)
    noted = [recorded_digest(old.corpus_dir, key) for key in told["parts"]]
    shards = [digest for digest in noted if digest is not None]
    is_whole = len(shards) == len(noted)
    try:
        config = ExtractConfig.model_validate(told["config"])
        if is_whole and {row.uri for row in rows} == set(outcomes["uri"].to_pylist()):
            return snapshot_digest(rows, config=config, shards=shards)
    except (KeyError, ValidationError):
        pass
    return digest_of("without", old.digest, *sorted(set(index["shard_sha256"].to_pylist())))
