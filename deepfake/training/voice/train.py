"""Train a detector of voices: plan, fit, write the bundle, calibrate it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers.logger import Logger
from torch import Tensor

import deepfake
from deepfake.compute.devices import resolve_device
from deepfake.config import VoiceTrainConfig
from deepfake.corpora.shards import Snapshot
from deepfake.detectors.voice_bundle import VoiceSpec, load_voice_bundle, save_voice_bundle
from deepfake.training.bundle_spec import PRIOR, logged_metrics
from deepfake.training.data import labels_of
from deepfake.training.fit import FitResult
from deepfake.training.novelty import novelty_tensors
from deepfake.training.progress import print_step
from deepfake.training.run_folder import RunFolder, TrainResult, write_result
from deepfake.training.voice.calibrate import calibrate_voice_bundle
from deepfake.training.voice.fit import fit_voice
from deepfake.training.voice.plan import VoicePlan, plan_voice_run
from deepfake.training.voice.windows import evaluation_windows
from deepfake.verdicts.calibration import Calibration
from deepfake.verdicts.voice import VoiceJudgement

__all__ = ["train_voice_detector"]

_MAX_WINDOWS = 2000
"""Windows of the training data that novelty is measured against, at most."""


def train_voice_detector(
    *,
    snapshots: Sequence[Snapshot],
    config: VoiceTrainConfig,
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
    """Train a detector on the `train` windows of snapshots, choose and calibrate it on their `val`.

    `val` is halved by group: one half chooses the checkpoint by the AUC of files, the other fits
    temperature and thresholds. Where a half lacks a class, the last epoch is taken or the
    calibration left unfitted, and the notes say so.

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
        DataError: `train` lacks a class that is needed.
        SplitLeakageError: A group or a medium stands in two splits, or is held out.
        BundleError: What training begins with is not a detector of voices.
        ModelError: The architecture is unknown, or training diverged.
    """
    started = time.monotonic()
    print_step("choosing windows of speech", is_shown=show_progress)
    plan = plan_voice_run(
        snapshots,
        config=config,
        folder=RunFolder(run_dir),
        name=name,
        device=torch.device(resolve_device(device)),
        num_workers=num_workers,
        resume=resume,
    )
    fitted = fit_voice(plan, loggers=loggers, callbacks=callbacks, show_progress=show_progress)
    print_step("measuring what is novel, and calibrating", is_shown=show_progress)
    bundle = _write_bundle(plan, fitted=fitted, licence=licence, scope=scope)
    calibrate_voice_bundle(bundle, snapshots=snapshots, output=bundle, prior=PRIOR)
    result = _result(plan, fitted=fitted, seconds=time.monotonic() - started)
    write_result(plan.folder.result, result)
    return result


def _write_bundle(plan: VoicePlan, *, fitted: FitResult, licence: str, scope: str) -> Path:
    novelty = _novelty(plan, state=fitted.state)
    spec = VoiceSpec(
        name=plan.name,
        architecture=plan.config.architecture,
        speech=plan.selection.speech,
        judgement=VoiceJudgement(calibration=Calibration(prior=PRIOR)),
        has_novelty=bool(novelty),
        prior=PRIOR,
        data_digests={s.corpus: s.digest for s in plan.snapshots},
        metrics=logged_metrics(plan.folder, fitted=fitted, train=plan.selection.train),
        notes=_notes(plan, has_novelty=bool(novelty)),
        licence=licence,
        scope=scope or _scope(plan),
        pretrained_source=plan.pretrained_source,
        seed=plan.config.seed,
        code_version=deepfake.__version__,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        train_config=plan.config,
    )
    folder = plan.folder.bundle
    state = {**fitted.state, **novelty}
    return save_voice_bundle(folder, state_dict=state, spec=spec, overwrite=True)


def _novelty(plan: VoicePlan, *, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors that measure novelty; none where there are too few windows."""
    train = plan.selection.train
    count = min(_MAX_WINDOWS, len(train))
    chosen = train.sample(n=count, random_state=plan.config.seed).reset_index(drop=True)
    network = plan.network
    network.load_state_dict(state)
    network.to(plan.device).eval()
    with torch.inference_mode():
        parts = [
            network.embed(samples.to(plan.device)).double().cpu()
            for samples, _, _ in evaluation_windows(chosen, num_workers=plan.num_workers)
        ]
    features = np.asarray(torch.cat(parts).numpy(), dtype=np.float64)
    return novelty_tensors(features, labels=labels_of(chosen))


def _notes(plan: VoicePlan, *, has_novelty: bool) -> tuple[str, ...]:
    notes = []
    for snapshot in plan.snapshots:
        shared = snapshot.description().get("split", {}).get("shared_identities", [])
        if shared:
            notes.append(f"The splits of {snapshot.corpus} share {len(shared)} people.")
    if not plan.is_validated:
        notes.append(
            "The weights are those of the last epoch: the half of `val` that would choose lacks a "
            "class."
        )
    if not has_novelty:
        notes.append("The detector does not measure novelty: it had too few windows to train on.")
    return tuple(notes)


def _scope(plan: VoicePlan) -> str:
    """Return a sentence that says what the detector has learnt and what not."""
    corpora = ", ".join(s.corpus for s in plan.snapshots)
    fakes = [
        *([f"fake speech like that of {corpora}"] if plan.config.copy_share < 1 else []),
        *([f"copies of the speech of {corpora} by vocoders"] if plan.config.copy_share else []),
    ]
    return (
        f"Learnt: {', and '.join(fakes)}. Not learnt: other kinds of synthetic speech, faces, what "
        "is said; nothing is implied about them."
    )


def _result(plan: VoicePlan, *, fitted: FitResult, seconds: float) -> TrainResult:
    calibrated = load_voice_bundle(plan.folder.bundle).spec
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
