"""Train a detector of lips against sound: plan, fit, write the bundle, calibrate it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers.logger import Logger

import deepfake
from deepfake.compute.devices import resolve_device
from deepfake.config import SyncTrainConfig
from deepfake.corpora.shards import Snapshot
from deepfake.detectors.sync_bundle import SyncSpec, load_sync_bundle, save_sync_bundle
from deepfake.training.bundle_spec import PRIOR, logged_metrics
from deepfake.training.fit import FitResult
from deepfake.training.progress import print_step
from deepfake.training.run_folder import RunFolder, TrainResult, write_result
from deepfake.training.sync.calibrate import calibrate_sync_bundle
from deepfake.training.sync.fit import fit_sync
from deepfake.training.sync.plan import SyncPlan, plan_sync_run
from deepfake.verdicts.calibration import Calibration
from deepfake.verdicts.sync import SyncJudgement

__all__ = ["train_sync_detector"]


def train_sync_detector(
    *,
    snapshots: Sequence[Snapshot],
    config: SyncTrainConfig,
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
    """Train a detector on the real runs of `train` of snapshots, choose and calibrate it on `val`.

    `val` is halved by group: one half chooses the checkpoint by how well windows find their own
    sound, the other fits temperature and thresholds. Where a half lacks files, the last epoch is
    taken or the calibration left unfitted, and the notes say so.

    Args:
        snapshots: One a corpus, cut with the same settings.
        config: The recipe.
        run_dir: Folder of the run, with the same files as one of `train_detector`.
        name: The detector's name.
        device: `auto`, `cpu` or `cuda`; one device is used.
        num_workers: Processes that decode and augment; None for 1 on the CPU and 8 on CUDA.
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
        DataError: `train` lacks real runs.
        SplitLeakageError: A group or a medium stands in two splits, or is held out.
        BundleError: What training begins with is not a detector of lips against sound.
        ModelError: Training diverged.
    """
    started = time.monotonic()
    print_step("choosing runs of mouths", is_shown=show_progress)
    plan = plan_sync_run(
        snapshots,
        config=config,
        folder=RunFolder(run_dir),
        name=name,
        device=torch.device(resolve_device(device)),
        num_workers=num_workers,
        resume=resume,
    )
    fitted = fit_sync(plan, loggers=loggers, callbacks=callbacks, show_progress=show_progress)
    print_step("calibrating", is_shown=show_progress)
    bundle = _write_bundle(plan, fitted=fitted, licence=licence, scope=scope)
    calibrate_sync_bundle(bundle, snapshots=snapshots, output=bundle, prior=PRIOR)
    result = _result(plan, fitted=fitted, seconds=time.monotonic() - started)
    write_result(plan.folder.result, result)
    return result


def _write_bundle(plan: SyncPlan, *, fitted: FitResult, licence: str, scope: str) -> Path:
    spec = SyncSpec(
        name=plan.name,
        mouths=plan.selection.config.mouths,
        faces=plan.selection.config.faces,
        speech=plan.selection.config.speech,
        judgement=SyncJudgement(calibration=Calibration(prior=PRIOR)),
        prior=PRIOR,
        data_digests={s.corpus: s.digest for s in plan.snapshots},
        metrics=logged_metrics(plan.folder, fitted=fitted, train=plan.selection.train),
        notes=_notes(plan),
        licence=licence,
        scope=scope or _scope(plan),
        pretrained_source=plan.pretrained_source,
        seed=plan.config.seed,
        code_version=deepfake.__version__,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        train_config=plan.config,
    )
    folder = plan.folder.bundle
    return save_sync_bundle(folder, state_dict=fitted.state, spec=spec, overwrite=True)


def _notes(plan: SyncPlan) -> tuple[str, ...]:
    notes = []
    for snapshot in plan.snapshots:
        shared = snapshot.description().get("split", {}).get("shared_identities", [])
        if shared:
            notes.append(f"The splits of {snapshot.corpus} share {len(shared)} people.")
    if not plan.is_validated:
        notes.append(
            "The weights are those of the last epoch: the half of `val` that would choose has no "
            "real runs."
        )
    return tuple(notes)


def _scope(plan: SyncPlan) -> str:
    """Return a sentence that says what the detector has learnt and what not."""
    corpora = ", ".join(s.corpus for s in plan.snapshots)
    return (
        f"Learnt: which lips go with which sound, from real files of {corpora}. Finds lips that do "
        "not say the words, and nothing else: that they do is no sign of a real file."
    )


def _result(plan: SyncPlan, *, fitted: FitResult, seconds: float) -> TrainResult:
    calibrated = load_sync_bundle(plan.folder.bundle).spec
    train = plan.selection.train
    return TrainResult(
        bundle=plan.folder.bundle,
        run_dir=plan.folder.path,
        metrics=calibrated.metrics,
        best_epoch=fitted.best_epoch,
        num_epochs=fitted.num_epochs,
        num_train_crops=len(train),
        num_train_files=len(train[["corpus", "uri"]].drop_duplicates()),
        pretrained_source=plan.pretrained_source,
        notes=calibrated.notes,
        seconds=seconds,
    )
