"""The flow `robustness`: measure a detector on perturbed media."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd
from prefect import flow
from prefect.artifacts import create_markdown_artifact

from deepfake.compute.workers import close_workers
from deepfake.config.options import RobustnessOptions, takes_options
from deepfake.detectors.bundles import load_bundle
from deepfake.detectors.identity import DetectorIdentity
from deepfake.errors import TrackingError
from deepfake.evaluation.robustness import (
    PERTURBATIONS,
    ConditionResult,
    Perturbation,
    choose_files,
    condition_metrics,
    perturbations_of,
    robustness_markdown,
    write_robustness,
)
from deepfake.evaluation.selected_split import select_split
from deepfake.registry import mask_credentials, not_logged_note, run_tags, tracking_uri, ui_command
from deepfake.registry.resolve import resolve_detector
from deepfake.scoring import create_score_job
from deepfake.storage import DataRoot, engine_cache, location_of, new_run_name
from flows.ingest import open_dataset
from flows.server.cancel import cancel_when_stopped
from tasks import robustness as steps
from tasks.evaluate import log_to_mlflow
from tasks.progress import show_step

__all__ = ["robustness"]


@flow(name="robustness", flow_run_name="robustness-{dataset}")
@cancel_when_stopped
@takes_options
def robustness(options: RobustnessOptions) -> dict[str, Any]:
    """Measure a detector on media that were degraded before faces were searched for.

    Returns:
        The summary: a row a condition, folder, MLflow run.
    """
    root = DataRoot(location_of(options.data_root))
    uri = tracking_uri(root.here)
    conditions = perturbations_of(tuple(options.perturbations or PERTURBATIONS))
    detector, how = resolve_detector(options.weights, data_root=root.path)
    bundle = load_bundle(detector.path)
    snapshot, notes = open_dataset(options.dataset, data_root=options.data_root)
    split = select_split(snapshot, options.split).name
    files = choose_files(snapshot, split=split, max_files=options.max_files, seed=options.seed)
    results, tables = _measure_all(files, conditions, detector=detector, options=options)
    run_name = new_run_name("robustness", bundle.spec.architecture, snapshot.corpus, split)
    folder = root.evaluations / run_name
    rows = [asdict(result) for result in results]
    markdown = robustness_markdown(
        results,
        title=f"Robustness on {snapshot.corpus}, {split}",
        notes=bundle.spec.reading_notes,
    )
    write_robustness(folder, results, files=tables, markdown=markdown)
    try:
        run_id: str | None = log_to_mlflow(
            {"summary": condition_metrics(rows), "conditions": rows},
            snapshot=snapshot,
            run_name=run_name,
            params={
                "corpus": snapshot.corpus,
                "split": split,
                "n_files": len(files),
                "seed": options.seed,
            },
            tags={
                **run_tags("robustness", [snapshot], stage="evaluate"),
                "model_digest": bundle.digest,
            },
            folder=folder,
            markdown=markdown,
            uri=uri,
        )
    except TrackingError as error:
        run_id = None
        notes.append(not_logged_note(error, folder))
    create_markdown_artifact(key="robustness", markdown=markdown, description=run_name)
    return {
        "detector": detector.as_record(digest=bundle.digest),
        "detector_chosen_by": how,
        "corpus": snapshot.corpus,
        "split": split,
        "num_files": len(files),
        "notes": notes,
        "conditions": rows,
        "markdown": markdown,
        "folder": str(folder),
        "run_id": run_id,
        "tracking_uri": mask_credentials(uri),
        "ui_command": ui_command(uri),
    }


def _measure_all(
    files: pd.DataFrame,
    conditions: Sequence[Perturbation],
    *,
    detector: DetectorIdentity,
    options: RobustnessOptions,
) -> tuple[list[ConditionResult], list[pd.DataFrame]]:
    """Return the result and the scored files of each condition."""
    job = create_score_job(
        detector,
        device=options.device,
        precision=options.precision,
        cache=engine_cache(),
        num_workers=options.num_workers,
    )
    try:
        with show_step("perturb", total=len(conditions) * len(files)):
            measured = [
                steps.measure_perturbed(files, condition, job=job, seed=options.seed)
                for condition in conditions
            ]
    finally:
        close_workers()
    return [result for result, _ in measured], [table for _, table in measured]
