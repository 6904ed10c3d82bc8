"""Snapshots of synthetic crops, made through the same writers as real ones."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from deepfake.config import CropConfig, ExtractConfig
from deepfake.corpora.shards import Snapshot, crop_records, write_shard, write_snapshot
from deepfake.media import encode_crop
from deepfake.types import Face, FaceCrop, Outcome, Status

__all__ = ["CropFile", "draw_crop", "plain_files", "write_corpus"]

CROP_CONFIG = CropConfig(size=64)

FACE_SHARES = ((0.3, 0.4), (0.7, 0.4), (0.5, 0.58), (0.35, 0.75), (0.65, 0.75))
"""Where landmarks lie in a box around a face that looks into the camera."""


@dataclass(frozen=True)
class CropFile:
    """One file of a synthetic corpus."""

    name: str
    label: str | None
    split: str | None
    kind: str = "image"
    group: str | None = None
    num_crops: int = 1
    face_px: float = 60.0
    content: str | None = None
    """Stands for the bytes; None for the file's own."""
    has_landmarks: bool = True
    """Whether the landmarks are a face's, or five points of one line."""
    method: str | None = None
    trace: str | None = None
    """What lies over the face: `grid`, `stripes` or `none`; None for a grid on fakes alone."""


def draw_crop(rng: np.random.Generator, *, trace: str, size: int) -> NDArray[np.uint8]:
    """Return soft noise, with a grid of two pixels' period over it, stripes, or nothing."""
    coarse = rng.integers(60, 190, size=(8, 8, 3)).astype(np.float32)
    pixels = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
    if trace == "grid":
        pixels[::2, ::2] += 50.0
    elif trace == "stripes":
        pixels[:, ::8] += 50.0
    return np.clip(pixels, 0, 255).astype(np.uint8)


def write_corpus(
    folder: Path, files: Sequence[CropFile], *, corpus: str = "synthetic", seed: int = 0
) -> Snapshot:
    """Write a corpus of one part and return its snapshot."""
    rng = np.random.default_rng(seed)
    records, outcomes, media = [], [], []
    for file in files:
        media_id = hashlib.sha256((file.content or f"{corpus}/{file.name}").encode()).hexdigest()
        crops = [_crop(rng, file, index) for index in range(file.num_crops)]
        records += crop_records(media_id, file.kind, crops, frame_wh=(128, 128))
        outcomes.append(
            Outcome(
                uri=f"/corpus/{file.name}",
                media_id=media_id,
                status=Status.OK,
                num_faces=len(crops),
                details={"kind": file.kind},
            )
        )
        media.append(
            {
                "media_id": media_id,
                "uri": f"/corpus/{file.name}",
                "corpus": corpus,
                "label": file.label,
                "method": file.method,
                "group": file.group,
                "split": file.split,
            }
        )
    corpus_dir = folder / "shards" / corpus
    key = hashlib.sha256(corpus.encode()).hexdigest()[:16]
    shard = write_shard(corpus_dir, key=key, records=records, outcomes=outcomes)
    return write_snapshot(
        corpus_dir,
        corpus=corpus,
        digest=hashlib.sha256(repr((corpus, list(files))).encode()).hexdigest()[:16],
        media=media,
        outcomes=[
            {**m, "kind": file.kind, "status": "ok"} for m, file in zip(media, files, strict=True)
        ],
        shards=[shard],
        description={"config": ExtractConfig(crop=CROP_CONFIG).model_dump(mode="json")},
    )


def _crop(rng: np.random.Generator, file: CropFile, index: int) -> FaceCrop:
    trace = file.trace or ("grid" if file.label == "fake" else "none")
    pixels = draw_crop(rng, trace=trace, size=CROP_CONFIG.size)
    side = file.face_px
    shares = FACE_SHARES if file.has_landmarks else tuple((i / 6, 0.2) for i in range(5))
    points = tuple((x * side, y * side) for x, y in shares)
    return FaceCrop(
        encoded=encode_crop(pixels, config=CROP_CONFIG),
        face=Face(bbox_xyxy=(0.0, 0.0, side, side), landmarks=points, confidence=0.99),
        track_id=0,
        pts_seconds=index / 10,
        frame_index=index,
        sharpness=1.0,
        brightness=100.0,
    )


def plain_files(
    counts: dict[str, int], *, kind: str = "image", num_crops: int = 1
) -> list[CropFile]:
    """Return as many reals and as many fakes as asked for in each split."""
    return [
        CropFile(f"{split}/{label}/{i}", label, split, kind=kind, num_crops=num_crops)
        for split, count in counts.items()
        for label in ("real", "fake")
        for i in range(count)
    ]
