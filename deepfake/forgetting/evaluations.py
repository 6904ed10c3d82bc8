"""Remove media from evaluations, held-out sets and logs under a data root."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator

import psutil

from deepfake.forgetting.media_to_forget import MediaToForget, Removal
from deepfake.forgetting.scrub import scrub_csv, scrub_json, scrub_lines, scrub_table, scrub_text
from deepfake.storage import DataRoot, Location

__all__ = ["delete_partial_files", "remove_from_evaluations"]

_SCRUB_BY_SUFFIX: dict[str, Callable[..., int]] = {
    ".csv": scrub_csv,
    ".json": scrub_json,
    ".jsonl": scrub_lines,
    ".md": scrub_text,
    ".parquet": scrub_table,
    ".txt": scrub_text,
}


def remove_from_evaluations(
    root: DataRoot, media: MediaToForget, *, is_dry_run: bool = False
) -> Iterator[Removal]:
    """Remove media from evaluations, held-out sets and logs of ingesting.

    Args:
        root: The data root.
        media: The media to forget.
        is_dry_run: Only say what would be removed.
    """
    for path in sorted(root.evaluations.glob("**/*")):
        scrub = _SCRUB_BY_SUFFIX.get(path.suffix.lower())
        if scrub is not None and path.is_file():
            yield from _scrub(path, scrub, media, is_dry_run=is_dry_run)
    for held_out in root.held_out_sets.glob("*.json"):
        yield from _scrub(held_out, scrub_json, media, is_dry_run=is_dry_run)
    for path in sorted(root.log("any").parent.glob("*.jsonl*")):
        yield from _scrub(path, scrub_lines, media, is_dry_run=is_dry_run)


def _scrub(
    path: Location, scrub: Callable[..., int], media: MediaToForget, *, is_dry_run: bool
) -> Iterator[Removal]:
    if count := scrub(path, media, is_dry_run=is_dry_run):
        yield Removal(str(path), f"{'lines' if scrub is scrub_lines else 'entries'}: {count}")


def delete_partial_files(root: DataRoot) -> None:
    """Delete partly written files of processes that have ended, whatever media they hold."""
    for path in sorted(root.here.rglob("*.part")):
        found = re.search(r"\.(\d+)-[0-9a-f]{8}\.part$", path.name)
        if found is None or not path.is_file():
            continue
        pid = int(found[1])
        if pid == os.getpid() or not psutil.pid_exists(pid):
            path.unlink(missing_ok=True)
