"""The steps of scoring a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from deepfake.batches import Batch
from deepfake.corpora import scan_media
from deepfake.errors import ConfigError, CorpusError
from deepfake.manifest import ManifestRow
from deepfake.scoring import score_batch, write_scores
from deepfake.storage import to_uri
from deepfake.workers import shared_workers
from tasks.progress import advance
from tasks.settings import RESULTS, RETRIES, cached_by
from tasks.workers import create_scorer_setup, create_worker_setup

__all__ = ["compact", "list_media", "score"]


@task(name="list", cache_policy=NO_CACHE, **RETRIES)
def list_media(folder: str, *, output: str) -> list[ManifestRow]:
    """List the files of a folder. Never cached: what lies in it is known only by looking."""
    if not Path(folder).exists():
        raise CorpusError("no such folder", path=folder)
    if to_uri(folder) == to_uri(output):
        raise ConfigError("the scores cannot go among the media: name another folder", path=output)
    rows = scan_media(Path(folder))
    if to_uri(output).startswith(f"{to_uri(folder)}/"):
        # What an earlier run left there is not among the media.
        rows = [row for row in rows if not row.uri.startswith(f"{to_uri(output)}/")]
    get_run_logger().info("%s: %d files", folder, len(rows))
    return rows


@task(
    name="score",
    task_run_name="score-{key}",
    # The key is the digest of detector, settings, code version and media.
    cache_policy=cached_by(lambda parameters: f"score-{parameters['output']}-{parameters['key']}"),
    **RESULTS,
    **RETRIES,
)
def score(
    output: str, *, key: str, media_ids: list[str], uris: list[str], setup: dict[str, Any]
) -> dict[str, int]:
    """Score a batch into a part."""
    return score_batch(
        Path(output),
        Batch(key, tuple(media_ids)),
        uris=dict(zip(media_ids, uris, strict=True)),
        setup=create_scorer_setup(setup),
        workers=shared_workers(create_worker_setup(setup)),
        on_done=lambda _: advance(),
    )


@task(name="compact", cache_policy=NO_CACHE, **RETRIES)
def compact(
    output: str, *, rows: list[ManifestRow], batches: list[Batch], setup: dict[str, Any]
) -> dict[str, Any]:
    """Put the finished parts together into the tables."""
    scores = write_scores(Path(output), rows, batches, setup=create_scorer_setup(setup))
    return {
        "num_files": len(scores),
        "statuses": {str(k): int(v) for k, v in scores["status"].value_counts().items()},
        "verdicts": {str(k): int(v) for k, v in scores["verdict"].value_counts().items()},
    }
