"""The flow `evaluate`: measure a detector on a snapshot, with figures and an MLflow run."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.artifacts import create_markdown_artifact

from deepfake.compute.devices import resolve_device
from deepfake.config.options import EvaluateOptions, takes_options
from deepfake.corpora.held_out import record_uses
from deepfake.corpora.shards import SYNC, VOICE, Snapshot
from deepfake.detectors.bundles import Bundle, load_bundle
from deepfake.detectors.identity import DetectorIdentity
from deepfake.detectors.inference import describe_computation
from deepfake.errors import TrackingError
from deepfake.evaluation import EvaluationResult
from deepfake.evaluation.selected_split import (
    SelectedSplit,
    caveats,
    distinct_names,
    select_split,
)
from deepfake.registry import mask_credentials, not_logged_note, run_tags, tracking_uri, ui_command
from deepfake.registry.resolve import resolve_detector
from deepfake.storage import DataRoot, engine_cache, location_of, new_run_name
from flows.evaluate_lips import evaluate_lips
from flows.evaluate_voices import evaluate_voices
from flows.ingest import open_dataset
from flows.server.cancel import cancel_when_stopped
from tasks import evaluate as steps

__all__ = ["evaluate"]


@flow(name="evaluate", flow_run_name="evaluate-{dataset}")
@cancel_when_stopped
@takes_options
def evaluate(options: EvaluateOptions) -> dict[str, Any]:
    """Evaluate a detector on a labelled corpus.

    Returns:
        The summary: metrics, folder, MLflow run, what to know about the numbers.
    """
    root = DataRoot(location_of(options.data_root))
    uri = tracking_uri(root.here)
    snapshot, notes = open_dataset(options.dataset, data_root=options.data_root)
    if snapshot.kind == VOICE:
        return evaluate_voices(options, snapshot, notes=notes)
    if snapshot.kind == SYNC:
        return evaluate_lips(options, snapshot, notes=notes)
    detector, how = resolve_detector(options.weights, data_root=root.path)
    bundle = load_bundle(detector.path)
    selected = select_split(snapshot, options.split)
    result = _measure(detector, snapshot, selected, options=options)
    compared = None
    measured = [bundle.digest]
    if options.against is not None:
        other, _ = resolve_detector(options.against, data_root=root.path)
        measured.append(load_bundle(other.path).digest)
        base = _measure(other, snapshot, selected, options=options)
        first, second = distinct_names(other, detector)
        compared = steps.compare(base, result, first=first, second=second, seed=options.seed)
    notes += [*selected.notes, *caveats(bundle, snapshot, selected.name)]
    notes += record_uses(root, selected.outcomes, detectors=tuple(measured), command="evaluate")
    run_name = new_run_name("evaluate", bundle.spec.architecture, snapshot.corpus, selected.name)
    folder = root.evaluations / run_name
    markdown = steps.write_evaluation(
        result, folder, notes=bundle.spec.reading_notes, compared=compared
    )
    computed = describe_computation(resolve_device(options.device), precision=options.precision)
    try:
        run_id: str | None = steps.log_to_mlflow(
            {**result.to_json(), "comparison": None if compared is None else compared[0]},
            snapshot=snapshot,
            run_name=run_name,
            params=_params(bundle, snapshot, selected.name, computed=computed),
            tags={
                **run_tags("evaluate", [snapshot]),
                **bundle.tags,
                "model_name": detector.name,
                "model_version": detector.version or "none",
            },
            folder=folder,
            markdown=markdown,
            uri=uri,
        )
    except TrackingError as error:
        run_id = None
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
        "metrics": result.summary(),
        "comparison": None if compared is None else compared[0],
        "markdown": markdown,
        "folder": str(folder),
        "run_id": run_id,
        "tracking_uri": mask_credentials(uri),
        "ui_command": ui_command(uri),
    }


def _measure(
    detector: DetectorIdentity,
    snapshot: Snapshot,
    selected: SelectedSplit,
    *,
    options: EvaluateOptions,
) -> EvaluationResult:
    crops = steps.predict(
        detector.path,
        snapshot,
        selected.index,
        device=options.device,
        precision=options.precision,
        cache=engine_cache(),
    )
    return steps.compute_metrics(detector.path, crops, selected.outcomes, seed=options.seed)


def _params(bundle: Bundle, snapshot: Snapshot, split: str, *, computed: str) -> dict[str, Any]:
    return {
        **bundle.spec.made_with,
        "corpus": snapshot.corpus,
        "split": split,
        "computed_as": computed,
    }
