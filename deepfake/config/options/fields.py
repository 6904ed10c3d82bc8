"""How an option is typed on the command line, and the options that several commands share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from deepfake.config.settings import MediaLimits, WorkerLimits

__all__ = [
    "Argument",
    "AsJson",
    "BatchOptions",
    "CommandOnly",
    "CorpusName",
    "CpuSeconds",
    "DataRootPath",
    "Dataset",
    "Datasets",
    "Device",
    "FileLimitOptions",
    "Hidden",
    "MaxPixels",
    "MemoryMb",
    "ModelName",
    "NumWorkers",
    "OptionName",
    "Options",
    "OtherModelName",
    "Overwrite",
    "PrecisionName",
    "RunName",
    "SamplingName",
    "ScoredFrameOptions",
    "ScoresFolderPath",
    "TaskRunnerName",
    "Weights",
]


@dataclass(frozen=True, slots=True)
class Argument:
    """Marks a field that is a positional argument, and holds its name in the help."""

    metavar: str


@dataclass(frozen=True, slots=True)
class OptionName:
    """Marks a field whose option has another name than the field."""

    name: str


@dataclass(frozen=True, slots=True)
class CommandOnly:
    """Marks a field that only the command uses: the flow has no such parameter."""


@dataclass(frozen=True, slots=True)
class Hidden:
    """Marks a field that works but is hidden from the help: a former name of another one."""


class Options(BaseModel):
    """Options of a command; a field is an option of the command and a parameter of its flow."""

    # Built when first used: the program knows all commands and runs one.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


TaskRunnerName = Literal["threads", "dask"]
SamplingName = Literal["uniform", "fps", "all", "keyframes", "bursts", "runs"]

DataRootPath = Annotated[
    str,
    Field(description="Folder or store URI of manifests, shards, detectors and Prefect's state."),
]
Weights = Annotated[
    str | None,
    Field(
        description="A detector: a bundle's folder, models:/NAME@ALIAS, or packaged. Default: the "
        "champion if there is one, else the packaged detector."
    ),
]
Dataset = Annotated[str, Field(description="An ingested corpus, or a folder.")]
Datasets = Annotated[
    list[str],
    Field(
        min_length=1,
        description="An ingested corpus (its newest snapshot), or a folder; repeatable.",
    ),
]
Device = Annotated[Literal["auto", "cpu", "cuda"], Field(description="Where networks run.")]
PrecisionName = Annotated[
    Literal["f32", "bf16"],
    Field(description="Number format in which the network computes on the CPU."),
]
NumWorkers = Annotated[int, Field(ge=0, description="Media workers; 0 for one a core.")]
CpuSeconds = Annotated[
    float, Field(ge=0.1, description="Seconds of CPU time that a file may take.")
]
MemoryMb = Annotated[int, Field(ge=1, description="MiB of memory that a worker may take.")]
MaxPixels = Annotated[int, Field(ge=1, description="Pixels that a picture or a frame may have.")]
Overwrite = Annotated[bool, Field(description="Replace files that exist.")]
AsJson = Annotated[bool, OptionName("--json")]
_NAME = r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,99}$"
CorpusName = Annotated[str, Field(pattern=_NAME, description="Name of the corpus.")]
ModelName = Annotated[
    str, Field(pattern=_NAME, description="Name under which the detector is registered.")
]
OtherModelName = Annotated[
    str | None,
    Field(pattern=_NAME, description="Name of the registered detector; default: unchanged."),
]
RunName = Annotated[
    str | None,
    Field(
        pattern=_NAME,
        description="Name of the run's folder and of the MLflow run; default: generated.",
    ),
]
ScoresFolderPath = Annotated[
    str, Argument("OUTPUT"), Field(description="The folder given to `deepfake score` as --output.")
]


class FileLimitOptions(Options):
    """Limits of the cost and the size of a file."""

    timeout_seconds: float = Field(
        1800.0, ge=0.1, description="Seconds of wall-clock time that a file may take."
    )
    cpu_seconds: CpuSeconds = 300.0
    memory_mb: MemoryMb = 4096
    max_pixels: MaxPixels = 100_000_000
    max_frames: int = Field(5_000_000, ge=1, description="Frames that a video may have.")
    max_mb: int = Field(20_480, ge=1, description="MiB that a file may have.")

    @property
    def worker_limits(self) -> WorkerLimits:
        """Limits of the cost of a file, above which its worker is killed."""
        return WorkerLimits(
            timeout_seconds=self.timeout_seconds,
            cpu_seconds=self.cpu_seconds,
            memory_bytes=self.memory_mb * 2**20,
        )

    @property
    def media_limits(self) -> MediaLimits:
        """Limits of the size of a file, above which it is refused."""
        return MediaLimits(
            max_pixels=self.max_pixels,
            max_frames=self.max_frames,
            max_bytes=self.max_mb * 2**20,
        )


class BatchOptions(Options):
    """How the files of a corpus or a folder are given to workers."""

    retry_failed: bool = Field(
        False, description="Try again files that timed out, crashed or ran out of memory."
    )
    batch_files: int | None = Field(
        None, ge=1, description="Files of a batch, at most; default: 8 videos or 512 pictures."
    )
    num_workers: NumWorkers = 0
    task_runner: TaskRunnerName = Field(
        "threads", description="Where batches run: on this machine, or on Dask."
    )
    dask_address: str | None = Field(None, description="Address of a running Dask scheduler.")


class ScoredFrameOptions(Options):
    """How a file is scored; the defaults are those that the detector was trained with."""

    device: Device = "auto"
    precision: PrecisionName = "f32"
    sampling: SamplingName | None = Field(
        None, description="Which frames of a video; default: as the detector was trained."
    )
    frames: int | None = Field(
        None,
        ge=1,
        description="Frames of a video, for uniform, keyframes, bursts and runs; default: as the "
        "detector was trained.",
    )
    fps: float | None = Field(
        None,
        ge=0.001,
        description="Frames a second, for fps; default: as the detector was trained.",
    )
    prior: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="Share of fakes among the media, between 0 and 1, for which prob_fake holds; "
        "verdicts do not change. Default: the detector's own.",
    )
    voice: bool = Field(True, description="Judge the voices in the sound too.")
    voice_weights: str | None = Field(
        None,
        description="A detector of voices, named as for --weights. Default: the champion if there "
        "is one, else the packaged one; where there is none, voices are left out.",
    )
