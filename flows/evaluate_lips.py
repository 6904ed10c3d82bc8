"""The part of the flow `evaluate` for corpora of lips with their sound."""

from __future__ import annotations

from typing import Any

from prefect.artifacts import create_markdown_artifact

from deepfake.config.options import EvaluateOptions
from deepfake.corpora.held_out import record_uses
from deepfake.corpora.shards import Snapshot
from deepfake.detectors.sync_bundle import load_sync_bundle
from deepfake.errors import ConfigError, TrackingError
from deepfake.evaluation.selected_split import select_split
from deepfake.evaluation.sync import sync_metrics
from deepfake.registry import mask_credentials, not_logged_note, run_tags, tracking_uri, ui_command
from deepfake.registry.resolve import resolve_sync_or_fail
from deepfake.storage import DataRoot, engine_cache, location_of, new_run_name
from tasks import evaluate as steps

__all__ = ["evaluate_lips"]


def evaluate_lips(
    options: EvaluateOptions, snapshot: Snapshot, *, notes: list[str]
) -> dict[str, Any]:
    """Evaluate a detector of lips against sound, and return the summary as `evaluate` does.

    Args:
        options: As given.
        snapshot: Of a corpus of lips.
        notes: On the data set, a sentence each.

    Raises:
        ConfigError: `--against`, which compares detectors of faces.
        UnknownModelError: There is no detector of lips against sound.
    """
    if options.against is not None:
        raise ConfigError("--against compares detectors of faces, and this is a corpus of lips")
    root = DataRoot(location_of(options.data_root))
    uri = tracking_uri(root.here)
    detector, how = resolve_sync_or_fail(options.weights, data_root=root.path)
    bundle = load_sync_bundle(detector.path)
    selected = select_split(snapshot, options.split)
    result = steps.evaluate_sync(
        detector.path, snapshot, selected.name, cache=engine_cache(), seed=options.seed
    )
    digests = (bundle.digest,)
    notes = [*notes, *selected.notes]
    notes += record_uses(root, selected.outcomes, detectors=digests, command="evaluate")
    run_name = new_run_name("evaluate", bundle.spec.architecture, snapshot.corpus, selected.name)
    folder = root.evaluations / run_name
    markdown = steps.write_sync_evaluation(result, folder, notes=bundle.spec.reading_notes)
    metrics = sync_metrics(result)
    params = {**bundle.spec.made_with, "corpus": snapshot.corpus, "split": selected.name}
    version = detector.version or "none"
    tags = {
        **run_tags("evaluate", [snapshot]),
        **bundle.tags,
        "model_name": detector.name,
        "model_version": version,
    }
    run_id: str | None = None
    try:
        run_id = steps.log_to_mlflow(
            {**result.to_json(), "summary": metrics},
            snapshot=snapshot,
            run_name=run_name,
            params=params,
            tags=tags,
            folder=folder,
            markdown=markdown,
            uri=uri,
        )
    except TrackingError as error:
        notes.append(not_logged_note(error, folder))
    create_markdown_artifact(key="evaluate", markdown=markdown, description=run_name)
    return {
        "detector": detector.as_record(digest=bundle.digest),
        "detector_chosen_by": how,
        "corpus": snapshot.corpus,
        "snapshot": snapshot.digest,
        "split": selected.name,
        "num_files": len(result.table),
        "notes": notes,
        "metrics": metrics,
        "comparison": None,
        "markdown": markdown,
        "folder": str(folder),
        "run_id": run_id,
        "tracking_uri": mask_credentials(uri),
        "ui_command": ui_command(uri),
    }
