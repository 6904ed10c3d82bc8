"""Score a set of media by the library's own path; what was scored once is read again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from deepfake.compute.workers import shared_workers
from deepfake.corpora.manifest import read_manifest, write_manifest
from deepfake.corpora.manifest_row import ManifestRow
from deepfake.corpora.probe import probe_rows, reuse_probes
from deepfake.detectors.bundles import load_bundle
from deepfake.scoring import ScoreJob, create_score_batch, find_parts, score_batch, scores_version
from deepfake.scoring.parts import Part, read_part_tables
from deepfake.types import Status

__all__ = ["MediaScores", "read_scores", "score_rows", "state_of"]

_BATCH_FILES = 25
_AGAIN = (Status.TIMEOUT, Status.CRASHED, Status.OUT_OF_MEMORY, Status.ERROR)

MediaScores = dict[str, pd.DataFrame]
"""Tables `scores`, `tracks` and `frames`; a medium is named by its `media_id`."""


def state_of(state: Path, job: ScoreJob) -> Path:
    """Return where the scores of this detector lie, under what can change them."""
    bundle = load_bundle(job.scorer.detector.path)
    return state / scores_version(job.scorer, bundle=bundle)


def score_rows(
    rows: Sequence[ManifestRow], *, name: str, job: ScoreJob, state: Path
) -> tuple[list[ManifestRow], MediaScores]:
    """Score files that have no score of this detector yet.

    Args:
        rows: The files, as listed.
        name: Of the set.
        job: Which detector, and how it scores.
        state: What is kept between runs: what probing said, and the scores as parts.

    Returns:
        The files as probed, and all scores of the set.
    """
    probed = _probe(rows, manifest=state / "probed" / f"{name}.parquet", job=job)
    folder = state_of(state, job) / name
    folder.mkdir(parents=True, exist_ok=True)
    parts = list(find_parts(folder))
    done = {media_id for part in parts for media_id, status in part.media if status not in _AGAIN}
    waiting = {
        str(row.media_id): row
        for row in probed
        if row.status is Status.OK and row.media_id not in done
    }
    number = 1 + max((part.run_number for part in parts), default=0)
    for batch_rows in _batches(list(waiting.values())):
        batch = create_score_batch(
            batch_rows, parts=folder, version=folder.parent.name, run_number=number
        )
        workers = shared_workers(job.worker_setup())
        totals = score_batch(batch, setup=job.scorer, workers=workers).totals
        print(f"{name}: {len(batch_rows)} files in {totals.seconds:.0f} s", flush=True)
    return probed, read_scores(folder)


def _probe(rows: Sequence[ManifestRow], *, manifest: Path, job: ScoreJob) -> list[ManifestRow]:
    before = read_manifest(manifest) if manifest.is_file() else []
    known, unknown = reuse_probes(rows, before=before)
    if unknown:
        workers = shared_workers(job.worker_setup())
        known += probe_rows(unknown, workers=workers, limits=job.media_limits)
        kept = {row.uri: row for row in (*before, *known)}
        manifest.parent.mkdir(parents=True, exist_ok=True)
        write_manifest(manifest, kept.values())
    return sorted(known, key=lambda row: row.uri)


def _batches(rows: Sequence[ManifestRow]) -> Iterator[Sequence[ManifestRow]]:
    for start in range(0, len(rows), _BATCH_FILES):
        yield rows[start : start + _BATCH_FILES]


def read_scores(folder: Path) -> MediaScores:
    """Return the tables of all parts of a folder; of two scores of a medium the later one."""
    parts = sorted(find_parts(folder), key=lambda part: part.run_number)
    newest = {media_id: part.key for part in parts for media_id, _ in part.media}
    return {
        table: _read_table(folder, parts, table=table, newest=newest)
        for table in ("scores", "tracks", "frames")
    }


def _read_table(
    folder: Path, parts: Sequence[Part], *, table: str, newest: dict[str, str]
) -> pd.DataFrame:
    pieces = [
        frame[frame["media_id"].map(newest) == key]
        for key, found in read_part_tables(folder, [part.key for part in parts], table)
        if len(frame := found.to_pandas())
    ]
    return pd.concat(pieces, ignore_index=True) if pieces else pd.DataFrame({"media_id": []})
