"""Train a detector: plan, fit, write the bundle, calibrate it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers.logger import Logger
from torch import Tensor

from deepfake.compute.devices import resolve_device
from deepfake.config import TrainConfig
from deepfake.corpora.shards import Snapshot
from deepfake.detectors.bundles import load_bundle, save_bundle
from deepfake.errors import ModelError
from deepfake.training.bundle_spec import PRIOR, describe_detector
from deepfake.training.calibrate import calibrate_bundle
from deepfake.training.fit import FitResult, fit
from deepfake.training.novelty import fit_novelty
from deepfake.training.plan import RunPlan, plan_run
from deepfake.training.progress import print_step
from deepfake.training.run_folder import RunFolder, TrainResult, write_result

__all__ = ["train_detector"]


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
        show_progress: Whether to show on stderr how far it is.
        licence: Of the weights, for the bundle.
        scope: What the detector is for, for the bundle; empty for a sentence that names the data.

    Returns:
        Where the bundle is, and its metrics on `val`.

    Raises:
        ConfigError: Snapshots or options contradict each other, or the run cannot be resumed.
        DataError: `train` lacks a class that the method needs.
        SplitLeakageError: A group or a medium stands in two splits, or is held out.
        ModelError: The model is unknown, demanded weights are out of reach, or training diverged.
    """
    started = time.monotonic()
    print_step("choosing crops", is_shown=show_progress)
    plan = plan_run(
        snapshots,
        config=config,
        folder=RunFolder(run_dir),
        name=name,
        device=torch.device(resolve_device(device)),
        num_workers=num_workers,
        resume=resume,
    )
    fitted = fit(plan, loggers=loggers, callbacks=callbacks, show_progress=show_progress)
    print_step("measuring what is novel, and calibrating", is_shown=show_progress)
    bundle = _write_bundle(plan, fitted=fitted, licence=licence, scope=scope)
    calibrate_bundle(
        bundle,
        snapshots=snapshots,
        output=bundle,
        prior=PRIOR,
        device=str(plan.device),
        view=config.view,
    )
    result = _result(plan, fitted=fitted, seconds=time.monotonic() - started)
    write_result(plan.folder.result, result)
    return result


def _write_bundle(plan: RunPlan, *, fitted: FitResult, licence: str, scope: str) -> Path:
    novelty, notes = _novelty(plan, state=fitted.state)
    spec = describe_detector(
        plan,
        fitted=fitted,
        has_novelty=bool(novelty),
        notes=notes,
        licence=licence,
        scope=scope,
    )
    folder = plan.folder.bundle
    save_bundle(folder, state_dict={**fitted.state, **novelty}, spec=spec, overwrite=True)
    return folder


def _novelty(
    plan: RunPlan, *, state: dict[str, Tensor]
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Return the tensors that measure novelty, or a note that says why there are none."""
    module = plan.created.module
    module.load_state_dict(state)
    module = module.to(device=plan.device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    try:
        tensors = fit_novelty(
            module,
            plan.selection.train,
            spec=plan.input_spec,
            crop=plan.selection.config.crop,
            view=plan.config.view,
            device=plan.device,
            seed=plan.config.seed,
            num_workers=plan.num_workers,
        )
    except ModelError as error:
        return {}, (f"The detector does not measure novelty ({error.message}).",)
    note = "The detector does not measure novelty: it had too few training crops."
    return tensors, () if tensors else (note,)


def _result(plan: RunPlan, *, fitted: FitResult, seconds: float) -> TrainResult:
    calibrated = load_bundle(plan.folder.bundle).spec
    train = plan.selection.train
    return TrainResult(
        bundle=plan.folder.bundle,
        run_dir=plan.folder.path,
        metrics=calibrated.metrics,
        best_epoch=fitted.best_epoch,
        num_epochs=fitted.num_epochs,
        num_train_crops=len(train),
        num_train_files=len(train[["corpus", "uri"]].drop_duplicates()),
        pretrained_source=plan.created.pretrained_source,
        notes=calibrated.notes,
        seconds=seconds,
    )
