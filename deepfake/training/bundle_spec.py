"""Describe the trained detector: metrics, notes and settings that go into its bundle."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd

import deepfake
from deepfake.config import heads_of
from deepfake.detectors.bundles import DetectorSpec, HeadSpec
from deepfake.extract.options import ingest_options_of
from deepfake.training.fit import FitResult
from deepfake.training.metrics_file import read_metrics_file
from deepfake.training.plan import RunPlan
from deepfake.training.run_folder import RunFolder
from deepfake.types import PICTURE_KINDS, Label
from deepfake.verdicts.calibration import Calibration
from deepfake.verdicts.judgement import JudgementSettings, judgement_kind

__all__ = ["PRIOR", "describe_detector", "logged_metrics"]

PRIOR = 0.5
"""Share of fakes that the calibrated probability assumes."""

_REPORTED = (
    "train_loss",
    "train_map_loss",
    "val_loss",
    "val_auc",
    "val_eer",
    "val_blends_loss",
    "val_blends_auc",
    "val_fused_auc",
)

_Metrics = dict[str, float | int | str | None]


def describe_detector(
    plan: RunPlan,
    *,
    fitted: FitResult,
    has_novelty: bool,
    notes: tuple[str, ...],
    licence: str,
    scope: str,
) -> DetectorSpec:
    """Return what `detector.json` says of a detector that is not calibrated yet.

    Args:
        plan: The run.
        fitted: Its weights.
        has_novelty: Whether the bundle holds the tensors that measure novelty.
        notes: Further notes, after those of the data and the method.
        licence: Of the weights.
        scope: What the detector is for; empty for a sentence that names the data.
    """
    extract = plan.selection.config
    return DetectorSpec(
        name=plan.name,
        architecture=plan.created.architecture,
        input_size=plan.created.input_size,
        mean=plan.created.mean,
        std=plan.created.std,
        crop=plan.crop,
        faces=extract.faces,
        sampling=extract.sampling,
        aggregation=plan.config.aggregation,
        judgement={
            judgement_kind(kind): JudgementSettings(calibration=Calibration(prior=PRIOR))
            for kind in PICTURE_KINDS
        },
        heads=tuple(HeadSpec(**head.model_dump()) for head in heads_of(plan.config.method)),
        has_novelty=has_novelty,
        prior=PRIOR,
        data_digests={s.corpus: s.digest for s in plan.snapshots},
        metrics=logged_metrics(plan.folder, fitted=fitted, train=plan.selection.train),
        notes=(*_notes(plan), *notes),
        licence=licence,
        scope=scope or _scope(plan),
        pretrained_source=plan.created.pretrained_source,
        seed=plan.config.seed,
        code_version=deepfake.__version__,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        train_config=plan.config,
    )


def _notes(plan: RunPlan) -> tuple[str, ...]:
    notes = [] if plan.created.message is None else [plan.created.message]
    notes += [*plan.selection.notes, *_method_notes(plan)]
    for snapshot in plan.snapshots:
        # Readers of the model card must know of people in several splits.
        shared = snapshot.description().get("split", {}).get("shared_identities", [])
        if shared:
            notes.append(f"The splits of {snapshot.corpus} share {len(shared)} people.")
    return tuple(notes)


def _method_notes(plan: RunPlan) -> list[str]:
    """Return notes on the training fakes and on what chose the weights."""
    notes = []
    if plan.config.method == "sbi":
        notes.append("Trained on self-blended reals alone; it has seen no other forgery.")
    if plan.config.view is not None:
        margin = plan.selection.config.crop.margin
        notes.append(
            f"Trained on squares drawn in crops of the margin {margin:g}. `train` calibrates on "
            "squares cut out of these, `calibrate` on crops as scoring makes them: ingested with "
            f"{ingest_options_of(plan.crop)}."
        )
    if plan.config.checkpoint == "last":
        notes.append("The weights are those of the last epoch, as its recipe says.")
    elif not plan.validates_by:
        notes.append(
            "The weights are those of the last epoch: the half of `val` that would choose lacks a "
            "class."
        )
    elif plan.validates_by == ("blends",):
        notes.append(
            "The checkpoint was chosen on self-blended reals of `val`, whose choosing half has no "
            f"fake: {plan.choosing_metric} says how well these are separated, and nothing of "
            "other fakes."
        )
    return notes


def _scope(plan: RunPlan) -> str:
    """Return a sentence that says what the detector has learnt and what not."""
    corpora = ", ".join(s.corpus for s in plan.snapshots)
    blends = f"faces blended into faces of {corpora}"
    labelled = f"fakes like those of {corpora}"
    learnt = {
        "labels": labelled,
        "sbi": blends,
        "mixed": f"{blends}, and {labelled}",
        "two_headed": f"{blends}, and {labelled}",
    }[plan.config.method]
    return (
        f"Learnt: {learnt}. Not learnt: wholly generated pictures, lip-sync, voices; nothing is "
        "implied about them."
    )


def logged_metrics(
    folder: RunFolder, *, fitted: FitResult, train: pd.DataFrame
) -> dict[str, float | int | str | None]:
    """Return the metrics of the epoch that was chosen, and the number of files learnt from.

    Args:
        folder: Of the run.
        fitted: Its weights.
        train: Crops or windows that were learnt from.
    """
    # A resumed epoch is twice in the file; the later line counts.
    logged = {
        line["name"]: line["value"]
        for line in read_metrics_file(folder.metrics)
        if line["epoch"] == fitted.best_epoch and line["name"] in _REPORTED
    }
    files = train.drop_duplicates(["corpus", "uri"])
    counts: _Metrics = {
        f"num_train_{label}": int((files["label"] == str(label)).sum()) for label in Label
    }
    epochs: _Metrics = {"best_epoch": fitted.best_epoch, "num_epochs": fitted.num_epochs}
    return {**logged, **counts, **epochs}
