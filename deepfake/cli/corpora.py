"""The commands that make, improve and measure detectors, and their options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from deepfake.cli.options import (
    CpuOption,
    DaskOption,
    DataRootOption,
    DatasetOption,
    DeviceOption,
    MaxFramesOption,
    MaxMbOption,
    MaxPixelsOption,
    MemoryOption,
    PrecisionOption,
    RetryOption,
    RunnerOption,
    TimeoutOption,
    WeightsOption,
    WorkersOption,
    existing,
    plain,
)

__all__ = ["app"]

app = typer.Typer()


@app.command()
def ingest(
    input_path: Annotated[
        str,
        typer.Argument(
            metavar="INPUT", help="Folder or CSV file, or a store's URI.", callback=existing
        ),
    ],
    corpus: Annotated[str, typer.Option(help="Name under which it is kept.")],
    layout: Annotated[
        Literal["folder", "faceforensics", "dfdc", "celebdf", "csv"],
        typer.Option(help="How it is laid out."),
    ] = "folder",
    data_root: DataRootOption = "data",
    sampling: Annotated[
        Literal["uniform", "fps", "all", "keyframes", "bursts"],
        typer.Option(help="Which frames of a video."),
    ] = "uniform",
    frames: Annotated[
        int | None,
        typer.Option(min=1, help="Frames of a video, for uniform, keyframes and bursts (32)."),
    ] = None,
    fps: Annotated[
        float | None, typer.Option(min=0.001, help="Frames a second, for fps (1).")
    ] = None,
    face_size: Annotated[int, typer.Option(min=32, max=1024, help="Side of a crop, px.")] = 256,
    margin: Annotated[
        float, typer.Option(min=1, max=3, help="Side of the crop over the face's.")
    ] = 1.3,
    min_face: Annotated[
        float, typer.Option(min=0.01, max=1, help="Smallest face over the frame's shorter side.")
    ] = 0.08,
    codec: Annotated[Literal["jpeg", "png"], typer.Option(help="What crops are stored as.")] = (
        "jpeg"
    ),
    decoder: Annotated[
        Literal["auto", "decord", "pyav"],
        typer.Option(help="What decodes videos; auto: decord where it can, else pyav."),
    ] = "pyav",
    device: Annotated[Literal["cpu", "cuda"], typer.Option(help="Where faces are found.")] = "cpu",
    split: Annotated[
        Literal["auto", "official", "grouped"], typer.Option(help="The corpus's split, or ours.")
    ] = "auto",
    seed: Annotated[int, typer.Option(help="Of our split.")] = 0,
    retry_failed: RetryOption = False,
    batch_files: Annotated[
        int | None, typer.Option(min=1, help="Files of a batch, at most.")
    ] = None,
    num_workers: WorkersOption = 0,
    timeout_seconds: TimeoutOption = 1800.0,
    cpu_seconds: CpuOption = 300.0,
    memory_mb: MemoryOption = 4096,
    max_pixels: MaxPixelsOption = 100_000_000,
    max_frames: MaxFramesOption = 5_000_000,
    max_mb: MaxMbOption = 20_480,
    task_runner: RunnerOption = "threads",
    dask_address: DaskOption = None,
) -> None:
    """Turn a labelled corpus into face-crop shards."""
    options = plain(locals())
    from deepfake.cli.commands import run_ingest

    run_ingest(options)


@app.command()
def train(
    dataset: DatasetOption,
    recipe: Annotated[
        str,
        typer.Option(
            help="baseline, sbi, sbi_paper, mixed, two_headed, ablation, or a TOML file: what "
            "holds where no option below says otherwise."
        ),
    ] = "baseline",
    model: Annotated[
        str | None, typer.Option(help="resnet50, xception, efficientnet, or any timm name.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Epochs.")] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Crops of a batch.")] = None,
    lr: Annotated[float | None, typer.Option(help="Learning rate.")] = None,
    optimizer: Annotated[Literal["adam", "adamw", "sgd"] | None, typer.Option()] = None,
    weight_decay: Annotated[float | None, typer.Option(min=0, help="Weight decay.")] = None,
    device: DeviceOption = "auto",
    use_gpu: Annotated[bool, typer.Option("--use-gpu", help="Same as --device cuda.")] = False,
    pretrained: Annotated[
        str | None,
        typer.Option(help="auto, imagenet, none, packaged, a detector's folder, or a file."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last checkpoint of this run.")
    ] = False,
    seed: Annotated[int | None, typer.Option(help="Of everything random.")] = None,
    name: Annotated[
        str, typer.Option(help="Under which the detector is registered.")
    ] = "deepfake-detector",
    run_name: Annotated[
        str | None, typer.Option(help="Of the run's folder and MLflow run; made up if not given.")
    ] = None,
    patience: Annotated[
        int | None, typer.Option(min=1, help="Epochs without gain, then stop.")
    ] = None,
    max_crops: Annotated[int | None, typer.Option(min=1, help="Crops of an epoch.")] = None,
    max_minutes: Annotated[
        float | None, typer.Option(min=0.01, help="Training takes, at most.")
    ] = None,
    max_cpu_minutes: Annotated[
        float | None, typer.Option(min=0.01, help="The same in minutes of all cores together.")
    ] = None,
    method: Annotated[
        Literal["labels", "sbi", "mixed", "two_headed"] | None,
        typer.Option(help="Fakes learnt from: labelled ones, self-blended reals, or both."),
    ] = None,
    sbi_share: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="For mixed and two_headed: self-blended over all fakes."),
    ] = None,
    match_resolution: Annotated[
        bool | None,
        typer.Option(
            "--match-resolution/--no-match-resolution",
            help="Bring both classes to one distribution of face sizes.",
        ),
    ] = None,
    augment: Annotated[
        bool | None, typer.Option("--augment/--no-augment", help="Augment crops.")
    ] = None,
    data_root: DataRootOption = "data",
) -> None:
    """Train a detector, and record it in MLflow."""
    options = plain(locals())
    from deepfake.cli.commands import run_train

    run_train(options)


@app.command()
def retrain(
    dataset: Annotated[
        list[str],
        typer.Option(help="An ingested corpus, or a folder: its newest snapshot; several times."),
    ],
    start: Annotated[
        Literal["champion", "scratch"],
        typer.Option(help="Begin with the champion's weights, or as the recipe says."),
    ] = "champion",
    recipe: Annotated[
        str | None,
        typer.Option(help="As for train; else as the champion was trained."),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="As for train; another network needs --start scratch.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Epochs.")] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Crops of a batch.")] = None,
    lr: Annotated[float | None, typer.Option(help="Learning rate.")] = None,
    max_crops: Annotated[int | None, typer.Option(min=1, help="Crops of an epoch.")] = None,
    max_minutes: Annotated[
        float | None, typer.Option(min=0.01, help="Training takes, at most.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of everything random.")] = None,
    device: DeviceOption = "auto",
    policy: Annotated[
        str, typer.Option(help="A TOML file: what a challenger has to show to be promoted.")
    ] = "default",
    benchmark: Annotated[
        str | None, typer.Option(help="The frozen benchmark that decides; else the policy's.")
    ] = None,
    name: Annotated[
        str, typer.Option(help="The registered model whose champion is challenged.")
    ] = "deepfake-detector",
    data_root: DataRootOption = "data",
) -> None:
    """Train a challenger on what is new, and promote it if it proves better."""
    options = plain(locals())
    from deepfake.cli.commands import run_retrain

    run_retrain(options)


@app.command()
def sweep(
    dataset: DatasetOption,
    space: Annotated[
        str, typer.Option(help="baseline, two_headed, or a TOML file: what is tried.")
    ] = "baseline",
    trials: Annotated[
        int, typer.Option(min=1, help="Of the whole sweep, those of earlier runs among them.")
    ] = 20,
    name: Annotated[
        str | None, typer.Option(help="Of the sweep; made of space and corpus if not given.")
    ] = None,
    device: DeviceOption = "auto",
    seed: Annotated[int, typer.Option(help="Of what is tried first.")] = 0,
    data_root: DataRootOption = "data",
) -> None:
    """Look for the best settings of a training; one that was stopped goes on."""
    options = plain(locals())
    from deepfake.cli.commands import run_sweep

    run_sweep(options)


@app.command()
def calibrate(
    dataset: Annotated[
        list[str],
        typer.Option(help="An ingested corpus, or a folder, with a val part; several times."),
    ],
    weights: WeightsOption = None,
    prior: Annotated[
        float, typer.Option(help="Share of fakes that probabilities shall hold for.")
    ] = 0.5,
    max_false_alarm: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Share of reals that may be called fake; else 0.05."),
    ] = None,
    max_miss: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Share of fakes that may be called real; else 0.05 of stills, 0.1 of videos.",
        ),
    ] = None,
    device: DeviceOption = "auto",
    half_weights: Annotated[
        bool, typer.Option("--half-weights", help="Store weights in half the bytes.")
    ] = False,
    name: Annotated[
        str, typer.Option(help="Under which the detector is registered.")
    ] = "deepfake-detector",
    run_name: Annotated[
        str | None, typer.Option(help="Of the run's folder and MLflow run; made up if not given.")
    ] = None,
    data_root: DataRootOption = "data",
) -> None:
    """Fit a detector's probabilities and thresholds anew, into MLflow."""
    options = plain(locals())
    from deepfake.cli.commands import run_calibrate

    run_calibrate(options)


@app.command()
def clips(
    dataset: Annotated[str, typer.Option(help="An ingested corpus of labelled stills.")],
    output: Annotated[Path, typer.Option(help="Folder for the clips and clips.csv.")],
    split: Annotated[
        Literal["train", "val", "test"], typer.Option(help="Which part of the corpus.")
    ] = "val",
    max_clips: Annotated[int | None, typer.Option(min=3, help="Clips, at most.")] = None,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 0,
    data_root: DataRootOption = "data",
) -> None:
    """Make videos out of labelled stills, to calibrate a detector for videos with."""
    options = plain(locals())
    from deepfake.cli.clips import run_clips

    run_clips(options)


@app.command()
def evaluate(
    dataset: DatasetOption,
    weights: WeightsOption = None,
    split: Annotated[
        Literal["auto", "test", "val", "train", "all"],
        typer.Option(help="auto: the test part where there is one, else all."),
    ] = "auto",
    device: DeviceOption = "auto",
    precision: PrecisionOption = "f32",
    against: Annotated[
        str | None, typer.Option(help="Another detector, to compare with on the same media.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the bootstrap.")] = 0,
    data_root: DataRootOption = "data",
) -> None:
    """Measure a detector on a labelled corpus, into MLflow."""
    options = plain(locals())
    from deepfake.cli.commands import run_evaluate

    run_evaluate(options)


@app.command()
def robustness(
    dataset: DatasetOption,
    weights: WeightsOption = None,
    split: Annotated[
        Literal["auto", "test", "val", "all"],
        typer.Option(help="auto: the test part where there is one, else all."),
    ] = "auto",
    perturbations: Annotated[
        list[str] | None,
        typer.Option(
            "--perturbation",
            help="jpeg, h264, resize, blur, noise, brightness, or one step: jpeg:40; several "
            "times; all if not given.",
        ),
    ] = None,
    max_files: Annotated[int | None, typer.Option(min=2, help="Files, at most.")] = None,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "f32",
    num_workers: WorkersOption = 0,
    seed: Annotated[int, typer.Option(help="Of the choice of files and the bootstrap.")] = 0,
    data_root: DataRootOption = "data",
) -> None:
    """Measure a detector on media made worse in six ways, into MLflow."""
    options = plain(locals())
    from deepfake.cli.commands import run_robustness

    run_robustness(options)
