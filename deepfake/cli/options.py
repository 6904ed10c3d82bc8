"""Options that several commands share, and how options are handed on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import typer

from deepfake.errors import ConfigError

__all__ = [
    "CpuOption",
    "DaskOption",
    "DataRootOption",
    "DatasetOption",
    "DeviceOption",
    "MaxFramesOption",
    "MaxMbOption",
    "MaxPixelsOption",
    "MemoryOption",
    "PrecisionOption",
    "PrefectFileOption",
    "PriorOption",
    "RetryOption",
    "RunnerOption",
    "ScoredFpsOption",
    "ScoredFramesOption",
    "ScoredSamplingOption",
    "TimeoutOption",
    "WeightsOption",
    "WorkersOption",
    "existing",
    "plain",
]

DataRootOption = Annotated[
    str, typer.Option(help="Where manifests, shards, detectors and Prefect's state lie.")
]
WeightsOption = Annotated[
    str | None,
    typer.Option(
        help="A bundle's folder, models:/NAME@ALIAS, or packaged; else champion, else packaged."
    ),
]
DatasetOption = Annotated[str, typer.Option(help="An ingested corpus, or a folder.")]
DeviceOption = Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="Where networks run.")]
WorkersOption = Annotated[int, typer.Option(min=0, help="Media workers; 0 for one a core.")]
TimeoutOption = Annotated[float, typer.Option(min=0.1, help="Seconds by the clock for a file.")]
CpuOption = Annotated[float, typer.Option(min=0.1, help="Seconds of CPU time for a file.")]
MemoryOption = Annotated[int, typer.Option(min=1, help="MiB that a worker may take.")]
MaxPixelsOption = Annotated[int, typer.Option(min=1, help="Pixels of a picture or a frame.")]
MaxFramesOption = Annotated[int, typer.Option(min=1, help="Frames that a video may have.")]
MaxMbOption = Annotated[int, typer.Option(min=1, help="MiB that a file may have.")]
RetryOption = Annotated[
    bool, typer.Option("--retry-failed", help="Again where a file timed out or crashed.")
]
RunnerOption = Annotated[
    Literal["threads", "dask"], typer.Option(help="Where batches run: here, or on Dask.")
]
DaskOption = Annotated[str | None, typer.Option(help="Address of a running Dask scheduler.")]
PriorOption = Annotated[
    float | None,
    typer.Option(
        help="Share of fakes among the media, between 0 and 1; prob_fake holds for it, verdicts "
        "for the detector's own."
    ),
]


PrecisionOption = Annotated[
    Literal["f32", "bf16"], typer.Option(help="What a detector computes in on the CPU.")
]
ScoredSamplingOption = Annotated[
    Literal["uniform", "fps", "all", "keyframes", "bursts"] | None,
    typer.Option(help="Which frames of a video; else as the detector was trained."),
]
ScoredFramesOption = Annotated[
    int | None,
    typer.Option(min=1, help="Frames of a video, for uniform, keyframes and bursts."),
]
PrefectFileOption = Annotated[
    Path, typer.Option(help="The prefect.yaml that describes the deployments.")
]
ScoredFpsOption = Annotated[float | None, typer.Option(min=0.001, help="Frames a second, for fps.")]


Named = TypeVar("Named", str, list[Path])


def existing(named: Named) -> Named:
    """Refuse names of nothing: most likely the user mistyped them.

    Args:
        named: Files or folders; as text also one in a store, which is not asked.
    """
    is_in_store = isinstance(named, str) and "://" in named
    names = [Path(named)] if isinstance(named, str) else named
    for name in [] if is_in_store else names:
        try:
            name.stat()
        except (FileNotFoundError, NotADirectoryError):
            raise typer.BadParameter(f"no such file or folder: {name}") from None
        except OSError:
            continue
    return named


def plain(options: dict[str, Any]) -> dict[str, Any]:
    """Return options as flows take them: paths as text."""
    return {
        name: _as_text(name, value) if isinstance(value, (Path, str)) else value
        for name, value in options.items()
    }


def _as_text(name: str, path: Path | str) -> str:
    text = str(path)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ConfigError(f"{name}: the name is not valid UTF-8, rename it", path=text) from None
    return text
