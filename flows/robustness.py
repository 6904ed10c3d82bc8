"""A detector and a corpus to what compression, size, blur, noise and light cost it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Literal

import pandas as pd
from prefect import flow
from prefect.artifacts import create_markdown_artifact

from deepfake.compute.workers import close_workers
from deepfake.config import Precision
from deepfake.detectors.bundles import load_bundle
from deepfake.errors import ConfigError, TrackingError
from deepfake.evaluation.robustness import (
    PERTURBATIONS,
    choose_files,
    perturbations_of,
    sweep_markdown,
    write_robustness_figure,
)
from deepfake.registry import masked, tracking_uri, ui_command
from deepfake.registry.resolve import resolve_detector
from deepfake.scoring import create_score_job
from deepfake.storage import DataRoot, atomic_path, location_of, write_json, write_text
from flows.datasets import resolve_dataset
from flows.parameters import NumWorkers, Positive
from tasks import robustness as steps
from tasks.progress import tracked

__all__ = ["robustness"]


@flow(name="robustness", flow_run_name="robustness-{dataset}")
def robustness(
    dataset: str,
    weights: str | None = None,
    data_root: str = "data",
    *,
    split: Literal["auto", "test", "val", "all"] = "auto",
    perturbations: list[str] | None = None,
    max_files: Positive | None = None,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    precision: Precision = "f32",
    num_workers: NumWorkers = 0,
    seed: int = 0,
) -> dict[str, Any]:
    """Measure a detector on media that were made worse before faces were looked for.

    Args:
        dataset: An ingested corpus, or a folder.
        weights: A bundle's folder or `models:/NAME@ALIAS`; else the champion, else the packaged.
        data_root: The data root.
        split: Which part; `auto` is the test part where there is one, else all.
        perturbations: Which; None for all.
        max_files: Of both classes together, at most; None for all.
        device: Where the networks run.
        precision: What the detector computes in on the CPU.
        num_workers: Media workers.
        seed: Of the choice of files and of the bootstrap.

    Returns:
        The summary: a row a condition, folder, MLflow run.
    """
    root = DataRoot(location_of(data_root))
    conditions = perturbations_of(tuple(perturbations or PERTURBATIONS))
    detector, how = resolve_detector(weights, data_root=root.path)
    bundle = load_bundle(detector.path)
    snapshot, notes = resolve_dataset(dataset, data_root=data_root)
    parts = set(snapshot.outcomes()["split"].dropna())
    part = ("test" if "test" in parts else "all") if split == "auto" else split
    files = choose_files(snapshot, split=part, max_files=max_files, seed=seed)
    if files.empty:
        raise ConfigError(f"{snapshot.corpus} has no labelled files in {part!r}")
    job = create_score_job(
        detector,
        device=device,
        precision=precision,
        cache=root.engine_cache,
        num_workers=num_workers,
    )
    results, tables = [], []
    try:
        with tracked("perturb", total=len(conditions) * len(files)):
            for condition in conditions:
                result, table = steps.measure(files, condition, job=job, seed=seed)
                results.append(result)
                tables.append(table)
    finally:
        close_workers()
    stamp = f"{datetime.now(UTC):%Y%m%d-%H%M%S}"
    run_name = f"robustness-{bundle.spec.architecture}-{snapshot.corpus}-{part}-{stamp}"
    folder = root.evaluations / run_name
    rows = [asdict(result) for result in results]
    markdown = sweep_markdown(
        results,
        title=f"Robustness on {snapshot.corpus}, {part}",
        notes=bundle.spec.reading_notes,
    )
    write_json(folder / "report.json", {"conditions": rows})
    write_text(folder / "summary.md", markdown)
    write_robustness_figure(results, folder / "figures" / "robustness.png")
    with atomic_path(folder / "files.parquet") as written:
        pd.concat(tables, ignore_index=True).to_parquet(written)
    try:
        run_id: str | None = steps.record(
            {"summary": _flat(rows), "conditions": rows},
            run_name=run_name,
            params={"corpus": snapshot.corpus, "split": part, "n_files": len(files), "seed": seed},
            tags={
                "stage": "evaluate",
                "corpus": snapshot.corpus,
                f"data.{snapshot.corpus}": snapshot.digest,
                "model_digest": bundle.digest,
            },
            folder=folder,
            markdown=markdown,
        )
    except TrackingError as error:
        run_id = None
        notes.append(f"not in MLflow ({error}); everything lies in {folder}")
    create_markdown_artifact(key="robustness", markdown=markdown, description=run_name)
    return {
        "detector": {"name": detector.name, "version": detector.version, "digest": bundle.digest},
        "detector_chosen_by": how,
        "corpus": snapshot.corpus,
        "split": part,
        "num_files": len(files),
        "notes": notes,
        "conditions": rows,
        "markdown": markdown,
        "folder": str(folder),
        "run_id": run_id,
        "tracking_uri": masked(tracking_uri()),
        "ui_command": ui_command(),
    }


def _flat(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Return each condition's numbers under flat names: `robust_jpeg_40_auc`."""
    flat: dict[str, float] = {}
    for row in rows:
        name = "clean" if row["name"] == "clean" else f"{row['name']}_{row['value']:g}"
        for key in ("auc", "auc_low", "auc_high", "accuracy", "uncertain", "n", "n_scored"):
            if row[key] is not None:
                flat[f"robust_{name}_{key}"] = float(row[key])
    return flat
