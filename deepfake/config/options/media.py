"""Options of the commands that score media, and of those that show or export scores."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from deepfake.config.options.fields import (
    Argument,
    AsJson,
    BatchOptions,
    CommandOnly,
    CpuSeconds,
    DataRootPath,
    Device,
    FileLimitOptions,
    MaxPixels,
    MemoryMb,
    OptionName,
    Options,
    Overwrite,
    ScoredFrameOptions,
    ScoresFolderPath,
    Weights,
)

__all__ = [
    "AppOptions",
    "DetectOptions",
    "ForgetOptions",
    "ReceiptOptions",
    "ReportOptions",
    "SampleOptions",
    "ScoreOptions",
    "StatusOptions",
    "VerifyOptions",
    "WebcamOptions",
]


class DetectOptions(ScoredFrameOptions, FileLimitOptions):
    """Judge files: real, fake or uncertain. Starts no server."""

    files: Annotated[list[Path], Argument("FILE...")] = Field(
        min_length=1, description="Pictures or videos."
    )
    weights: Weights = None
    as_json: AsJson = Field(False, description="Print the score rows as JSON.")
    report: Path | None = Field(
        None, description="Also write verdicts and evidence into this HTML file."
    )
    data_root: DataRootPath = "data"


class ScoreOptions(ScoredFrameOptions, BatchOptions, FileLimitOptions):
    """Score every file of a folder; a later run scores only files that are new or changed."""

    folder: Annotated[str, Argument("FOLDER")] = Field(
        description="Folder of the media, or a store's URI."
    )
    output: str = Field(description="Folder for the tables, or a store's URI.")
    weights: Weights = None
    data_root: DataRootPath = "data"
    include: list[str] | None = Field(
        None,
        description="Only files that match a pattern as in .gitignore, such as *.mp4; repeatable.",
    )
    exclude: list[str] | None = Field(
        None, description="Leave out files and folders that match such a pattern; repeatable."
    )
    since: datetime | None = Field(
        None, description="Only files that changed at this local time or later."
    )
    limit: int | None = Field(None, ge=1, description="Score no more media than this, then stop.")
    evidence: int = Field(
        0,
        ge=0,
        le=100_000,
        description="Number of files to make timeline, frames, face crops and heat maps of: the "
        "highest-scoring and most uncertain ones; `deepfake report` makes those that are missing.",
    )
    hashing: Annotated[Literal["full", "sampled"], OptionName("--hash")] = Field(
        "full",
        description="Identify files by all of their bytes, or large ones by samples of them.",
    )
    watch: Annotated[float | None, CommandOnly()] = Field(
        None, ge=1, description="Repeat after so many seconds, until stopped."
    )
    wait_for_files: bool = Field(False, description="Accept a folder without files.")
    drift_limit: float = Field(
        0.25,
        ge=0.001,
        description="Population stability index above which media count as different from those "
        "that the detector was calibrated on.",
    )


class WebcamOptions(Options):
    """Watch a camera, a stream or a file live. Starts no server."""

    source: str = Field(
        "0", description="A camera's number, a video file, or an rtsp:// or http(s):// address."
    )
    weights: Weights = None
    record: Path | None = Field(None, description="Record what is shown: .mp4, .mkv or .mov.")
    jsonl: Path | None = Field(
        None, description="Write a line of JSON for each frame that was analysed."
    )
    headless: bool = Field(False, description="No window; verdicts are printed as they change.")
    realtime: bool = Field(
        True,
        description="Play a file at its own speed and drop frames where necessary; without it, "
        "analyse every frame.",
    )
    every: int = Field(1, ge=1, description="Analyse every Nth frame.")
    max_seconds: float | None = Field(
        None, ge=0.1, description="Stop after so many seconds of wall-clock time."
    )
    overwrite: Overwrite = False
    device: Device = "auto"
    max_pixels: MaxPixels = 100_000_000
    data_root: DataRootPath = "data"


class AppOptions(Options):
    """Serve a web page that judges uploads and shows results."""

    host: str = Field(
        "127.0.0.1",
        description="Address to listen on; the page has no password.",
    )
    port: int = Field(8501, ge=1, le=65535, description="Port of the page.")
    weights: Weights = None
    output: list[str] | None = Field(
        None,
        description="Folder of scores to show, beside those of this data root; repeatable.",
    )
    max_mb: int = Field(200, ge=1, description="MiB that an upload may have.")
    max_seconds: float = Field(600.0, ge=0.1, description="Seconds that a video may have.")
    max_pixels: MaxPixels = 50_000_000
    cpu_seconds: CpuSeconds = 300.0
    memory_mb: MemoryMb = 4096
    device: Device = "auto"
    data_root: DataRootPath = "data"


class ReportOptions(Options):
    """Write scores and evidence into one HTML file. Starts no server."""

    folder: ScoresFolderPath
    output: Path | None = Field(None, description="The HTML file; default: report.html in OUTPUT.")
    evidence: int = Field(
        50,
        ge=0,
        le=100_000,
        description="Number of files to show evidence of: the highest-scoring and most uncertain "
        "ones; missing evidence is made first, in about two seconds a file.",
    )
    weights: Weights = None
    data_root: DataRootPath = "data"


class StatusOptions(Options):
    """Show the progress of a scoring job, running or finished. Starts no server."""

    output: ScoresFolderPath
    as_json: AsJson = Field(False, description="Print the status as JSON.")


class SampleOptions(Options):
    """Export the most uncertain media as a CSV to label, for `ingest --layout csv`."""

    folder: ScoresFolderPath
    uncertain: int = Field(50, ge=1, description="Number of media, the least certain first.")
    output: Path | None = Field(None, description="The CSV file; default: printed.")
    overwrite: Overwrite = False


class ReceiptOptions(Options):
    """Export a score as JSON, with everything needed to compute it again."""

    folder: ScoresFolderPath
    which: Annotated[str, Argument("FILE_OR_MEDIA_ID")] = Field(
        description="File or media_id whose score is exported."
    )
    output: Path | None = Field(None, description="The JSON file; default: printed.")


class VerifyOptions(Options):
    """Score a receipt's file again: exit code 0 reproduced, 1 not reproduced, 2 wrong usage."""

    receipt: Annotated[Path, Argument("RECEIPT")] = Field(
        description="A file that `deepfake receipt` wrote."
    )
    file: Path | None = Field(None, description="The file; default: the path in the receipt.")
    weights: Weights = None
    voice_weights: str | None = Field(
        None, description="A detector of voices, where the receipt has the score of a voice."
    )
    sync_weights: str | None = Field(
        None, description="A detector of lips and sound, where the receipt has their score."
    )
    data_root: DataRootPath = "data"


class ForgetOptions(Options):
    """Remove a file's crops, scores and evidence everywhere. Starts no server."""

    which: Annotated[str, Argument("MEDIA_ID|URI")] = Field(description="The medium to remove.")
    output: list[str] | None = Field(
        None, description="Folder of scores, beside those of this data root; repeatable."
    )
    dry_run: bool = Field(False, description="Only list what would be removed.")
    data_root: DataRootPath = "data"
