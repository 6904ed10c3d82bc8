"""The commands that look at media and keep what they found, and their options."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from deepfake.cli.options import (
    CpuOption,
    DaskOption,
    DataRootOption,
    DeviceOption,
    MaxFramesOption,
    MaxMbOption,
    MaxPixelsOption,
    MemoryOption,
    PrecisionOption,
    PriorOption,
    RetryOption,
    RunnerOption,
    ScoredFpsOption,
    ScoredFramesOption,
    ScoredSamplingOption,
    TimeoutOption,
    WeightsOption,
    WorkersOption,
    existing,
    plain,
)

__all__ = ["app"]

app = typer.Typer()


@app.command()
def detect(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="Pictures or videos.",
            callback=existing,
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
    options = plain(locals())
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
    options = plain(locals())
    from deepfake.cli.webcam import run_webcam

    run_webcam(options)


@app.command("app")
def page(
    host: Annotated[
        str, typer.Option(help="Address to listen on; others than loopback have no password.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Of the page.")] = 8501,
    weights: WeightsOption = None,
    output: Annotated[
        list[str] | None,
        typer.Option(help="Results to offer, beside those noted under the data root; repeatable."),
    ] = None,
    max_mb: Annotated[int, typer.Option(min=1, help="Of an upload, MiB.")] = 200,
    max_seconds: Annotated[float, typer.Option(min=0.1, help="Of a video.")] = 600.0,
    max_pixels: MaxPixelsOption = 50_000_000,
    cpu_seconds: CpuOption = 300.0,
    memory_mb: MemoryOption = 4096,
    device: DeviceOption = "auto",
    data_root: DataRootOption = "data",
) -> None:
    """Serve a web page for people who would rather look than read."""
    options = plain(locals())
    from deepfake.cli.page import run_page

    run_page(options)


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
    options = plain(locals())
    from deepfake.cli.commands import run_score

    run_score(options)


@app.command()
def report(
    folder: Annotated[
        str, typer.Argument(metavar="OUTPUT", help="What was --output of `deepfake score`.")
    ],
    output: Annotated[
        Path | None, typer.Option(help="The HTML file; else report.html in OUTPUT.")
    ] = None,
) -> None:
    """Write scores and evidence into one HTML file to be looked at. Starts no server."""
    options = plain(locals())
    from deepfake.cli.report import run_report

    run_report(options)


@app.command()
def status(
    output: Annotated[str, typer.Argument(help="What was --output of `deepfake score`.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print all of it as JSON.")] = False,
) -> None:
    """Say how far a scoring job is, at work or done. Starts no server."""
    options = plain(locals())
    from deepfake.cli.status import run_status

    run_status(options)


@app.command()
def sample(
    folder: Annotated[
        str, typer.Argument(metavar="OUTPUT", help="What was --output of `deepfake score`.")
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
    options = plain(locals())
    from deepfake.cli.sample import run_sample

    run_sample(options)


@app.command()
def receipt(
    folder: Annotated[
        str, typer.Argument(metavar="OUTPUT", help="What was --output of `deepfake score`.")
    ],
    which: Annotated[str, typer.Argument(metavar="FILE_OR_MEDIA_ID", help="Whose score.")],
    output: Annotated[Path | None, typer.Option(help="The JSON file; else it is printed.")] = None,
) -> None:
    """Export a score as JSON, with all that is needed to do it again."""
    options = plain(locals())
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
    options = plain(locals())
    from deepfake.cli.receipts import run_verify

    run_verify(options)


@app.command()
def forget(
    which: Annotated[str, typer.Argument(metavar="MEDIA_ID|URI", help="What is to go.")],
    output: Annotated[
        list[str] | None,
        typer.Option(help="Scores beside those noted under the data root; several times."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only list what would be removed.")
    ] = False,
    data_root: DataRootOption = "data",
) -> None:
    """Remove a medium's crops, scores and evidence everywhere. Starts no server."""
    options = plain(locals())
    from deepfake.cli.forget import run_forget

    run_forget(options)
