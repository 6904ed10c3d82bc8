"""The folder of a training run: its files, its configuration, its result, resuming it."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import lightning
import timm
import torch
import torchvision

import deepfake
from deepfake.config import SyncTrainConfig, TrainConfig, VoiceTrainConfig
from deepfake.corpora.shards import Snapshot
from deepfake.errors import ConfigError, DataError
from deepfake.storage import read_json, write_json
from deepfake.training.callbacks import LAST_CHECKPOINT
from deepfake.types import Label

__all__ = [
    "AnyTrainConfig",
    "RunFolder",
    "TrainResult",
    "check_resumable",
    "describe_run",
    "read_result",
    "write_result",
]

AnyTrainConfig: TypeAlias = TrainConfig | VoiceTrainConfig | SyncTrainConfig
"""A recipe, for faces, for voices, or for lips and sound."""

_MAY_DIFFER = frozenset({"epochs", "patience"})
"""Settings that a resumed run may have otherwise than when it began."""


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The paths of one run's files.

    Attributes:
        path: The run's folder.
    """

    path: Path

    @property
    def config(self) -> Path:
        """Resolved configuration, digests and versions, written before training starts."""
        return self.path / "config.json"

    @property
    def checkpoints(self) -> Path:
        """Folder of `best.ckpt` and `last.ckpt`."""
        return self.path / "checkpoints"

    @property
    def last_checkpoint(self) -> Path:
        """What an interrupted run continues from."""
        return self.checkpoints / LAST_CHECKPOINT

    @property
    def metrics(self) -> Path:
        """JSON lines, a metric a line."""
        return self.path / "metrics.jsonl"

    @property
    def bundle(self) -> Path:
        """The detector."""
        return self.path / "bundle"

    @property
    def result(self) -> Path:
        """What `train_detector` returned."""
        return self.path / "result.json"


@dataclass(frozen=True, slots=True)
class TrainResult:
    """The result of a run.

    Attributes:
        bundle: Folder of the detector.
        run_dir: Folder of configuration, checkpoints and metrics.
        metrics: As in the bundle.
        best_epoch: Epoch of the weights in the bundle, from 0.
        num_epochs: Epochs trained, those before a resumption too.
        num_train_crops: Crops or windows of speech that could be drawn.
        num_train_files: Files that they are of.
        pretrained_source: Where the weights started, `scratch` for nowhere.
        notes: Sentences that a reader of the metrics must know.
        seconds: Wall time of this call.
    """

    bundle: Path
    run_dir: Path
    metrics: dict[str, float | int | str | None]
    best_epoch: int
    num_epochs: int
    num_train_crops: int
    num_train_files: int
    pretrained_source: str
    notes: tuple[str, ...]
    seconds: float


def describe_run(
    name: str,
    *,
    config: AnyTrainConfig,
    snapshots: Sequence[Snapshot],
    pretrained_source: str,
    device: str,
) -> dict[str, Any]:
    """Return the content of `config.json`."""
    return {
        "schema_version": 1,
        "name": name,
        "config": config.model_dump(mode="json"),
        "extract_config": snapshots[0].any_config.model_dump(mode="json"),
        "data_digests": {s.corpus: s.digest for s in snapshots},
        "classes": {str(Label.REAL): 0, str(Label.FAKE): 1},
        "pretrained_source": pretrained_source,
        "device": device,
        "versions": {
            "deepfake": deepfake.__version__,
            "lightning": lightning.__version__,
            "python": platform.python_version(),
            "timm": timm.__version__,
            "torch": torch.__version__,
            "torchvision": torchvision.__version__,
        },
    }


def check_resumable(
    folder: RunFolder, *, config: AnyTrainConfig, snapshots: Sequence[Snapshot], resume: bool
) -> dict[str, Any] | None:
    """Return the `config.json` of the interrupted run, None for a new run.

    Raises:
        ConfigError: There is a run and `resume` is off, there is none and it is on, or the run was
            begun with other settings or data.
    """
    if not folder.config.is_file():
        if resume:
            raise ConfigError("there is no run to resume", path=folder.path)
        return None
    if not resume:
        raise ConfigError(
            "the run exists already",
            path=folder.path,
            hint="Continue it with `--resume`, or give this one another folder.",
        )
    kept: dict[str, Any] = read_json(folder.config)
    wanted = config.model_dump(mode="json")
    # A setting added since has a default that changes nothing.
    began = {**type(config)().model_dump(mode="json"), **kept["config"]}
    # Of those that are not even written at their default, a run has what differs from it.
    names = sorted({*wanted, *began} - _MAY_DIFFER)
    changed = [name for name in names if began.get(name) != wanted.get(name)]
    if changed:
        raise ConfigError(
            f"the run was begun with other settings of {', '.join(changed)}", path=folder.path
        )
    if kept["data_digests"] != {s.corpus: s.digest for s in snapshots}:
        raise ConfigError("the run was begun on other data", path=folder.path)
    return kept


def write_result(path: Path, result: TrainResult) -> Path:
    """Write a result as JSON."""
    fields: Mapping[str, Any] = {n: getattr(result, n) for n in TrainResult.__slots__}
    plain = {k: str(v) if isinstance(v, Path) else v for k, v in fields.items()}
    return write_json(path, {**plain, "notes": list(result.notes)})


def read_result(path: Path) -> TrainResult:
    """Read the result of a finished run.

    Raises:
        DataError: The file is missing or damaged.
    """
    value: Any = read_json(path)
    try:
        kept = {name: value[name] for name in TrainResult.__slots__}
        return TrainResult(
            **{
                **kept,
                # The folder may have been moved; the bundle is beside the file.
                "bundle": path.parent / "bundle",
                "run_dir": path.parent,
                "notes": tuple(kept["notes"]),
            }
        )
    except (KeyError, TypeError) as error:
        raise DataError(f"not the result of a training ({error})", path=path) from error
