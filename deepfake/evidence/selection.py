"""Which files' evidence is kept beside the scores, and keeping it in step with them."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq

from deepfake.compute.workers import MediaWorkers, WorkerSetup
from deepfake.config import WorkerLimits, digest_of
from deepfake.detectors.bundles import Bundle
from deepfake.evidence import (
    STEP_VERSION,
    ExplainerSetup,
    ExplainRequest,
    MadeEvidence,
    evidence_folder,
    explain_media,
    explainer_setup,
    kept_evidence,
    read_evidence,
    remove_evidence,
    write_evidence,
)
from deepfake.scoring.scorer import ScoredMedium, ScorerSetup, scorer_setup
from deepfake.storage import Location, read_locally
from deepfake.verdicts.calibration import Calibration, Thresholds

__all__ = [
    "evidence_setup",
    "explain_scores",
    "find_unexplained",
    "keep_evidence",
    "request_of",
]

_EDGE = 1e-6
"""Nearest that a middle comes to 0 and 1, where log-odds end."""

_FRAME_COLUMNS = (
    "uri",
    "track_id",
    "frame_index",
    "pts_seconds",
    "bbox_xyxy",
    "confidence",
    "logit",
    "prob_fake",
)
_SCORE_COLUMNS = (
    "uri",
    "media_id",
    "kind",
    "status",
    "prob_fake",
    "logit",
    "prior",
    "strongest_track_id",
    "model_digest",
    "config_digest",
)


def evidence_setup(
    setup: ScorerSetup, workers: WorkerSetup, *, max_frames: int = 3, max_crops: int = 4
) -> WorkerSetup:
    """Return the set-up of workers that make the evidence for what others have scored.

    Args:
        setup: Which detector, and how.
        workers: Of those that scored.
        max_frames: How many whole frames are kept, the strongest.
        max_crops: How many faces of the track that decides are kept, the strongest.
    """
    explainer = ExplainerSetup(setup.detector.path, setup.limits, max_frames, max_crops)
    return explainer_setup(workers, explainer)


def request_of(score: dict[str, Any], frames: Sequence[dict[str, Any]]) -> ExplainRequest:
    """Return what the evidence for a score is made from.

    Args:
        score: Its row, status `ok`.
        frames: The rows of its faces.
    """
    told = {name: score[name] for name in _SCORE_COLUMNS}
    made_for = digest_of(
        "evidence",
        STEP_VERSION,
        *(str(told[n]) for n in ("model_digest", "config_digest", "logit", "prob_fake", "prior")),
    )
    kept = tuple({n: row[n] for n in _FRAME_COLUMNS if n != "uri"} for row in frames)
    return ExplainRequest(told["uri"], told["media_id"], made_for, told, kept)


def find_unexplained(
    version: Location, *, bundle: Bundle, num_files: int, is_retrying_failed: bool = False
) -> list[ExplainRequest]:
    """Return the most telling files whose evidence is not there, and remove that of all others.

    Half of them are those with the highest `prob_fake`; the other half those nearest to the middle
    between the two thresholds, where a person has to look. A content with several names is one.

    Args:
        version: The folder of the scores of one version, whose tables are written.
        bundle: The detector.
        num_files: How many are kept.
        is_retrying_failed: Whether evidence that could not be made whole is made again.
    """
    chosen = (
        read_locally(
            version / "scores.parquet",
            lambda path: _most_telling(path, bundle=bundle, num_files=num_files),
        )
        if num_files
        else []
    )
    folder = evidence_folder(version)
    wanted = {row["media_id"] for row in chosen}
    for media_id in kept_evidence(folder):
        if media_id not in wanted:
            remove_evidence(folder, media_id)
    lacking = []
    for row in chosen:
        record = read_evidence(folder, row["media_id"])
        is_done = record is not None and record.made_for == request_of(row, ()).made_for
        if not is_done or (is_retrying_failed and record is not None and not record.is_whole):
            lacking.append(row)
    return list(_with_frames(version, lacking))


def _with_frames(version: Location, rows: Sequence[dict[str, Any]]) -> Iterator[ExplainRequest]:
    if not rows:
        return
    uris = [row["uri"] for row in rows]
    table = read_locally(
        version / "frames.parquet",
        lambda path: pq.read_table(
            path, columns=list(_FRAME_COLUMNS), filters=[("uri", "in", uris)]
        ),
    )
    by_uri: dict[str, list[dict[str, Any]]] = {}
    for frame in table.to_pylist():
        by_uri.setdefault(frame["uri"], []).append(frame)
    for row in rows:
        yield request_of(row, by_uri.get(row["uri"], []))


def _most_telling(path: Path, *, bundle: Bundle, num_files: int) -> list[dict[str, Any]]:
    """Return rows of the scores table, each content once under the first of its names."""
    spec = bundle.spec
    still = _middle(spec.calibration_still, spec.thresholds_still)
    video = _middle(spec.calibration_video, spec.thresholds_video)
    columns = ", ".join(_SCORE_COLUMNS)
    with duckdb.connect(config={"memory_limit": "1GB"}) as db:
        db.execute(
            f"CREATE TEMP TABLE telling AS SELECT {columns}, CASE kind "
            "WHEN 'image' THEN abs(logit - ?) / ? ELSE abs(logit - ?) / ? END AS distance "
            "FROM read_parquet(?) WHERE status = 'ok' AND prob_fake IS NOT NULL "
            "QUALIFY row_number() OVER (PARTITION BY media_id ORDER BY uri) = 1",
            [*still, *video, str(path)],
        )
        db.execute(
            "CREATE TEMP TABLE highest AS SELECT * FROM telling "
            "ORDER BY prob_fake DESC, media_id LIMIT ?",
            [-(-num_files // 2)],
        )
        found = db.execute(
            f"SELECT {columns} FROM highest UNION ALL SELECT {columns} FROM ("
            "SELECT * FROM telling WHERE media_id NOT IN (SELECT media_id FROM highest) "
            "ORDER BY distance, media_id LIMIT ?)",
            [num_files // 2],
        )
        return [dict(zip(_SCORE_COLUMNS, row, strict=True)) for row in found.fetchall()]


def _middle(calibration: Calibration, thresholds: Thresholds) -> tuple[float, float]:
    """Return the logit in the middle of the uncertain band, and logits a unit of log-odds."""
    middle = (thresholds.real_below + min(thresholds.fake_from, 1.0)) / 2
    middle = min(max(middle, _EDGE), 1 - _EDGE)
    odds = math.log(middle / (1 - middle))
    return (odds - calibration.bias) * calibration.temperature, calibration.temperature


def keep_evidence(
    version: Location, requests: Sequence[ExplainRequest], *, workers: MediaWorkers
) -> int:
    """Make the evidence for scores and write it beside them.

    Args:
        version: The folder of the scores of one version.
        requests: The scores.
        workers: Set up by `evidence_setup`.

    Returns:
        How many of them are whole.
    """
    folder, whole = evidence_folder(version), 0
    for made in explain_media(requests, workers=workers):
        write_evidence(folder, made.record, made.pictures)
        whole += made.record.is_whole
    return whole


def explain_scores(
    media: Sequence[ScoredMedium],
    *,
    setup: ScorerSetup,
    limits: WorkerLimits,
    on_done: Callable[[int], None] = lambda _: None,
) -> list[MadeEvidence]:
    """Make the evidence for a few scores, and leave nothing on disk.

    Args:
        media: As scored; those without a score have no evidence, and a content has it once.
        setup: Which detector, and how.
        limits: What one file may cost.
        on_done: Called with the number of scores done, after each.
    """
    asked = {
        str(medium.score["media_id"]): request_of(medium.score, medium.frames)
        for medium in media
        if medium.score["prob_fake"] is not None
    }
    if not asked:
        return []
    num_workers = min(len(asked), len(os.sched_getaffinity(0)))
    own = scorer_setup(setup, limits=limits, num_workers=num_workers)
    with MediaWorkers(evidence_setup(setup, own)) as workers:
        return list(explain_media(list(asked.values()), workers=workers, on_done=on_done))
