"""The flow `score`: options to a job for the library, and the summary to Prefect."""

from __future__ import annotations

from typing import Any

from prefect import flow, get_run_logger
from prefect.artifacts import create_table_artifact
from prefect.runtime import flow_run

from deepfake.config import SamplingConfig
from deepfake.config.options import ScoreOptions, takes_options
from deepfake.corpora.layouts import MediaFilter
from deepfake.detectors.bundles import load_bundle
from deepfake.detectors.identity import DetectorIdentity
from deepfake.extract.options import choose_sampling
from deepfake.registry.resolve import resolve_detector
from deepfake.scoring import (
    FolderOptions,
    ScoreJob,
    ScoresFolder,
    create_score_job,
    score_folder,
)
from deepfake.scoring.output.places import check_places
from deepfake.storage import DataRoot, engine_cache, location_of, to_uri
from flows.drift_event import publish_drift
from flows.prefect_batches import PrefectBatches
from flows.runners import create_runner
from flows.server.cancel import ends_cancelled

__all__ = ["score"]


@flow(name="score", flow_run_name="score-{folder}")
@ends_cancelled
@takes_options
def score(options: ScoreOptions) -> dict[str, Any]:
    """Score every file of a folder.

    Returns:
        The summary: counts by status and verdict, the detector, drift, where the tables are.
    """
    place, to = location_of(options.folder), ScoresFolder(location_of(options.output))
    check_places(place, to.path)
    root = DataRoot(location_of(options.data_root))
    detector, chosen_by = resolve_detector(options.weights, data_root=root.path)
    spec = load_bundle(detector.path).spec
    runner = create_runner(options.task_runner, dask_address=options.dask_address)
    done = score_folder(
        place,
        to,
        job=_score_job(detector, spec.sampling, options=options, root=root),
        options=_folder_options(options),
        batches=PrefectBatches(runner),
        data_root=root,
        run_id=str(flow_run.id),
    )
    summary = {
        **done.as_record(),
        "run_id": str(flow_run.id),
        "output": str(to.path),
        "detector": {
            "path": to_uri(detector.path),
            "name": detector.name,
            "version": detector.version,
        },
        "detector_chosen_by": chosen_by,
        "notes": spec.reading_notes,
    }
    _publish(summary)
    publish_drift(summary)
    return summary


def _score_job(
    detector: DetectorIdentity,
    trained_with: SamplingConfig,
    *,
    options: ScoreOptions,
    root: DataRoot,
) -> ScoreJob:
    sampling = choose_sampling(
        trained_with, strategy=options.sampling, frames=options.frames, fps=options.fps
    )
    return create_score_job(
        detector,
        device=options.device,
        precision=options.precision,
        sampling=sampling,
        prior=options.prior,
        # The machines of a cluster need not have this one's folders.
        cache=None if options.dask_address else engine_cache(),
        media_limits=options.media_limits,
        worker_limits=options.worker_limits,
        num_workers=options.num_workers,
    )


def _folder_options(options: ScoreOptions) -> FolderOptions:
    include, exclude = tuple(options.include or ()), tuple(options.exclude or ())
    return FolderOptions(
        wanted=MediaFilter(include, exclude, options.since),
        hashing=options.hashing,
        limit=options.limit,
        batch_files=options.batch_files,
        is_waiting_for_files=options.wait_for_files,
        is_retrying_failed=options.retry_failed,
        num_evidence=options.evidence,
        drift_limit=options.drift_limit,
        is_on_cluster=options.dask_address is not None,
    )


def _publish(summary: dict[str, Any]) -> None:
    rows = [
        {"counted by": kind, "value": value, "files": files}
        for kind in ("statuses", "verdicts")
        for value, files in sorted(summary[kind].items())
    ]
    create_table_artifact(
        key="score", table=rows, description=f"{summary['num_files']} files in {summary['output']}"
    )
    get_run_logger().info("%s %s", summary["statuses"], summary["verdicts"])
