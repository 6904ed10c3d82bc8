"""Remove clips that this program made from a still or a video: they show the same face."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from deepfake.forgetting.media_to_forget import MediaToForget, Removal
from deepfake.forgetting.scrub import scrub_csv
from deepfake.storage import DataRoot, to_uri

__all__ = ["clips_of", "remove_clips"]

_DIGITS = 16
"""How many digits of its source's media_id the name of a clip has."""


def clips_of(root: DataRoot, media_ids: Iterable[str]) -> list[Path]:
    """Return the clips made from these media under the data root, if their list is beside them."""
    prefixes = {media_id[:_DIGITS] for media_id in media_ids}
    return [
        path
        for path in sorted((root.here / "clips").glob("**/*.mp4"))
        if _still_prefix(path.name) in prefixes and (path.parent / "clips.csv").is_file()
    ]


def _still_prefix(name: str) -> str | None:
    found = re.fullmatch(rf"\w+-([0-9a-f]{{{_DIGITS}}})-[0-9a-f]{{8}}\.mp4", name)
    return None if found is None else found[1]


def remove_clips(
    root: DataRoot, media: MediaToForget, *, is_dry_run: bool = False
) -> Iterator[Removal]:
    """Delete clips that were made from the media, and their rows in `clips.csv`.

    Args:
        root: The data root.
        media: The media to forget.
        is_dry_run: Only say what would be removed.
    """
    for table in sorted((root.here / "clips").glob("**/clips.csv")):
        yield from _remove_listed_clips(root, table, media, is_dry_run=is_dry_run)


def _remove_listed_clips(
    root: DataRoot, table: Path, media: MediaToForget, *, is_dry_run: bool
) -> Iterator[Removal]:
    clips = [path for path in clips_of(root, media.media_ids) if path.parent == table.parent]
    # The list names its clips without their folder.
    folder = Path(to_uri(table)).parent
    names = {Path(uri).name for uri in media.uris if Path(uri).parent == folder}
    names |= {path.name for path in clips}
    listed = MediaToForget(media.media_ids, frozenset(names), media.groups)
    if count := scrub_csv(table, listed, is_dry_run=is_dry_run):
        yield Removal(str(table), f"entries: {count}")
    for path in clips:
        yield Removal(str(path), "a clip made from it")
        if not is_dry_run:
            path.unlink()
