"""Which media are meant: every content and every name that is known of them."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from deepfake.errors import ConfigError, DataError, UnreadableMediaError
from deepfake.forgetting.known_media import names_and_contents
from deepfake.forgetting.scrub import Subject
from deepfake.scoring import ScoresFolder
from deepfake.storage import (
    DataRoot,
    Location,
    StorePath,
    location_of,
    map_threaded,
    medium_file,
    read_locally,
    sampled_digest_of,
    sha256_of,
    to_uri,
)

__all__ = ["clips_of", "find_subject"]

_MEDIA_ID = re.compile(r"[0-9a-fA-F]{64}")
_DIGITS = 16
"""Of a still's media_id, in the names of the clips that were made of it."""


def find_subject(
    root: DataRoot, outputs: Sequence[Location], named: str, *, begun: Subject | None = None
) -> Subject:
    """Return all contents and names of what a person named.

    A name stands for every content that was ever found under it, and a content for all of its
    names. What lies under a name now is read, so that a digest of samples and one of all bytes
    are known to be of one content. Clips that were made of a still are meant with it.

    Args:
        root: The data root.
        outputs: Folders of scores.
        named: A media_id, or the URI or path of a file.
        begun: What an earlier call did not bring to its end; it is meant too.

    Raises:
        ConfigError: A folder is named.
        DataError: A table is damaged, so that what it holds cannot be told.
    """
    before = begun or Subject(frozenset(), frozenset())
    is_id = _MEDIA_ID.fullmatch(named) is not None
    ids = set(before.media_ids) | ({named.lower()} if is_id else set())
    uris = set(before.uris)
    if not is_id:
        uri = named if "://" in named else to_uri(named)
        if _is_folder(uri):
            raise ConfigError("a folder is named; what is forgotten are files", path=uri)
        uris.add(uri)
        ids |= {media_id for _, media_id in _known(root, outputs, uris={uri})} | _digests(uri)
    while True:
        known = {uri for uri, _ in _known(root, outputs, media_ids=ids)}
        clips = _clip_contents(root, outputs, ids)
        more = {i for u in known - uris for i in _same_content(u, ids)} | clips
        uris |= known
        if more <= ids:
            return Subject(frozenset(ids), frozenset(uris), dict(before.groups))
        ids |= more


def _is_folder(uri: str) -> bool:
    try:
        return location_of(uri).is_dir()
    except (DataError, ConfigError):
        return False


def _known(
    root: DataRoot,
    outputs: Sequence[Location],
    *,
    media_ids: Iterable[str] = (),
    uris: Iterable[str] = (),
) -> set[tuple[str, str]]:
    ids, names = frozenset(media_ids), frozenset(uris)
    found: set[tuple[str, str]] = set()
    for pairs in map_threaded(lambda table: _pairs(table, ids, names), _tables(root, outputs)):
        found |= pairs
    for output in outputs:
        state = ScoresFolder(output).state
        if state.is_file():
            found |= names_and_contents(state, media_ids=ids, uris=names)
    return found


def _tables(root: DataRoot, outputs: Sequence[Location]) -> Iterator[Location]:
    yield from (root.path / "manifests").glob("*.parquet")
    yield from _below(root.path / "shards", "*/*/outcomes.parquet", "*/parts/*.outcomes.parquet")
    yield from root.evaluations.glob("**/*.parquet")
    for output in outputs:
        yield from _below(output, "scores.parquet", "versions/*/scores.parquet")
        if isinstance(output, StorePath):
            # What other machines put there may not be in this machine's state, nor in a table yet.
            yield from _below(output, ".listing-*.parquet", "versions/*/parts/*.scores.parquet")


def _below(folder: Location, *patterns: str) -> Iterator[Location]:
    for pattern in patterns:
        yield from folder.glob(pattern)


def _pairs(path: Location, ids: frozenset[str], uris: frozenset[str]) -> set[tuple[str, str]]:
    wanted = pc.field("media_id").isin(_texts(ids)) | pc.field("uri").isin(_texts(uris))

    def read(local: Path) -> list[dict[str, str | None]]:
        if not {"uri", "media_id"} <= set(pq.read_schema(local).names):
            return []
        columns = ["uri", "media_id"]
        found = pq.read_table(local, columns=columns, filters=wanted, partitioning=None)
        return list(found.to_pylist())

    try:
        rows = read_locally(path, read)
        return {(str(row["uri"]), row["media_id"]) for row in rows if row["media_id"] is not None}
    except (OSError, pa.ArrowException) as error:
        raise DataError(
            f"not a readable Parquet file ({error})",
            path=path,
            hint="What it holds cannot be told: remove it, then run this again.",
        ) from error


def _texts(values: Iterable[str]) -> pa.Array:
    return pa.array(sorted(values), pa.string())


def _digests(uri: str) -> set[str]:
    """Return both digests of what lies under a name now; none where nothing does."""
    try:
        with medium_file(uri, max_bytes=sys.maxsize) as path:
            return {sha256_of(path), sampled_digest_of(path)} if path.is_file() else set()
    except (DataError, UnreadableMediaError, ConfigError, OSError):
        return set()


def _same_content(uri: str, ids: set[str]) -> set[str]:
    found = _digests(uri)
    return set() if found.isdisjoint(ids) else found


def clips_of(root: DataRoot, media_ids: Iterable[str]) -> list[Path]:
    """Return clips that were made of stills, and lie under the data root beside their list."""
    starts = {media_id[:_DIGITS] for media_id in media_ids}
    return [
        path
        for path in sorted((root.here / "clips").glob("**/*.mp4"))
        if _still_of(path.name) in starts and (path.parent / "clips.csv").is_file()
    ]


def _still_of(name: str) -> str | None:
    found = re.fullmatch(rf"\w+-([0-9a-f]{{{_DIGITS}}})-[0-9a-f]{{8}}\.mp4", name)
    return None if found is None else found[1]


def _clip_contents(root: DataRoot, outputs: Sequence[Location], ids: set[str]) -> set[str]:
    found: set[str] = set()
    for clip in clips_of(root, ids):
        uri = to_uri(clip)
        found |= _digests(uri) | {i for _, i in _known(root, outputs, uris={uri})}
    return found
