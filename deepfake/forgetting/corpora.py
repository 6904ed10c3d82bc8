"""Remove media from an ingested corpus: manifest, shards, snapshots. Nothing is decoded again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from deepfake.config import digest_of
from deepfake.corpora.ingest import extract_digest_of, read_previous_rows, snapshot_digest
from deepfake.corpora.manifest import write_manifest
from deepfake.corpora.shards import (
    LATER_OUTCOME_COLUMNS,
    OUTCOMES_SCHEMA,
    RECORD_SCHEMAS,
    Shard,
    Snapshot,
    list_shards,
    parse_config,
    recorded_digest,
    remove_shard,
    rewrite_shard,
    rows_by_crop_id,
    set_latest,
    shards_folder,
)
from deepfake.corpora.shortcuts import find_shortcuts
from deepfake.errors import DataError, ShardError
from deepfake.forgetting.media_to_forget import MediaToForget, Removal
from deepfake.forgetting.scrub import drop_rows, scrub_json, scrub_table
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

__all__ = ["list_corpora", "remove_from_corpus"]


def list_corpora(root: DataRoot) -> list[str]:
    """Return the names of all corpora that have a manifest, splits or shards under a data root."""
    manifests = (root.path / "manifests").glob("*.parquet")
    found = {path.name.removesuffix(".parquet") for path in manifests}
    found |= {path.name.removesuffix(".json") for path in root.splits.glob("*.json")}
    return sorted(found | set(folders_in(root.path / "shards")))


def remove_from_corpus(
    root: DataRoot, corpus: str, media: MediaToForget, *, is_dry_run: bool = False
) -> Iterator[Removal]:
    """Remove media from the manifest, the shards and the snapshots of a corpus.

    The latest snapshot is replaced by one of the media that are left; older ones that hold the
    media are deleted. If this is killed, the next call completes it.

    Args:
        root: The data root.
        corpus: Name of the corpus.
        media: The media to forget.
        is_dry_run: Only say what would be removed.
    """
    yield from _remove_from_manifest(root, corpus, media, is_dry_run=is_dry_run)
    corpus_dir = root.corpus_shards(corpus)
    if not corpus_dir.is_dir():
        return
    shards = {
        key: media_ids
        for key, media_ids in list_shards(corpus_dir).items()
        if not media.media_ids.isdisjoint(media_ids)
    }
    snapshots = [
        s for s in _snapshots(corpus_dir, corpus) if _is_in_snapshot(s, media, set(shards))
    ]
    for key, media_ids in shards.items():
        count = len(media.media_ids & set(media_ids))
        path = shards_folder(corpus_dir) / f"{key}.arrow"
        yield Removal(
            str(path), f"crops or speech of {count} of its {len(media_ids)} media (the others stay)"
        )
    for snapshot in snapshots:
        yield Removal(
            str(snapshot.folder),
            "a snapshot that holds it (a new one without it replaces the latest)",
        )
    if is_dry_run:
        return
    replaced = {
        key: _rewrite_shard(corpus_dir, corpus, key, media_ids, media)
        for key, media_ids in shards.items()
    }
    lost = [k for k, s in replaced.items() if s is None and set(shards[k]) - media.media_ids]
    if lost:
        what = (
            f"the latest snapshot, of damaged shards: ingest the corpus again ({', '.join(lost)})"
        )
        yield Removal(str(corpus_dir / "latest"), what)
    _replace_latest(root, corpus, media, snapshots, replaced=replaced, is_lost=bool(lost))
    for snapshot in snapshots:
        # A folder without an index is no snapshot, wherever a kill stops the removal.
        (snapshot.folder / "index.parquet").unlink(missing_ok=True)
        remove_folder(snapshot.folder)
    for key in shards:
        remove_shard(corpus_dir, key)


def _remove_from_manifest(
    root: DataRoot, corpus: str, media: MediaToForget, *, is_dry_run: bool
) -> Iterator[Removal]:
    path = root.manifest(corpus)
    if not path.is_file() or not (count := scrub_table(path, media, is_dry_run=True)):
        return
    yield Removal(str(path), f"rows: {count}")
    rows = read_previous_rows(root, corpus)
    if is_dry_run:
        return
    if not rows:  # another schema version, but it has the columns that identify a medium
        scrub_table(path, media)
        return
    left = [row for row in rows if not media.includes(row.media_id, row.uri)]
    regrouped = (
        row if row.group is None else replace(row, group=media.groups.get(row.group, row.group))
        for row in left
    )
    write_manifest(path, regrouped)


def _snapshots(corpus_dir: Location, corpus: str) -> Iterator[Snapshot]:
    for name in folders_in(corpus_dir):
        if (corpus_dir / name / "outcomes.parquet").is_file():
            yield Snapshot(corpus_dir, corpus, name)


def _is_in_snapshot(snapshot: Snapshot, media: MediaToForget, shards: set[str]) -> bool:
    tables = [snapshot.folder / f"{name}.parquet" for name in ("outcomes", "index")]
    if any(path.is_file() and scrub_table(path, media, is_dry_run=True) for path in tables):
        return True
    return not shards.isdisjoint(_read_description(snapshot).get("parts", []))


def _read_description(snapshot: Snapshot) -> dict[str, Any]:
    try:
        return dict(read_json(snapshot.folder / "snapshot.json"))
    except (DataError, ValueError, TypeError):
        return {}


def _rewrite_shard(
    corpus_dir: Location, corpus: str, key: str, media_ids: Iterable[str], media: MediaToForget
) -> Shard | None:
    """Write a shard of the media that are left; None if none are left, or the shard is damaged."""
    before = tuple(media_ids)
    left = tuple(media_id for media_id in before if media_id not in media.media_ids)
    if not left:
        return None
    settings = _settings_digest(corpus_dir, corpus, key, before)
    # The key that ingesting would give it. If no snapshot has its settings, no ingest looks for it.
    new_key = digest_of(settings or key, *left)
    try:
        return rewrite_shard(corpus_dir, key, without=media.media_ids, new_key=new_key)
    except ShardError:
        return None


def _settings_digest(
    corpus_dir: Location, corpus: str, key: str, media_ids: tuple[str, ...]
) -> str | None:
    """Return the digest of the settings that a shard was made with, if a snapshot has them."""
    for snapshot in _snapshots(corpus_dir, corpus):
        description = _read_description(snapshot)
        try:
            settings = extract_digest_of(description, path=snapshot.folder)
        except (KeyError, DataError):
            continue
        if digest_of(settings, *media_ids) == key:
            return settings
    return None


def _replace_latest(
    root: DataRoot,
    corpus: str,
    media: MediaToForget,
    snapshots: Sequence[Snapshot],
    *,
    replaced: Mapping[str, Shard | None],
    is_lost: bool,
) -> None:
    """Replace the latest snapshot, if it is one of `snapshots`, by one without the media."""
    corpus_dir = root.corpus_shards(corpus)
    latest = corpus_dir / "latest"
    digest = latest.read_text(encoding="utf-8").strip() if latest.is_file() else None
    old = next((snapshot for snapshot in snapshots if snapshot.digest == digest), None)
    if old is None:
        return
    outcomes = read_table(
        old.folder / "outcomes.parquet", schema=OUTCOMES_SCHEMA, may_lack=LATER_OUTCOME_COLUMNS
    )
    outcomes = drop_rows(outcomes, media)
    if is_lost or len(outcomes) == 0 or not (old.folder / "index.parquet").is_file():
        latest.unlink()
        return
    schema = RECORD_SCHEMAS[old.kind].index
    index = drop_rows(read_table(old.folder / "index.parquet", schema=schema), media)
    index = _with_new_shards(index, corpus_dir, replaced)
    description = _with_new_shard_keys(_read_description(old), index, replaced)
    new = Snapshot(corpus_dir, corpus, _new_digest(root, old, description, index, outcomes))
    write_table(new.folder / "outcomes.parquet", outcomes)
    write_json(new.folder / "snapshot.json", description)
    scrub_json(new.folder / "snapshot.json", media)
    shortcuts = find_shortcuts(index.to_pandas(), outcomes.to_pandas(), kind=old.kind)
    write_json(new.folder / "shortcuts.json", [found.as_record() for found in shortcuts])
    write_table(new.folder / "index.parquet", index)
    set_latest(corpus_dir, new.digest)


def _with_new_shards(
    index: pa.Table, corpus_dir: Location, replaced: Mapping[str, Shard | None]
) -> pa.Table:
    """Return an index that names the rewritten shards, and the rows of the crops in them."""
    new = {
        f"{key}.arrow": (shard, rows_by_crop_id(corpus_dir, shard.key))
        for key, shard in replaced.items()
        if shard is not None
    }
    columns = {
        name: index[name].to_pylist() for name in ("crop_id", "shard", "row", "shard_sha256")
    }
    for i, name in enumerate(columns["shard"]):
        if name in new:
            shard, rows = new[name]
            columns["shard"][i] = f"{shard.key}.arrow"
            columns["row"][i] = rows[columns["crop_id"][i]]
            columns["shard_sha256"][i] = shard.sha256
    for name in ("shard", "row", "shard_sha256"):
        at = index.schema.get_field_index(name)
        field = index.schema.field(at)
        index = index.set_column(at, field, pa.array(columns[name], field.type))
    return index


def _with_new_shard_keys(
    description: Mapping[str, Any], index: pa.Table, replaced: Mapping[str, Shard | None]
) -> dict[str, Any]:
    keys = []
    for key in description.get("parts", []):
        shard = replaced.get(key)
        if shard is not None or key not in replaced:
            keys.append(key if shard is None else shard.key)
    return {**description, "parts": sorted(keys), "num_crops": len(index)}


def _new_digest(
    root: DataRoot,
    old: Snapshot,
    description: Mapping[str, Any],
    index: pa.Table,
    outcomes: pa.Table,
) -> str:
    """Return the digest that ingesting the media that are left would give, if it can be computed.

    Else one of the old digest and the shards that are left.
    """
    rows = read_previous_rows(root, old.corpus)
    digests = [recorded_digest(old.corpus_dir, key) for key in description["parts"]]
    known = [digest for digest in digests if digest is not None]
    try:
        config = parse_config(description, path=old.folder)
        is_complete = {row.uri for row in rows} == set(outcomes["uri"].to_pylist())
        if len(known) == len(digests) and is_complete:
            return snapshot_digest(rows, config=config, shards=known)
    except (KeyError, DataError):
        pass
    return digest_of("without", old.digest, *sorted(set(index["shard_sha256"].to_pylist())))
