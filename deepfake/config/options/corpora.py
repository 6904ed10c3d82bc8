"""Options of the commands that make corpora, clips and held-out sets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from deepfake.config.modality import Modality
from deepfake.config.options.fields import (
    Argument,
    BatchOptions,
    CorpusName,
    DataRootPath,
    FileLimitOptions,
    Options,
    SamplingName,
)
from deepfake.config.settings import CropEdge, DecoderName

__all__ = ["ClipsOptions", "FreezeOptions", "IngestOptions", "ListHeldOutSetsOptions"]


class IngestOptions(FileLimitOptions, BatchOptions):
    """Turn a labelled corpus into shards of face crops, of speech, or of mouths with sound."""

    input_path: Annotated[str, Argument("INPUT")] = Field(
        description="Folder or CSV file of the corpus, or a store's URI."
    )
    corpus: CorpusName
    layout: Literal[
        "folder", "faceforensics", "dfdc", "celebdf", "fakeavceleb", "lavdf", "asvspoof", "csv"
    ] = Field("folder", description="How the corpus is laid out.")
    modality: Modality = Field(
        "faces",
        description="What is looked at: faces in pictures, speech in sound (voice), or lips "
        "together with the sound (sync).",
    )
    replace: bool = Field(
        False, description="Put this corpus in the place of another one that has its name."
    )
    data_root: DataRootPath = "data"
    sampling: SamplingName = Field("uniform", description="Which frames of a video.")
    frames: int | None = Field(
        None, ge=1, description="Frames of a video, for uniform, keyframes, bursts and runs (32)."
    )
    fps: float | None = Field(None, ge=0.001, description="Frames a second, for fps (1).")
    run_seconds: float | None = Field(
        None, ge=0.04, le=60, description="Length of a run of successive frames, for runs (0.64)."
    )
    face_size: int = Field(256, ge=32, le=1024, description="Side of a stored crop, pixels.")
    margin: float = Field(
        1.3, ge=1, le=3, description="Side of the crop over the longer side of the face."
    )
    edge: CropEdge = Field(
        "inside",
        description="Where a crop would reach over the frame's edge: inside moves it inwards, and "
        "puts a black edge around a picture that is smaller than the crop, as for the packaged "
        "detector; mirror fills it by reflection, as in earlier versions, so that a face may be "
        "shown twice.",
    )
    min_face: float = Field(
        0.08, ge=0.01, le=1, description="Smallest face over the frame's shorter side."
    )
    codec: Literal["jpeg", "png"] = Field("jpeg", description="Format in which crops are stored.")
    decoder: DecoderName = Field(
        "pyav", description="Decoder of videos; auto: decord where it can, else pyav."
    )
    device: Literal["cpu", "cuda"] = Field("cpu", description="Where faces are detected.")
    window_seconds: float = Field(
        4.0, ge=1, le=10, description="Seconds of a window of speech, for --modality voice."
    )
    max_windows: int = Field(
        16, ge=1, description="Windows of a file, at most, for --modality voice."
    )
    split: Literal["auto", "official", "grouped"] = Field(
        "auto",
        description="official: the corpus's own split; grouped: a random split that keeps people "
        "together; auto: as in the last ingest of this corpus, at first official if the corpus has "
        "a split, else grouped.",
    )
    seed: int = Field(0, description="Seed of the random split.")


class ClipsOptions(Options):
    """Make clips of labelled stills or videos, to calibrate a detector for videos."""

    dataset: str = Field(description="An ingested corpus of labelled stills or videos.")
    output: Path = Field(description="Folder for the clips and clips.csv.")
    split: Literal["train", "val", "test"] = Field("val", description="Which split of the corpus.")
    max_clips: int | None = Field(None, ge=3, description="Clips, at most.")
    seed: int = Field(0, description="Seed of everything random.")
    data_root: DataRootPath = "data"


class FreezeOptions(Options):
    """Freeze the labelled files of a corpus as a held-out set, which never changes."""

    name: Annotated[str, Argument("NAME")] = Field(description="Name of the held-out set.")
    dataset: str = Field(description="An ingested corpus; its newest snapshot.")
    split: Literal["test", "all"] = Field(
        "test",
        description="Freeze its test split, or all of it; frozen files cannot be trained on.",
    )
    data_root: DataRootPath = "data"


class ListHeldOutSetsOptions(Options):
    """List the held-out sets, and how often detectors were measured on each."""

    data_root: DataRootPath = "data"
