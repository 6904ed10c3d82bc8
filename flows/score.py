"""The flow `score`: batches run as Prefect tasks, and Prefect gets the summary."""

from __future__ import annotations

from typing import Any

from prefect import flow, get_run_logger
from prefect.artifacts import create_table_artifact
from prefect.runtime import flow_run

from deepfake.config.options import ScoreOptions, takes_options
from deepfake.scoring import resolve_scoring
from flows.drift_event import publish_drift
from flows.prefect_batches import PrefectBatches
from flows.runners import create_runner
from flows.server.cancel import cancel_when_stopped

__all__ = ["score"]


@flow(name="score", flow_run_name="score-{folder}")
@cancel_when_stopped
@takes_options
def score(options: ScoreOptions) -> dict[str, Any]:
    """Score every file of a folder.

    Returns:
        The summary: counts by status and verdict, the detector, drift, where the tables are.
    """
    scoring = resolve_scoring(options)
    runner = create_runner(options.task_runner, dask_address=options.dask_address)
    summary = scoring.run(PrefectBatches(runner), run_id=str(flow_run.id))
    _publish(summary)
    publish_drift(summary)
    return summary


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
