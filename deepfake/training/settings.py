"""The settings and the folder of a training run, as `train` was asked for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from deepfake.config import SyncTrainConfig, TrainConfig, VoiceTrainConfig
from deepfake.config.options import TrainOptions
from deepfake.detectors.voice.architectures import reject_unknown_voice_network
from deepfake.errors import ConfigError
from deepfake.storage import new_run_name
from deepfake.training.recipes import (
    DEFAULT_RECIPE,
    DEFAULT_SYNC_RECIPE,
    DEFAULT_VOICE_RECIPE,
    load_recipe,
    load_sync_recipe,
    load_voice_recipe,
)

__all__ = [
    "check_run_name",
    "resolve_any_train_config",
    "resolve_run_folder",
    "resolve_sync_train_config",
    "resolve_train_config",
    "resolve_voice_train_config",
]


_PRECISIONS: dict[str | None, str] = {"f32": "32-true", "bf16": "bf16-mixed", "f16": "16-mixed"}
"""Lightning's names of what an option names."""


def resolve_any_train_config(
    options: TrainOptions,
) -> TrainConfig | VoiceTrainConfig | SyncTrainConfig:
    """Return the settings of a training of the modality that the options name.

    Raises:
        ConfigError: There is no such recipe, or options contradict it.
    """
    if options.modality == "voice":
        return resolve_voice_train_config(options)
    if options.modality == "sync":
        return resolve_sync_train_config(options)
    return resolve_train_config(options)


def resolve_train_config(options: TrainOptions) -> TrainConfig:
    """Return a recipe for faces with the options that were given on top.

    Raises:
        ConfigError: There is no such recipe, or options contradict it.
    """
    base = load_recipe(options.recipe or DEFAULT_RECIPE)
    given = {
        "model": options.model,
        "epochs": options.epochs,
        "batch_size": options.batch_size,
        "learning_rate": options.lr,
        "optimizer": options.optimizer,
        "weight_decay": options.weight_decay,
        "pretrained": options.pretrained,
        "seed": options.seed,
        "patience": options.patience,
        "max_crops_per_epoch": options.max_crops,
        "max_minutes": options.max_minutes,
        "max_cpu_minutes": options.max_cpu_minutes,
        "method": options.method,
        "sbi_share": options.sbi_share,
        "precision": _PRECISIONS.get(options.precision),
    }
    augment = {"is_enabled": options.augment, "match_resolution": options.match_resolution}
    chosen = {name: value for name, value in given.items() if value is not None}
    changed = {name: value for name, value in augment.items() if value is not None}
    config = base.model_copy(update={**chosen, "augment": base.augment.model_copy(update=changed)})
    if options.sbi_share is not None and config.method not in ("mixed", "two_headed"):
        raise ConfigError(
            f"sbi_share goes with the methods mixed and two_headed, not with {config.method}"
        )
    # `model_copy` validates nothing.
    return TrainConfig.model_validate(config.model_dump())


_ONLY_FACES = ("optimizer", "precision", "method", "sbi_share", "match_resolution")


def resolve_voice_train_config(options: TrainOptions) -> VoiceTrainConfig:
    """Return a recipe for voices with the options that were given on top.

    Raises:
        ConfigError: There is no such recipe, or an option is given that is for faces alone.
    """
    _reject_options_of_faces(options, _ONLY_FACES)
    base = load_voice_recipe(options.recipe or DEFAULT_VOICE_RECIPE)
    given = {
        "architecture": options.model,
        "epochs": options.epochs,
        "batch_size": options.batch_size,
        "learning_rate": options.lr,
        "weight_decay": options.weight_decay,
        "pretrained": options.pretrained,
        "seed": options.seed,
        "patience": options.patience,
        "windows_per_epoch": options.max_crops,
        "max_minutes": options.max_minutes,
        "max_cpu_minutes": options.max_cpu_minutes,
    }
    chosen: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if options.augment is not None:
        chosen["augment"] = base.augment.model_copy(update={"is_enabled": options.augment})
    # `model_copy` validates nothing.
    config = VoiceTrainConfig.model_validate(base.model_copy(update=chosen).model_dump())
    reject_unknown_voice_network(config.architecture)
    return config


def resolve_sync_train_config(options: TrainOptions) -> SyncTrainConfig:
    """Return a recipe for lips against sound with the options that were given on top.

    Raises:
        ConfigError: There is no such recipe, or an option is given that is not for it.
    """
    _reject_options_of_faces(options, ("model", *_ONLY_FACES))
    base = load_sync_recipe(options.recipe or DEFAULT_SYNC_RECIPE)
    given = {
        "epochs": options.epochs,
        "batch_size": options.batch_size,
        "learning_rate": options.lr,
        "weight_decay": options.weight_decay,
        "pretrained": options.pretrained,
        "seed": options.seed,
        "patience": options.patience,
        "runs_per_epoch": options.max_crops,
        "max_minutes": options.max_minutes,
        "max_cpu_minutes": options.max_cpu_minutes,
    }
    chosen: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if options.augment is not None:
        changed = {"is_enabled": options.augment}
        chosen["mouths"] = base.mouths.model_copy(update=changed)
        chosen["sound"] = base.sound.model_copy(update=changed)
    # `model_copy` validates nothing.
    return SyncTrainConfig.model_validate(base.model_copy(update=chosen).model_dump())


def _reject_options_of_faces(options: TrainOptions, names: tuple[str, ...]) -> None:
    for name in names:
        if getattr(options, name) is not None:
            raise ConfigError(
                f"--{name.replace('_', '-')} goes with --modality faces, not {options.modality}"
            )


def check_run_name(runs: Path, name: str, *, resume: bool | None = None) -> None:
    """Reject the name of a run that is there, unless it is resumed.

    Args:
        runs: Folder of all runs.
        name: Of the run.
        resume: Whether an interrupted run continues; None for a command without `--resume`.

    Raises:
        ConfigError: The name is taken.
    """
    if not resume and (runs / name).exists():
        hint = "Give another --run-name, or continue it with --resume."
        raise ConfigError(f"the run {name!r} already exists", hint=None if resume is None else hint)


def resolve_run_folder(
    runs: Path, *, name: str | None, model: str, corpus: str, resume: bool
) -> Path:
    """Return the folder of a new run, or of the one that is resumed.

    Args:
        runs: Folder of all runs.
        name: Of the run; None for one made of model, corpus and time.
        model: The network.
        corpus: What is trained on.
        resume: Whether an interrupted run continues: the named one, else the newest.

    Raises:
        ConfigError: The name is taken, or there is nothing to resume.
    """
    if name is not None:
        check_run_name(runs, name, resume=resume)
        return runs / name
    stem = f"{model}-{corpus}".replace("/", "-")
    if resume:
        earlier = sorted(runs.glob(f"{stem}-*/checkpoints/last.ckpt"))
        if not earlier:
            raise ConfigError(
                f"no interrupted run {stem}-* to resume under {runs}",
                hint="Name the run with --run-name, or leave --resume out.",
            )
        return max(earlier, key=lambda path: path.stat().st_mtime).parents[1]
    return runs / new_run_name(stem)
