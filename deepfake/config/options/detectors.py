"""Options of the commands that train, improve and measure detectors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from deepfake.config.modality import Modality
from deepfake.config.options.fields import (
    Argument,
    CommandOnly,
    DataRootPath,
    Dataset,
    Datasets,
    Device,
    Hidden,
    ModelName,
    NumWorkers,
    OptionName,
    Options,
    Overwrite,
    PrecisionName,
    RunName,
    Weights,
)
from deepfake.config.settings import TrainMethod

__all__ = [
    "CalibrateOptions",
    "CompareVersionsOptions",
    "EvaluateOptions",
    "ExportOptions",
    "JoinOptions",
    "ListVersionsOptions",
    "PromoteOptions",
    "RetrainOptions",
    "RobustnessOptions",
    "RollbackOptions",
    "ShowVersionOptions",
    "SweepOptions",
    "TrainOptions",
]

_NAMES: dict[Modality, str] = {
    "faces": "deepfake-detector",
    "voice": "voice-detector",
    "sync": "sync-detector",
}
_FACES_NAME = _NAMES["faces"]
_TrainedName = Annotated[
    ModelName,
    Field(
        description="Name under which the detector is registered; for voices the default is "
        f"{_NAMES['voice']}, for lips and sound {_NAMES['sync']}."
    ),
]
_Epochs = Annotated[int | None, Field(ge=1, description="Epochs, at most.")]
_BatchSize = Annotated[int | None, Field(ge=1, description="Crops of a batch.")]
_LearningRate = Annotated[float | None, Field(gt=0, description="Learning rate.")]
_MaxCrops = Annotated[
    int | None,
    Field(
        ge=2,
        description="Crops of an epoch, at most; for voices its windows of speech, for "
        "lips and sound its runs.",
    ),
]
_MaxMinutes = Annotated[
    float | None, Field(ge=0.01, description="Minutes that training takes, at most.")
]
_TrainSeed = Annotated[int | None, Field(description="Seed of everything random.")]


def _registered_name(name: str, *, modality: Modality) -> str:
    return _NAMES[modality] if name == _FACES_NAME else name


class TrainOptions(Options):
    """Train a detector, and record it in MLflow."""

    dataset: Dataset
    modality: Modality = Field(
        "faces",
        description="What is learnt from: faces, speech (voice), or lips with their sound (sync).",
    )
    recipe: str | None = Field(
        None,
        description="Recipe: baseline, ablation, dense_blends, labels, mixed, sbi, sbi_paper, "
        "two_headed, voice, voice_labels, sync, or a TOML file. Options below replace its "
        "settings. "
        "Default: baseline, and with --modality voice or sync: that name.",
    )
    model: str | None = Field(
        None,
        description="Network: resnet50, xception, efficientnet, or any timm name; for voices lcnn "
        "or aasist.",
    )
    epochs: _Epochs = None
    batch_size: _BatchSize = None
    lr: _LearningRate = None
    optimizer: Literal["adam", "adamw", "sgd"] | None = Field(None, description="Optimizer.")
    weight_decay: float | None = Field(None, ge=0, description="Weight decay.")
    device: Device = "auto"
    use_gpu: Annotated[bool, CommandOnly()] = Field(False, description="Same as --device cuda.")
    precision: Literal["f32", "bf16", "f16"] | None = Field(
        None,
        description="Number format of the computations; weights stay f32. Default: f32 on the "
        "CPU, f16 on CUDA; f16 needs CUDA.",
    )
    pretrained: str | None = Field(
        None,
        description="Weights to begin with: auto, imagenet, none, packaged, a detector's folder, "
        "or a file; for voices none, packaged, or a detector's folder.",
    )
    resume: bool = Field(
        False,
        description="Continue from the last checkpoint of the run named by --run-name; without "
        "that option, of the newest run.",
    )
    seed: _TrainSeed = None
    name: _TrainedName = _FACES_NAME
    run_name: RunName = None
    patience: int | None = Field(
        None, ge=1, description="Epochs without a better validation AUC before training stops."
    )
    max_crops: _MaxCrops = None
    max_minutes: _MaxMinutes = None
    max_cpu_minutes: float | None = Field(
        None, ge=0.01, description="CPU minutes of all cores that training takes, at most."
    )
    method: TrainMethod | None = Field(
        None, description="Fakes to learn from: labelled ones, self-blended reals, or both."
    )
    sbi_share: float | None = Field(
        None,
        ge=0,
        le=1,
        description="For the methods mixed and two_headed: share of self-blended fakes.",
    )
    match_resolution: bool | None = Field(
        None, description="Bring both classes to the same distribution of face sizes."
    )
    augment: bool | None = Field(None, description="Augment crops, or sound.")
    data_root: DataRootPath = "data"

    @property
    def registered_name(self) -> str:
        """Name under which it is registered: detectors of voices have one of their own."""
        return _registered_name(self.name, modality=self.modality)


class RetrainOptions(Options):
    """Train a challenger on what is new, and promote it if it proves better."""

    dataset: Datasets
    modality: Modality = Field(
        "faces", description="What the detectors are of: faces, or speech (voice)."
    )
    start: Literal["champion", "scratch"] = Field(
        "champion",
        description="Weights to begin with: those of the champion, or those that the recipe names.",
    )
    recipe: str | None = Field(
        None, description="As for train; default: as the champion was trained."
    )
    model: str | None = Field(
        None, description="As for train; another network needs --start scratch."
    )
    epochs: _Epochs = None
    batch_size: _BatchSize = None
    lr: _LearningRate = None
    max_crops: _MaxCrops = None
    max_minutes: _MaxMinutes = None
    seed: _TrainSeed = None
    device: Device = "auto"
    policy: str = Field(
        "default",
        description="Conditions for promotion: default, or a TOML file.",
    )
    held_out: str | None = Field(
        None, description="The held-out set that decides; default: that of the policy."
    )
    benchmark: Annotated[str | None, Hidden()] = Field(None, description="Former name of held_out.")
    name: _TrainedName = _FACES_NAME
    data_root: DataRootPath = "data"

    @property
    def registered_name(self) -> str:
        """Name of the registered model: detectors of voices have one of their own."""
        return _registered_name(self.name, modality=self.modality)


class SweepOptions(Options):
    """Search for the best training settings; a sweep that was stopped continues."""

    dataset: Dataset
    space: str = Field(
        "baseline", description="Search space: baseline, two_headed, or a TOML file."
    )
    trials: int = Field(
        20, ge=1, description="Trials of the whole sweep, those of earlier runs included."
    )
    name: RunName = Field(None, description="Name of the sweep; default: made of space and corpus.")
    device: Device = "auto"
    seed: int = Field(0, description="Seed of the first trials.")
    data_root: DataRootPath = "data"


class CalibrateOptions(Options):
    """Fit a detector's probabilities and thresholds anew, and record it in MLflow."""

    dataset: Annotated[
        list[str],
        Field(
            min_length=1,
            description="An ingested corpus, or a folder, with a val split; repeatable.",
        ),
    ]
    weights: Weights = None
    prior: float = Field(
        0.5, gt=0, lt=1, description="Share of fakes for which the probabilities hold."
    )
    max_false_alarm: float | None = Field(
        None, ge=0, lt=1, description="Share of reals that may be called fake; default: 0.05."
    )
    max_miss: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="Share of fakes that may be called real; default: 0.05 for stills, 0.1 for "
        "videos.",
    )
    unseen: list[str] = Field(
        [],
        description="An ingested corpus, or a folder, of kinds of fakes that the detector did not "
        "learn. They lower the threshold for `real`, for voices their reals raise the one for "
        "`fake`, and the detector states how it judges them; repeatable.",
    )
    max_unseen_miss: float = Field(
        0.2,
        ge=0,
        lt=1,
        description="Share of the fakes of each --unseen that may be called real.",
    )
    device: Device = "auto"
    half_weights: bool = Field(
        False,
        description="Store weights in half the bytes; computations keep their precision.",
    )
    name: _TrainedName = _FACES_NAME
    run_name: RunName = None
    data_root: DataRootPath = "data"

    def registered_name(self, *, modality: Modality) -> str:
        """Return the name under which it is registered, as `TrainOptions` has it."""
        return _registered_name(self.name, modality=modality)


class EvaluateOptions(Options):
    """Measure a detector on a labelled corpus, and record it in MLflow."""

    dataset: Dataset
    weights: Weights = None
    split: Literal["auto", "test", "val", "train", "all"] = Field(
        "auto", description="Which split; auto: the test split where there is one, else all."
    )
    device: Device = "auto"
    precision: PrecisionName = "f32"
    against: str | None = Field(
        None, description="Another detector, to compare with on the same media."
    )
    seed: int = Field(0, description="Seed of the bootstrap.")
    data_root: DataRootPath = "data"


class RobustnessOptions(Options):
    """Measure a detector on perturbed media, and record it in MLflow."""

    dataset: Dataset
    weights: Weights = None
    split: Literal["auto", "test", "val", "all"] = Field(
        "auto", description="Which split; auto: the test split where there is one, else all."
    )
    perturbations: Annotated[list[str] | None, OptionName("--perturbation")] = Field(
        None,
        description="Perturbation: jpeg, h264, resize, blur, noise, brightness, grey, filter, "
        "beauty, reencode, screen, letterbox, inset, mirror, turn, or one step such as jpeg:40; "
        "repeatable; default: all.",
    )
    max_files: int | None = Field(
        None, ge=2, description="Files of both classes together, at most; default: all."
    )
    device: Device = "auto"
    precision: PrecisionName = "f32"
    num_workers: NumWorkers = 0
    seed: int = Field(0, description="Seed of the choice of files and of the bootstrap.")
    data_root: DataRootPath = "data"


class JoinOptions(Options):
    """Join two detectors that take the same crops into one that has both networks."""

    first: Annotated[Path, Argument("FIRST")] = Field(description="A detector's folder.")
    second: Annotated[Path, Argument("SECOND")] = Field(description="Another detector's folder.")
    output: Path = Field(description="Folder of the joint detector; must not exist.")
    name: str = Field("joint-detector", description="Name of the joint detector.")
    as_first: bool = Field(
        False,
        description="Give both the crops of the first, even if the second was trained on others.",
    )


class ExportOptions(Options):
    """Write a detector's network as ONNX, and compare it with the original."""

    output: Path = Field(description="The ONNX file.")
    weights: Weights = None
    overwrite: Overwrite = False
    data_root: DataRootPath = "data"


_RegisteredName = Annotated[str, Field(description="Name of the registered model.")]
_VERSION = Field(description="A version's number, champion, challenger or latest.")
_Reason = Annotated[str | None, Field(description="The reason; kept with the version.")]


class ListVersionsOptions(Options):
    """List the versions of a registered detector, the newest first."""

    name: _RegisteredName = "deepfake-detector"
    data_root: DataRootPath = "data"


class ShowVersionOptions(Options):
    """Show the record of a version, and the history of champions."""

    which: Annotated[str, Argument("VERSION"), _VERSION]
    name: _RegisteredName = "deepfake-detector"
    data_root: DataRootPath = "data"


class CompareVersionsOptions(Options):
    """Show the records of two versions side by side."""

    first: Annotated[str, Argument("A"), _VERSION]
    second: Annotated[str, Argument("B"), _VERSION]
    name: _RegisteredName = "deepfake-detector"
    data_root: DataRootPath = "data"


class PromoteOptions(Options):
    """Make a version champion by hand: scoring uses it from then on."""

    which: Annotated[str, Argument("VERSION"), _VERSION]
    reason: _Reason = None
    yes: bool = Field(False, description="Promote without a reason.")
    name: _RegisteredName = "deepfake-detector"
    data_root: DataRootPath = "data"


class RollbackOptions(Options):
    """Make the champion before the present one champion again; each call goes one step back."""

    reason: _Reason = None
    name: _RegisteredName = "deepfake-detector"
    data_root: DataRootPath = "data"
