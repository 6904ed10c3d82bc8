"""One training run, from snapshots to a bundle."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers.logger import Logger
from torch import Tensor

import deepfake
from deepfake.compute.devices import resolve_device
from deepfake.config import TrainConfig, heads_of
from deepfake.corpora.held_out import refuse_benchmarks
from deepfake.corpora.shards import Snapshot
from deepfake.detectors.bundles import (
    Bundle,
    DetectorSpec,
    HeadSpec,
    load_bundle,
    packaged_detector,
    save_bundle,
)
from deepfake.detectors.inference.torch_networks import load_module
from deepfake.detectors.models import CreatedModel, create_model, freeze_stages, load_weights
from deepfake.errors import ModelError
from deepfake.storage import write_json
from deepfake.training.calibrate import calibrate_bundle
from deepfake.training.callbacks import read_metrics
from deepfake.training.fit import Fitted, fit, quiet_lightning
from deepfake.training.novelty import fit_novelty
from deepfake.training.plan import RunPlan
from deepfake.training.records import (
    RunFolder,
    TrainResult,
    check_resumable,
    describe_run,
    write_result,
)
from deepfake.training.selection import select_crops
from deepfake.types import Label
from deepfake.verdicts.calibration import Calibration, Thresholds

__all__ = ["train_detector"]

_PRIOR = 0.5
"""Share of fakes that the calibrated probability shall hold for."""

_REPORTED = (
    "train_loss",
    "val_loss",
    "val_auc",
    "val_blends_loss",
    "val_blends_auc",
    "val_fused_auc",
)

_Metrics = dict[str, float | int | str | None]


def train_detector(
    *,
    snapshots: Sequence[Snapshot],
    config: TrainConfig,
    run_dir: Path,
    name: str,
    device: str = "auto",
    num_workers: int | None = None,
    resume: bool = False,
    loggers: Sequence[Logger] = (),
    callbacks: Sequence[Callback] = (),
    show_progress: bool = True,
    licence: str = "MIT; the terms of the training data's owners apply beside it",
    scope: str = "",
) -> TrainResult:
    """Train a detector on the `train` crops of snapshots, choose and calibrate it on their `val`.

    `val` is halved by group: one half chooses the checkpoint by the AUC of files, the other fits
    temperature and thresholds. Where a half lacks a class, the last epoch is taken or the
    calibration left unfitted, and the notes say so. Trained on self-blended reals with no fake in
    the choosing half, the checkpoint is the one that tells self-blended `val` reals best.

    Args:
        snapshots: One a corpus, extracted with the same settings.
        config: The recipe.
        run_dir: Folder of the run: `config.json` (written first), `metrics.jsonl`, `checkpoints`,
            `bundle`, `result.json`.
        name: The detector's name.
        device: `auto`, `cpu` or `cuda`; all CUDA devices are used unless one is named.
        num_workers: Processes that decode; None for 1 on the CPU and 4 on CUDA.
        resume: Continue the run in `run_dir` from its last checkpoint.
        loggers: Lightning loggers beside the metrics file.
        callbacks: Lightning callbacks beside ours.
        show_progress: Whether to draw a progress bar on stderr.
        licence: Of the weights, for the bundle.
        scope: What the detector is for, for the bundle; empty for a sentence that names the data.

    Returns:
        Where the bundle lies, and what it is worth on `val`.

    Raises:
        ConfigError: Snapshots or options contradict each other, or the run cannot be resumed.
        DataError: `train` lacks a class that the method needs.
        SplitLeakageError: A group or a medium stands in two splits, or belongs to a benchmark.
        ModelError: The model is unknown, demanded weights are out of reach, or training diverged.
    """
    started = time.monotonic()
    plan = _plan(
        snapshots,
        config=config,
        folder=RunFolder(run_dir),
        name=name,
        device=torch.device(resolve_device(device)),
        num_workers=num_workers,
        resume=resume,
    )
    fitted = fit(plan, loggers=loggers, callbacks=callbacks, show_progress=show_progress)
    novelty, lacking = _novelty(plan, state=fitted.state)
    spec = _spec(
        plan,
        metrics=_metrics(plan, fitted=fitted),
        notes=(*_notes(plan), *lacking),
        has_novelty=bool(novelty),
        licence=licence,
        scope=scope,
    )
    bundle = plan.folder.bundle
    save_bundle(bundle, state_dict={**fitted.state, **novelty}, spec=spec, overwrite=True)
    calibrate_bundle(
        bundle, snapshots=snapshots, output=bundle, prior=_PRIOR, device=str(plan.device)
    )
    finished = load_bundle(bundle).spec
    train = plan.selection.train
    result = TrainResult(
        bundle=bundle,
        run_dir=run_dir,
        metrics=finished.metrics,
        best_epoch=fitted.best_epoch,
        num_epochs=fitted.num_epochs,
        num_train_crops=len(train),
        num_train_files=len(train[["corpus", "uri"]].drop_duplicates()),
        pretrained_source=plan.created.pretrained_source,
        notes=finished.notes,
        seconds=time.monotonic() - started,
    )
    write_result(plan.folder.result, result)
    return result


def _plan(
    snapshots: Sequence[Snapshot],
    *,
    config: TrainConfig,
    folder: RunFolder,
    name: str,
    device: torch.device,
    num_workers: int | None,
    resume: bool,
) -> RunPlan:
    """Check everything that can be wrong, then write what is about to be done."""
    refuse_benchmarks(snapshots)
    selection = select_crops(
        snapshots, method=config.method, max_files=config.max_files, seed=config.seed
    )
    kept = check_resumable(folder, config=config, snapshots=snapshots, resume=resume)
    with quiet_lightning():
        pl.seed_everything(config.seed, workers=True, verbose=False)
    created = _create(config, kept=kept if folder.last_checkpoint.is_file() else None)
    plan = RunPlan(
        name=name,
        config=config,
        snapshots=tuple(snapshots),
        selection=selection,
        created=created,
        folder=folder,
        device=device,
        num_workers=_default_workers(device) if num_workers is None else num_workers,
        is_resumed=kept is not None,
    )
    description = describe_run(
        name,
        config=config,
        snapshots=snapshots,
        pretrained_source=created.pretrained_source,
        device=str(device),
    )
    write_json(folder.config, description)
    return plan


def _default_workers(device: torch.device) -> int:
    return 1 if device.type == "cpu" else 4


def _create(config: TrainConfig, *, kept: dict[str, Any] | None) -> CreatedModel:
    # The weights of a resumed run come from its checkpoint; where they once started is on record.
    detector = _detector_to_go_on_from(config) if kept is None else None
    created = create_model(
        config.model,
        pretrained=config.pretrained if kept is None and detector is None else "none",
        input_size=config.input_size,
        num_heads=len(heads_of(config.method)),
    )
    if detector is not None:
        created = load_weights(
            created,
            load_module(detector).network.state_dict(),
            source=f"detector {detector.spec.name} ({detector.digest})",
            path=detector.path,
        )
    freeze_stages(created.module, config.frozen_stages)
    if kept is None:
        return created
    return replace(created, pretrained_source=str(kept["pretrained_source"]))


def _detector_to_go_on_from(config: TrainConfig) -> Bundle | None:
    packaged = packaged_detector() if config.pretrained == "packaged" else None
    if packaged is not None:
        return load_bundle(packaged)
    path = Path(config.pretrained)
    return load_bundle(path) if path.is_dir() else None


def _novelty(
    plan: RunPlan, *, state: dict[str, Tensor]
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Return the tensors that tell how new a crop looks, or a note that says why there are none."""
    module = plan.created.module
    module.load_state_dict(state)
    module = module.to(device=plan.device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    try:
        tensors = fit_novelty(
            module,
            plan.selection.train,
            spec=plan.input_spec,
            device=plan.device,
            seed=plan.config.seed,
            num_workers=plan.num_workers,
        )
    except ModelError as error:
        return {}, (f"The detector does not tell how new a face looks ({error.message}).",)
    note = "The detector does not tell how new a face looks: it learnt from too few."
    return tensors, () if tensors else (note,)


def _notes(plan: RunPlan) -> tuple[str, ...]:
    notes = [] if plan.created.message is None else [plan.created.message]
    notes += [*plan.selection.notes, *_method_notes(plan)]
    for snapshot in plan.snapshots:
        # Whoever reads the model card has to know of people on both sides of the test.
        shared = snapshot.description().get("split", {}).get("shared_identities", [])
        if shared:
            notes.append(f"The splits of {snapshot.corpus} share {len(shared)} people.")
    return tuple(notes)


def _method_notes(plan: RunPlan) -> list[str]:
    """Say what fakes were learnt from, and what chose the weights."""
    notes = []
    if plan.config.method == "sbi":
        notes.append(
            "Trained on self-blended reals alone: it has seen no forgery that somebody else made."
        )
    if not plan.chooses_by:
        notes.append(
            "The weights are those of the last epoch: the half of `val` that would choose lacks a "
            "class."
        )
    if plan.chooses_by == ("blends",):
        notes.append(
            "The checkpoint was chosen on self-blended reals of `val`, whose choosing half has no "
            f"fake: {plan.choosing_metric} says how well these are told apart, and nothing of "
            "fakes that somebody else made."
        )
    return notes


def _scope(plan: RunPlan) -> str:
    """Say what was learnt, and that of everything else nothing is known."""
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


def _metrics(plan: RunPlan, *, fitted: Fitted) -> _Metrics:
    # A resumed epoch stands twice in the file; the later line holds.
    logged = {
        line["name"]: line["value"]
        for line in read_metrics(plan.folder.metrics)
        if line["epoch"] == fitted.best_epoch and line["name"] in _REPORTED
    }
    train = plan.selection.train.drop_duplicates(["corpus", "uri"])
    counts: _Metrics = {
        f"num_train_{label}": int((train["label"] == str(label)).sum()) for label in Label
    }
    epochs: _Metrics = {"best_epoch": fitted.best_epoch, "num_epochs": fitted.num_epochs}
    return {**logged, **counts, **epochs}


def _spec(
    plan: RunPlan,
    *,
    metrics: _Metrics,
    notes: tuple[str, ...],
    has_novelty: bool,
    licence: str,
    scope: str,
) -> DetectorSpec:
    extract = plan.selection.config
    return DetectorSpec(
        name=plan.name,
        architecture=plan.created.architecture,
        input_size=plan.created.input_size,
        mean=plan.created.mean,
        std=plan.created.std,
        crop=extract.crop,
        faces=extract.faces,
        sampling=extract.sampling,
        aggregation=plan.config.aggregation,
        calibration_still=Calibration(prior=_PRIOR),
        calibration_video=Calibration(prior=_PRIOR),
        thresholds_still=Thresholds(),
        thresholds_video=Thresholds(),
        heads=tuple(HeadSpec(name=name) for name in heads_of(plan.config.method)),
        has_novelty=has_novelty,
        prior=_PRIOR,
        data_digests={s.corpus: s.digest for s in plan.snapshots},
        metrics=metrics,
        notes=notes,
        licence=licence,
        scope=scope or _scope(plan),
        pretrained_source=plan.created.pretrained_source,
        seed=plan.config.seed,
        code_version=deepfake.__version__,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        train_config=plan.config,
    )
