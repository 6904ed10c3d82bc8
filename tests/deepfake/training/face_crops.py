"""Corpora of one real face, cut as `ingest` cuts it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from deepfake.config import CropConfig, ExtractConfig
from deepfake.corpora.shards import Snapshot, crop_records, write_shard, write_snapshot
from deepfake.extract.faces import crop_face
from deepfake.media import encode_crop
from deepfake.types import Face, FaceCrop, Outcome, Status
from tests.sample_data import astronaut

__all__ = ["ASTRONAUT", "FacePicture", "face_pictures", "scaled_face", "write_faces"]

ASTRONAUT = Face(
    (182.24, 60.08, 268.23, 175.38),
    ((203.77, 101.49), (246.70, 104.02), (224.62, 129.50), (203.14, 141.55), (244.58, 142.73)),
    0.999,
)
"""What MTCNN finds in the picture."""


@dataclass(frozen=True)
class FacePicture:
    """A picture with one face, and where it stands in a corpus."""

    pixels: NDArray[np.uint8]
    face: Face
    label: str = "real"
    split: str = "train"


def scaled_face(
    factor: float, *, within: tuple[int, int, int, int] | None = None
) -> tuple[NDArray[np.uint8], Face]:
    """Return the astronaut at another size, or a part of it: left, top, right, bottom."""
    left, top, right, bottom = within or (0, 0, 512, 512)
    part = np.ascontiguousarray(astronaut()[top:bottom, left:right])
    kernel = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    pixels = cv2.resize(part, None, fx=factor, fy=factor, interpolation=kernel)
    box = np.reshape(ASTRONAUT.bbox_xyxy, (2, 2)) - (left, top)
    points = np.asarray(ASTRONAUT.landmarks) - (left, top)
    x1, y1, x2, y2 = (box * factor).reshape(-1).tolist()
    five = tuple((float(x), float(y)) for x, y in points * factor)
    return np.asarray(pixels, np.uint8), Face((x1, y1, x2, y2), five, 0.999)


def face_pictures(
    counts: dict[str, int], *, labels: Sequence[str] = ("real",)
) -> list[FacePicture]:
    """Return pictures of the face, each a little brighter; fakes have a grid over the face."""
    pixels, found = scaled_face(1.0), []
    for split, count in counts.items():
        for number in range(count):
            for label in labels:
                picture = np.clip(pixels[0].astype(int) + 2 * number, 0, 255).astype(np.uint8)
                if label == "fake":
                    picture[60:175:2, 182:268] = 255
                found.append(FacePicture(picture, pixels[1], label=label, split=split))
    return found


def write_faces(
    folder: Path, pictures: Sequence[FacePicture], *, crop: CropConfig, corpus: str = "faces"
) -> Snapshot:
    """Write a corpus of one shard."""
    records, media = [], []
    for number, picture in enumerate(pictures):
        media_id = f"{number:064x}"
        height, width = picture.pixels.shape[:2]
        found = FaceCrop(
            encoded=encode_crop(
                crop_face(picture.pixels, picture.face, config=crop).pixels, config=crop
            ),
            face=picture.face,
            track_id=0,
            pts_seconds=0.0,
            frame_index=0,
            sharpness=1.0,
            brightness=100.0,
        )
        records += crop_records(media_id, "image", [found], frame_wh=(width, height))
        place = {"label": picture.label, "split": picture.split, "group": None, "method": None}
        media.append({"media_id": media_id, "uri": f"/{number}", "corpus": corpus, **place})
    outcomes = [
        Outcome(uri=m["uri"], media_id=m["media_id"], status=Status.OK, num_faces=1) for m in media
    ]
    target = folder / "shards" / corpus
    shard = write_shard(target, key="0123456789abcdef", records=records, outcomes=outcomes)
    return write_snapshot(
        target,
        corpus=corpus,
        digest=f"{crop.size:08d}{round(1000 * crop.margin):08d}",
        media=media,
        outcomes=[{**m, "kind": "image", "status": "ok"} for m in media],
        shards=[shard],
        description={"config": ExtractConfig(crop=crop).model_dump(mode="json")},
    )
