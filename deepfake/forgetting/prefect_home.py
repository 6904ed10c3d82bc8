"""Delete the task results in Prefect's home that name media, and search its database for them."""

from __future__ import annotations

import json
import mmap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from deepfake.errors import DataError
from deepfake.forgetting.media_to_forget import MediaToForget, Removal

__all__ = ["is_in_database", "remove_task_results"]


def remove_task_results(
    home: Path, media: MediaToForget, *, is_dry_run: bool = False
) -> Iterator[Removal]:
    """Delete the cached results of tasks that name media; a task without its result runs again.

    Args:
        home: Prefect's home.
        media: The media to forget.
        is_dry_run: Only say what would be removed.
    """
    for path in sorted((home / "storage").glob("**/*")):
        if path.is_file() and _is_in_result(path, media):
            yield Removal(str(path), "a task's result that names it")
            if not is_dry_run:
                path.unlink()


def _is_in_result(path: Path, media: MediaToForget) -> bool:
    content = path.read_bytes()
    if any(media_id.encode() in content for media_id in media.media_ids):
        return True
    try:
        record = json.loads(content)
        result = record.get("result")
        return _is_in_json(json.loads(result) if isinstance(result, str) else record, media)
    except (ValueError, AttributeError, RecursionError):
        return any(uri.encode() in content for uri in media.uris)


def _is_in_json(value: Any, media: MediaToForget) -> bool:
    if isinstance(value, dict):
        return any(_is_in_json(inner, media) for inner in (*value, *value.values()))
    if isinstance(value, list):
        return any(_is_in_json(inner, media) for inner in value)
    return isinstance(value, str) and media.is_mentioned_in(value)


def is_in_database(home: Path, media: MediaToForget) -> bool:
    """Return whether the bytes of Prefect's own database name any of the media."""
    texts = [text.encode() for text in (*media.media_ids, *media.uris)]
    return any(_contains(path, texts) for path in sorted(home.glob("prefect.db*")))


def _contains(path: Path, texts: Sequence[bytes]) -> bool:
    try:
        with path.open("rb") as stream:
            if path.stat().st_size == 0:
                return False
            with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
                return any(content.find(text) >= 0 for text in texts)
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror})", path=path) from error
