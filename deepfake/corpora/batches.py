"""Divide media into batches of about a minute of work each.

The plan depends only on the media and on the batches of the last finished run, so a run that was
killed plans the same batches again and finds those that it had finished.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from deepfake.config import digest_of
from deepfake.corpora.manifest_row import ManifestRow
from deepfake.types import Kind

__all__ = ["Batch", "MediumToExtract", "cut_batches", "plan_batches"]

_BATCH_COST = 512
"""Cost of a batch, in pictures; 8 videos or 64 files of sound, about a minute on one core."""

_COST = {Kind.IMAGE: 1, Kind.VIDEO: 64, Kind.AUDIO: 8}


@dataclass(frozen=True, slots=True)
class MediumToExtract:
    """A medium to be extracted.

    Attributes:
        media_id: SHA-256 of its bytes.
        kind: Image, video or audio.
    """

    media_id: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Batch:
    """Media that are extracted together.

    Attributes:
        key: Digest of the settings and the media, 16 hex digits.
        media_ids: Its media, in the order of the plan.
    """

    key: str
    media_ids: tuple[str, ...]


def plan_batches(
    work: Sequence[MediumToExtract],
    *,
    settings_digest: str,
    known: Mapping[str, Sequence[str]] | None = None,
    finished: Mapping[str, Sequence[str]] | None = None,
    max_cost: int | None = None,
    max_files: int | None = None,
) -> list[Batch]:
    """Return batches that cover each medium once.

    Args:
        work: The media, in a stable order, each once.
        settings_digest: Digest of all that can change the result.
        known: Batches of the last finished run; kept if all of their media are still wanted.
        finished: Further batches found on disk; used if they save work.
        max_cost: Cost of a new batch; a picture costs 1, a video 64. None for the cost of
            `max_files` videos, at least 512.
        max_files: Files of a new batch.
    """
    wanted = {item.media_id: item for item in work}
    if len(wanted) != len(work):
        raise ValueError("a medium is in the work twice")
    kept = _usable(known or {}, set(wanted), settings_digest)
    rest = _without(work, kept)
    fresh = _chunk(rest, settings_digest, max_cost or _cost_of(max_files), max_files)
    found = finished or {}
    undone = [batch for batch in fresh if batch.key not in found]
    stray = _usable(found, {m for b in undone for m in b.media_ids}, settings_digest)
    done = [batch for batch in fresh if batch.key in found]
    return [*kept, *done, *stray, *_trimmed(undone, stray, settings_digest)]


def cut_batches(
    rows: Sequence[ManifestRow],
    *,
    least: int | None,
    max_cost: int | None = None,
    max_files: int | None = None,
) -> tuple[list[list[ManifestRow]], list[ManifestRow]]:
    """Divide waiting files into full batches, in order.

    Args:
        rows: Each with its kind.
        least: Cost from which the rest is a batch too; None leaves the rest waiting.
        max_cost: Cost of a batch, as in `plan_batches`.
        max_files: Files of a batch.

    Returns:
        The batches, and the rest.
    """
    batches: list[list[ManifestRow]] = []
    rest: list[ManifestRow] = []
    cost, max_cost = 0, max_cost or _cost_of(max_files)
    for row in rows:
        own = _COST[row.kind or Kind.VIDEO]
        if rest and (cost + own > max_cost or len(rest) == max_files):
            batches.append(rest)
            rest, cost = [], 0
        rest.append(row)
        cost += own
    if rest and least is not None and cost >= least:
        return [*batches, rest], []
    return batches, rest


def _cost_of(max_files: int | None) -> int:
    """Return the maximum cost of a batch that holds up to `max_files` videos."""
    return max(_BATCH_COST, (max_files or 0) * _COST[Kind.VIDEO])


def _trimmed(batches: Sequence[Batch], stray: Sequence[Batch], settings_digest: str) -> list[Batch]:
    """Return batches without the media of stray ones.

    They are not filled up from their neighbours: the order in which batches finish must not
    change the others.
    """
    covered = {media_id for batch in stray for media_id in batch.media_ids}
    left = [[m for m in batch.media_ids if m not in covered] for batch in batches]
    return [_batch_of(media_ids, settings_digest) for media_ids in left if media_ids]


def _without(work: Sequence[MediumToExtract], batches: Sequence[Batch]) -> list[MediumToExtract]:
    covered = {media_id for batch in batches for media_id in batch.media_ids}
    return [item for item in work if item.media_id not in covered]


def _usable(
    batches: Mapping[str, Sequence[str]], wanted: set[str], settings_digest: str
) -> list[Batch]:
    usable: list[Batch] = []
    left = set(wanted)
    for key, media_ids in sorted(batches.items()):
        is_ours = key == digest_of(settings_digest, *media_ids)
        if is_ours and media_ids and left.issuperset(media_ids):
            usable.append(Batch(key, tuple(media_ids)))
            left.difference_update(media_ids)
    return usable


def _chunk(
    work: Sequence[MediumToExtract], settings_digest: str, max_cost: int, max_files: int | None
) -> list[Batch]:
    batches: list[list[str]] = []
    cost = 0
    for item in work:
        own = _COST[item.kind]
        is_full = cost + own > max_cost or (
            max_files is not None and bool(batches) and len(batches[-1]) >= max_files
        )
        if not batches or is_full:
            batches.append([])
            cost = 0
        batches[-1].append(item.media_id)
        cost += own
    return [_batch_of(media_ids, settings_digest) for media_ids in batches]


def _batch_of(media_ids: Sequence[str], settings_digest: str) -> Batch:
    return Batch(digest_of(settings_digest, *media_ids), tuple(media_ids))
