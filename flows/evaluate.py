"""A detector and a snapshot to metrics, figures and an MLflow run."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

import pandas as pd
from prefect import flow
from prefect.artifacts import create_markdown_artifact

from deepfake import __version__
from deepfake.compute.devices import resolve_device
from deepfake.config import Precision
from deepfake.corpora.held_out import held_out_sets_in, record_use
from deepfake.corpora.shards import Snapshot
from deepfake.detectors.bundles import Bundle, load_bundle
from deepfake.detectors.identity import DetectorIdentity
from deepfake.detectors.inference import computed_as
from deepfake.errors import ConfigError, TrackingError
from deepfake.registry import masked, tracking_uri, ui_command
from deepfake.registry.resolve import resolve_detector
from deepfake.storage import DataRoot, location_of
from flows.datasets import resolve_dataset
from tasks import evaluate as steps

__all__ = ["evaluate", "select_part"]


@flow(name="evaluate", flow_run_name="evaluate-{dataset}")
def evaluate(
    dataset: str,
    weights: str | None = None,
    data_root: str = "data",
    *,
    split: Literal["auto", "test", "val", "train", "all"] = "auto",
    device: Literal["auto", "cpu", "cuda"] = "auto",
    precision: Precision = "f32",
    against: str | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Evaluate a detector on a labelled corpus.

    Args:
        dataset: An ingested corpus, or a folder.
        weights: A bundle's folder or `models:/NAME@ALIAS`; else the champion, else the packaged.
        data_root: The data root.
        split: Which part; `auto` is the test part where there is one, else all.
        device: Where.
        precision: What the network computes in on the CPU.
        against: Another detector, named as `weights` is, that this one is compared with.
        seed: Of the bootstrap.

    Returns:
        The summary: metrics, folder, MLflow run, what to know about the numbers.
    """
    root = DataRoot(location_of(data_root))
    detector, how = resolve_detector(weights, data_root=root.path)
    bundle = load_bundle(detector.path)
    snapshot, notes = resolve_dataset(dataset, data_root=data_root)
    index, outcomes, part, more = select_part(snapshot, split)
    notes = [
        *notes,
        *more,
        *_overlap_notes(bundle, snapshot, part),
        *_input_notes(bundle, snapshot),
    ]
    how_computed: dict[str, Any] = {
        "device": device,
        "precision": precision,
        "cache": root.engine_cache,
    }
    crops = steps.predict(detector.path, snapshot, index, **how_computed)
    result = steps.measure(detector.path, crops, outcomes, seed=seed)
    compared = None
    measured = [bundle.digest]
    if against is not None:
        other, _ = resolve_detector(against, data_root=root.path)
        measured.append(load_bundle(other.path).digest)
        other_crops = steps.predict(other.path, snapshot, index, **how_computed)
        base = steps.measure(other.path, other_crops, outcomes, seed=seed)
        names = _two_names(other, detector)
        compared = steps.compare(base, result, first=names[0], second=names[1], seed=seed)
    notes += _looks(root, outcomes, detectors=tuple(measured))
    computed = computed_as(resolve_device(device), precision=precision)
    stamp = f"{datetime.now(UTC):%Y%m%d-%H%M%S}"
    run_name = f"evaluate-{bundle.spec.architecture}-{snapshot.corpus}-{part}-{stamp}"
    folder = root.evaluations / run_name
    markdown = steps.write(result, folder, notes=bundle.spec.reading_notes, compared=compared)
    try:
        run_id: str | None = steps.record(
            result,
            run_name=run_name,
            params=_params(bundle, snapshot, part, computed=computed),
            tags=_tags(bundle, snapshot, name=detector.name, version=detector.version),
            folder=folder,
            markdown=markdown,
            comparison=None if compared is None else compared[0],
        )
    except TrackingError as error:
        run_id = None
        notes.append(f"not in MLflow ({error}); everything lies in {folder}")
    create_markdown_artifact(key="evaluate", markdown=markdown, description=run_name)
    return {
        "detector": {"name": detector.name, "version": detector.version, "digest": bundle.digest},
        "detector_chosen_by": how,
        "corpus": snapshot.corpus,
        "snapshot": snapshot.digest,
        "split": part,
        "num_files": len(result.table),
        "notes": notes,
        "metrics": result.summary(),
        "comparison": None if compared is None else compared[0],
        "markdown": markdown,
        "folder": str(folder),
        "run_id": run_id,
        "tracking_uri": masked(tracking_uri()),
        "ui_command": ui_command(),
    }


def _looks(root: DataRoot, outcomes: pd.DataFrame, *, detectors: tuple[str, ...]) -> list[str]:
    """Note that benchmarks were looked at, and say so."""
    return [
        f"this looks at the frozen benchmark {found.name!r}, so far "
        f"{record_use(root, found.name, detectors=detectors, by='evaluate')} times"
        for found in held_out_sets_in(root, outcomes)
    ]


def _two_names(first: DetectorIdentity, second: DetectorIdentity) -> tuple[str, str]:
    """Return names that tell two detectors apart, also where both are called alike."""
    versions = (first.version, second.version)
    named = [
        f"{d.name} {v}" if v else d.name for d, v in zip((first, second), versions, strict=True)
    ]
    if named[0] != named[1]:
        return named[0], named[1]
    digests = [load_bundle(d.path).digest[:6] for d in (first, second)]
    return f"{named[0]} {digests[0]}", f"{named[1]} {digests[1]}"


def select_part(
    snapshot: Snapshot, split: str
) -> tuple[pd.DataFrame, pd.DataFrame, str, list[str]]:
    """Return the crops and the files of a part, its name, and what to tell the user.

    Raises:
        ConfigError: The part has no labelled file.
    """
    index, outcomes = snapshot.index(), snapshot.outcomes()
    parts = outcomes.loc[outcomes["label"].notna(), "split"].value_counts()
    notes = []
    if split == "auto":
        split = "test" if parts.get("test", 0) else "all"
        told = "its test part" if split == "test" else "all of it, since it has no test part"
        notes.append(f"--split auto: {told}")
    if split != "all":
        if not parts.get(split, 0):
            known = ", ".join(f"{k} ({v})" for k, v in parts.items()) or "none"
            raise ConfigError(
                f"{snapshot.corpus} has no labelled files in {split!r}; there are: {known}"
            )
        index = index[index["split"] == split]
        outcomes = outcomes[outcomes["split"] == split]
    return index.reset_index(drop=True), outcomes.reset_index(drop=True), split, notes


def _overlap_notes(bundle: Bundle, snapshot: Snapshot, part: str) -> list[str]:
    known = {**bundle.spec.data_digests, **bundle.spec.calibration_digests}
    if snapshot.corpus not in known or part == "test":
        return []
    return [
        (
            f"the detector was trained and calibrated on parts of {snapshot.corpus}: "
            f"its numbers on {part!r} are no evaluation"
        )
    ]


def _input_notes(bundle: Bundle, snapshot: Snapshot) -> list[str]:
    found = snapshot.config
    return [
        f"{snapshot.corpus} was ingested with other {name} than the detector scores with: "
        "its files get other logits here than from `score`"
        for name in ("sampling", "faces")
        if getattr(found, name) != getattr(bundle.spec, name)
    ]


def _params(bundle: Bundle, snapshot: Snapshot, part: str, *, computed: str) -> dict[str, Any]:
    return {
        **bundle.spec.made_with,
        "corpus": snapshot.corpus,
        "split": part,
        "computed_as": computed,
    }


def _tags(bundle: Bundle, snapshot: Snapshot, *, name: str, version: str | None) -> dict[str, str]:
    return {
        "stage": "evaluate",
        "corpus": snapshot.corpus,
        f"data.{snapshot.corpus}": snapshot.digest,
        "code_version": __version__,
        **bundle.tags,
        "model_name": name,
        "model_version": version or "none",
    }
