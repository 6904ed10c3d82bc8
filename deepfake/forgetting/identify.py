"""Find every digest and every name of the media that a person asks to forget."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq

from deepfake.errors import ConfigError, DataError, UnreadableMediaError
from deepfake.forgetting.clips import clips_of
from deepfake.forgetting.media_to_forget import MediaToForget
from deepfake.forgetting.scrub import string_array
from deepfake.scoring import ScoresFolder
from deepfake.scoring.state.media import names_and_contents
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
    translate_parquet_errors,
)

__all__ = ["identify_media"]

_MEDIA_ID = re.compile(r"[0-9a-fA-F]{64}")


def identify_media(
    root: DataRoot, outputs: Sequence[Location], named: str, *, unfinished: MediaToForget
) -> MediaToForget:
    """Return all digests and names of what a person named.

    A name stands for every content that was ever found under it, and a content for all of its
    names. The files under these names are read now, so that a digest of samples and one of all
    bytes are known to belong to one content. Clips made from the media are included.

    Args:
        root: The data root.
        outputs: Scored folders.
        named: A media_id, or the URI or path of a file.
        unfinished: What an earlier call did not finish removing; it is included.

    Raises:
        ConfigError: A folder is named.
        DataError: A table is damaged, so that its media are unknown.
    """
    is_id = _MEDIA_ID.fullmatch(named) is not None
    ids = set(unfinished.media_ids) | ({named.lower()} if is_id else set())
    uris = set(unfinished.uris)
    if not is_id:
        uri = named if "://" in named else to_uri(named)
        if _is_folder(uri):
            raise ConfigError("this is a folder: name a file", path=uri)
        uris.add(uri)
        ids |= {media_id for _, media_id in _find_rows(root, outputs, uris={uri})} | _digests(uri)
    # Until nothing is added: a digest gives names, and the file under a name another digest.
    while True:
        known = {uri for uri, _ in _find_rows(root, outputs, media_ids=ids)}
        clips = _digests_of_clips(root, outputs, ids)
        more = {i for u in known - uris for i in _digests_of_same(u, ids)} | clips
        uris |= known
        if more <= ids:
            return MediaToForget(frozenset(ids), frozenset(uris), dict(unfinished.groups))
        ids |= more


def _is_folder(uri: str) -> bool:
    try:
        return location_of(uri).is_dir()
    except (DataError, ConfigError):
        return False


def _find_rows(
    root: DataRoot,
    outputs: Sequence[Location],
    *,
    media_ids: Iterable[str] = (),
    uris: Iterable[str] = (),
) -> set[tuple[str, str]]:
    """Return `uri` and `media_id` of all rows, in tables and states, with one of these values."""
    ids, names = frozenset(media_ids), frozenset(uris)
    found: set[tuple[str, str]] = set()
    for rows in map_threaded(lambda path: _read_rows(path, ids, names), _tables(root, outputs)):
        found |= rows
    for output in outputs:
        state = ScoresFolder(output).state
        if state.is_file():
            found |= names_and_contents(state, media_ids=ids, uris=names)
    return found


def _tables(root: DataRoot, outputs: Sequence[Location]) -> Iterator[Location]:
    yield from (root.path / "manifests").glob("*.parquet")
    yield from _glob_all(root.path / "shards", "*/*/outcomes.parquet", "*/parts/*.outcomes.parquet")
    yield from root.evaluations.glob("**/*.parquet")
    for output in outputs:
        yield from _glob_all(output, "scores.parquet", "versions/*/scores.parquet")
        if isinstance(output, StorePath):
            # What other machines put there may not be in this machine's state, nor in a table yet.
            yield from _glob_all(output, ".listing-*.parquet", "versions/*/parts/*.scores.parquet")


def _glob_all(folder: Location, *patterns: str) -> Iterator[Location]:
    for pattern in patterns:
        yield from folder.glob(pattern)


def _read_rows(path: Location, ids: frozenset[str], uris: frozenset[str]) -> set[tuple[str, str]]:
    wanted = pc.field("media_id").isin(string_array(ids)) | pc.field("uri").isin(string_array(uris))

    def read(local: Path) -> list[dict[str, str | None]]:
        if not {"uri", "media_id"} <= set(pq.read_schema(local).names):
            return []
        columns = ["uri", "media_id"]
        found = pq.read_table(local, columns=columns, filters=wanted, partitioning=None)
        return list(found.to_pylist())

    hint = "Its media are unknown: delete it, then run this again."
    with translate_parquet_errors(path, hint=hint):
        rows = read_locally(path, read)
    return {(str(row["uri"]), row["media_id"]) for row in rows if row["media_id"] is not None}


def _digests(uri: str) -> set[str]:
    """Return both digests of the file that has this name now; none where there is no file."""
    try:
        with medium_file(uri, max_bytes=sys.maxsize) as path:
            return {sha256_of(path), sampled_digest_of(path)} if path.is_file() else set()
    except (DataError, UnreadableMediaError, ConfigError, OSError):
        return set()


def _digests_of_same(uri: str, ids: set[str]) -> set[str]:
    """Return both digests of a file if one of them is known; another content is another medium."""
    digests = _digests(uri)
    return set() if digests.isdisjoint(ids) else digests


def _digests_of_clips(root: DataRoot, outputs: Sequence[Location], ids: set[str]) -> set[str]:
    found: set[str] = set()
    for clip in clips_of(root, ids):
        uri = to_uri(clip)
        found |= _digests(uri) | {i for _, i in _find_rows(root, outputs, uris={uri})}
    return found
