"""Types of flow parameters: a bad value is refused before a run exists."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from deepfake.config import MediaLimits, SamplingConfig, WorkerLimits
from deepfake.errors import ConfigError

__all__ = [
    "BatchFiles",
    "CorpusName",
    "Fraction",
    "Hashing",
    "LayoutName",
    "NumEvidence",
    "NumWorkers",
    "Positive",
    "PositiveNumber",
    "SamplingName",
    "TaskRunnerName",
    "create_media_limits",
    "create_sampling",
    "create_worker_limits",
]

CorpusName = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,99}$", description="Name of the corpus")
]
LayoutName = Literal["folder", "faceforensics", "dfdc", "celebdf", "csv"]
SamplingName = Literal["uniform", "fps", "all", "keyframes", "bursts"]
TaskRunnerName = Literal["threads", "dask"]
Hashing = Literal["full", "sampled"]
Positive = Annotated[int, Field(ge=1)]
PositiveNumber = Annotated[float, Field(gt=0)]
NumWorkers = Annotated[int, Field(ge=0, description="Media workers; 0 for one a core")]
NumEvidence = Annotated[int, Field(ge=0, le=100_000, description="Files whose evidence is kept")]
BatchFiles = Annotated[int | None, Field(ge=1, description="Files of a batch, at most")]
Fraction = Annotated[float, Field(gt=0, lt=1)]


def create_media_limits(*, max_pixels: int, max_frames: int, max_mb: int) -> MediaLimits:
    """Return how large a medium may be; `max_mb` is in MiB."""
    return MediaLimits(max_pixels=max_pixels, max_frames=max_frames, max_bytes=max_mb * 2**20)


def create_worker_limits(
    *, timeout_seconds: float, cpu_seconds: float, memory_mb: int
) -> WorkerLimits:
    """Return what a file may cost; `memory_mb` is in MiB."""
    return WorkerLimits(
        timeout_seconds=timeout_seconds,
        cpu_seconds=cpu_seconds,
        memory_bytes=memory_mb * 2**20,
    )


_COUNTED = ("uniform", "keyframes", "bursts")


def create_sampling(
    strategy: SamplingName, *, frames: int | None, fps: float | None
) -> SamplingConfig:
    """Return the sampling that options ask for.

    Raises:
        ConfigError: A number that the strategy has no use for.
    """
    if frames is not None and strategy not in _COUNTED:
        raise ConfigError(
            f"frames goes with uniform, keyframes and bursts sampling, not with {strategy!r}"
        )
    if fps is not None and strategy != "fps":
        raise ConfigError(f"fps goes with fps sampling, not with {strategy!r}")
    given = {"num_frames": frames, "fps": fps}
    chosen = {name: value for name, value in given.items() if value is not None}
    return SamplingConfig.model_validate({"strategy": strategy, **chosen})
