"""The commands and their options."""

from __future__ import annotations

import sys
import traceback
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from deepfake import __version__
from deepfake.cli import benchmark, models
from deepfake.cli.text import in_one_line
from deepfake.errors import ConfigError, DeepfakeError

__all__ = ["LIBGL_HINT", "app", "main"]

_SETTINGS = {
    # --batch_size is --batch-size
    "token_normalize_func": lambda name: name.replace("_", "-"),
    "help_option_names": ["-h", "--help"],
}

LIBGL_HINT = "Where libGL is missing: apt-get install libgl1 libglib2.0-0 (Debian, Ubuntu)."


def _with_groups(app: typer.Typer, *groups: typer.Typer) -> typer.Typer:
    for group in groups:
        app.add_typer(group)
    return app


app = _with_groups(
    typer.Typer(
        name="deepfake",
        help="Find deepfakes: ingest corpora, train and compare detectors, score media folders.",
        no_args_is_help=True,
        add_completion=False,
        context_settings=_SETTINGS,
        pretty_exceptions_enable=False,
    ),
    models.app,
    benchmark.app,
)

DataRootOption = Annotated[
    str, typer.Option(help="Where manifests, shards, detectors and Prefect's state lie.")
]
WeightsOption = Annotated[
    str | None,
    typer.Option(
        help="A bundle's folder, models:/NAME@ALIAS, or packaged; else champion, else packaged."
    ),
]
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


def _version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"deepfake {__version__}")
        raise typer.Exit


def _existing(files: list[Path]) -> list[Path]:
    """Refuse names of nothing: most likely the user mistyped them."""
    for file in files:
        try:
            file.stat()
        except (FileNotFoundError, NotADirectoryError):
            raise typer.BadParameter(f"no such file: {file}") from None
        except OSError:
            continue
    return files


@app.callback()
def _common(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    # `--debug` is looked for in the arguments by those who catch errors, `--version` ends here.
    del debug, version


@app.command()
def ingest(
    input_path: Annotated[
        str, typer.Argument(metavar="INPUT", help="Folder or CSV file, or a store's URI.")
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
    options = _plain(locals())
    from deepfake.cli.commands import run_ingest

    run_ingest(options)


@app.command()
def train(
    dataset: Annotated[str, typer.Option(help="An ingested corpus, or a folder.")],
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
    options = _plain(locals())
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
    options = _plain(locals())
    from deepfake.cli.commands import run_retrain

    run_retrain(options)


@app.command()
def sweep(
    dataset: Annotated[str, typer.Option(help="An ingested corpus, or a folder.")],
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
    options = _plain(locals())
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
    options = _plain(locals())
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
    options = _plain(locals())
    from deepfake.cli.clips import run_clips

    run_clips(options)


@app.command()
def evaluate(
    dataset: Annotated[str, typer.Option(help="An ingested corpus, or a folder.")],
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
    options = _plain(locals())
    from deepfake.cli.commands import run_evaluate

    run_evaluate(options)


@app.command()
def robustness(
    dataset: Annotated[str, typer.Option(help="An ingested corpus, or a folder.")],
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
    options = _plain(locals())
    from deepfake.cli.commands import run_robustness

    run_robustness(options)


@app.command()
def detect(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="Pictures or videos.",
            callback=_existing,
            readable=False,  # whether a file can be read is for its row to say
        ),
    ],
    weights: WeightsOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the score rows as JSON.")] = False,
    report: Annotated[
        Path | None, typer.Option(help="Write verdicts and evidence into this HTML file too.")
    ] = None,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "f32",
    sampling: ScoredSamplingOption = None,
    frames: ScoredFramesOption = None,
    fps: ScoredFpsOption = None,
    prior: PriorOption = None,
    timeout_seconds: TimeoutOption = 1800.0,
    cpu_seconds: CpuOption = 300.0,
    memory_mb: MemoryOption = 4096,
    max_pixels: MaxPixelsOption = 100_000_000,
    max_frames: MaxFramesOption = 5_000_000,
    max_mb: MaxMbOption = 20_480,
    data_root: DataRootOption = "data",
) -> None:
    """Say of each file whether it is real or fake. Starts no server."""
    options = _plain(locals())
    from deepfake.cli.detect import run_detect

    run_detect(options)


@app.command()
def webcam(
    source: Annotated[
        str,
        typer.Option(help="A camera's number, a video file, or an rtsp:// or http(s):// address."),
    ] = "0",
    weights: WeightsOption = None,
    record: Annotated[
        Path | None, typer.Option(help="Keep what is shown: .mp4, .mkv or .mov.")
    ] = None,
    jsonl: Annotated[
        Path | None, typer.Option(help="A line of JSON for each frame that was looked at.")
    ] = None,
    headless: Annotated[
        bool, typer.Option("--headless", help="No window; verdicts are printed as they change.")
    ] = False,
    realtime: Annotated[
        bool,
        typer.Option(
            "--realtime/--no-realtime",
            help="A file at its own speed, frames dropped as need be; or each of its frames.",
        ),
    ] = True,
    every: Annotated[int, typer.Option(min=1, help="Look at each so manieth frame only.")] = 1,
    max_seconds: Annotated[
        float | None, typer.Option(min=0.1, help="Stop after so long by the clock.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files that are there.")
    ] = False,
    device: DeviceOption = "auto",
    max_pixels: MaxPixelsOption = 100_000_000,
    data_root: DataRootOption = "data",
) -> None:
    """Watch a camera, a stream or a file live. Starts no server."""
    options = _plain(locals())
    from deepfake.cli.webcam import run_webcam

    run_webcam(options)


@app.command()
def score(
    folder: Annotated[str, typer.Argument(help="The media: a folder, or a store's URI.")],
    output: Annotated[str, typer.Option(help="Where the tables go: a folder, or a URI.")],
    weights: WeightsOption = None,
    data_root: DataRootOption = "data",
    prior: PriorOption = None,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "f32",
    sampling: ScoredSamplingOption = None,
    frames: ScoredFramesOption = None,
    fps: ScoredFpsOption = None,
    include: Annotated[
        list[str] | None,
        typer.Option(help="Only files that match, as in a .gitignore: *.mp4; several times."),
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(help="Not files and folders that match; several times.")
    ] = None,
    since: Annotated[
        datetime | None, typer.Option(help="Only files that changed then or later, local time.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Score no more media than this, then stop.")
    ] = None,
    evidence: Annotated[
        int,
        typer.Option(
            min=0,
            max=100_000,
            help="Keep timeline, frames, face crops and heat maps of so many files, the most "
            "telling ones; 0 for none.",
        ),
    ] = 200,
    hashing: Annotated[
        Literal["full", "sampled"],
        typer.Option("--hash", help="Tell contents apart by all bytes, or by samples of them."),
    ] = "full",
    watch: Annotated[
        float | None,
        typer.Option(min=1, help="Look again after so many seconds, until stopped."),
    ] = None,
    wait_for_files: Annotated[
        bool, typer.Option("--wait-for-files", help="A folder without files is no error.")
    ] = False,
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
    drift_limit: Annotated[
        float,
        typer.Option(
            min=0.001,
            help="Population stability index over which media count as unlike the detector's own.",
        ),
    ] = 0.25,
    task_runner: RunnerOption = "threads",
    dask_address: DaskOption = None,
) -> None:
    """Score every file of a folder; run again, only what is new or changed."""
    options = _plain(locals())
    from deepfake.cli.commands import run_score

    run_score(options)


@app.command()
def report(
    folder: Annotated[
        Path, typer.Argument(metavar="OUTPUT", help="What was --output of `deepfake score`.")
    ],
    output: Annotated[
        Path | None, typer.Option(help="The HTML file; else report.html in OUTPUT.")
    ] = None,
) -> None:
    """Write scores and evidence into one HTML file to be looked at. Starts no server."""
    options = _plain(locals())
    from deepfake.cli.report import run_report

    run_report(options)


@app.command()
def status(
    output: Annotated[Path, typer.Argument(help="What was --output of `deepfake score`.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print all of it as JSON.")] = False,
) -> None:
    """Say how far a scoring job is, at work or done. Starts no server."""
    options = _plain(locals())
    from deepfake.cli.status import run_status

    run_status(options)


@app.command()
def sample(
    folder: Annotated[
        Path, typer.Argument(metavar="OUTPUT", help="What was --output of `deepfake score`.")
    ],
    uncertain: Annotated[
        int, typer.Option(min=1, help="How many media, those least sure first.")
    ] = 50,
    output: Annotated[Path | None, typer.Option(help="The CSV file; else it is printed.")] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a file that is there.")
    ] = False,
) -> None:
    """Export the media most worth a label, as a CSV that `ingest --layout csv` takes back."""
    options = _plain(locals())
    from deepfake.cli.sample import run_sample

    run_sample(options)


@app.command()
def receipt(
    folder: Annotated[
        Path, typer.Argument(metavar="OUTPUT", help="What was --output of `deepfake score`.")
    ],
    which: Annotated[str, typer.Argument(metavar="FILE_OR_MEDIA_ID", help="Whose score.")],
    output: Annotated[Path | None, typer.Option(help="The JSON file; else it is printed.")] = None,
) -> None:
    """Export a score as JSON, with all that is needed to do it again."""
    options = _plain(locals())
    from deepfake.cli.receipts import run_receipt

    run_receipt(options)


@app.command()
def verify(
    receipt: Annotated[
        Path,
        typer.Argument(exists=True, dir_okay=False, help="What `deepfake receipt` wrote."),
    ],
    file: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="The file; else where the receipt says."),
    ] = None,
    weights: WeightsOption = None,
    data_root: DataRootOption = "data",
) -> None:
    """Score a receipt's file again: exit code 0 verified, 1 not verified, 2 wrong usage."""
    options = _plain(locals())
    from deepfake.cli.receipts import run_verify

    run_verify(options)


@app.command()
def forget(
    which: Annotated[str, typer.Argument(metavar="MEDIA_ID|URI", help="What is to go.")],
    output: Annotated[
        list[Path] | None,
        typer.Option(help="Scores beside those noted under the data root; several times."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only list what would be removed.")
    ] = False,
    data_root: DataRootOption = "data",
) -> None:
    """Remove a medium's crops, scores and evidence everywhere. Starts no server."""
    options = _plain(locals())
    from deepfake.cli.forget import run_forget

    run_forget(options)


@app.command()
def export(
    output: Annotated[Path, typer.Option(help="The ONNX file.")],
    weights: WeightsOption = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a file that is there.")
    ] = False,
    data_root: DataRootOption = "data",
) -> None:
    """Write a detector's network as ONNX, and compare it with the original."""
    options = _plain(locals())
    from deepfake.cli.export import run_export

    run_export(options)


@app.command()
def setup(
    file: PrefectFileOption = Path("prefect.yaml"),
    schedule: Annotated[
        str | None,
        typer.Option(
            help='When to retrain, as cron has it: "0 3 * * 1"; off for never; else as it is.'
        ),
    ] = None,
    timezone: Annotated[str, typer.Option(help="Of the schedule.")] = "UTC",
    data_root: DataRootOption = "data",
) -> None:
    """Create pool, limits, deployments and automations in Prefect; again changes nothing."""
    options = _plain(locals())
    from deepfake.cli.operating import run_setup

    run_setup(options)


@app.command()
def up(
    file: PrefectFileOption = Path("prefect.yaml"),
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Of the Prefect server; 0 for a free one.")
    ] = 4200,
    mlflow_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Of the MLflow UI; 0 for a free one.")
    ] = 5000,
    data_root: DataRootOption = "data",
) -> None:
    """Run Prefect's server, a worker and MLflow's UI on this machine, until Ctrl-C."""
    options = _plain(locals())
    from deepfake.cli.operating import run_up

    run_up(options)


@app.command()
def demo(data_root: DataRootOption = "data") -> None:
    """Run the whole pipeline on media made here: two people, so no evaluation."""
    from deepfake.cli.demo import run_demo
    from deepfake.storage import local_path

    run_demo(local_path(data_root))


@app.command()
def doctor(data_root: DataRootOption = "data") -> None:
    """Say what is installed, what is found, and what is wrong."""
    from deepfake.cli.doctor import run_doctor
    from deepfake.storage import local_path

    run_doctor(local_path(data_root))


def _plain(options: dict[str, Any]) -> dict[str, Any]:
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


def main() -> None:
    """Run the command; an error of ours is one line and a hint, and exit code 1."""
    try:
        app()
    except DeepfakeError as error:
        if "--debug" in sys.argv:
            traceback.print_exc()
        typer.secho(f"error: {in_one_line(str(error))}", err=True, fg="red")
        if error.hint:
            typer.secho(f"hint: {error.hint}", err=True)
        raise SystemExit(2 if isinstance(error, ConfigError) else 1) from None
    except ImportError as error:
        if "--debug" in sys.argv or not str(error).startswith(("libGL", "libgthread")):
            raise
        typer.secho(f"error: OpenCV does not load ({error})", err=True, fg="red")
        typer.secho(f"hint: {LIBGL_HINT}", err=True)
        raise SystemExit(1) from None
