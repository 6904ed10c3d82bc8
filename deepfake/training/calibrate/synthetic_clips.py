"""Make clips out of labelled stills, where no labelled videos may be learnt from.

A window moves over the picture for some seconds, seen by a camera that is not quite sharp, with
noise and flicker, and is encoded by x264. They do not show other poses or motion of the face, as
real videos do: a calibration on them must say so.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deepfake.config import MediaLimits, SelfBlendConfig, digest_of
from deepfake.corpora.shards import Snapshot
from deepfake.errors import DataError
from deepfake.media import read_image, write_video
from deepfake.storage import atomic_path, medium_file
from deepfake.training.data.self_blend import are_usable_landmarks, self_blend
from deepfake.types import Kind, Label

__all__ = ["ClipPlan", "make_clips", "plan_clips"]

Pixels = NDArray[np.uint8]
ClipKind = Literal["real", "labelled_fake", "self_blend"]

_STEP_VERSION = "2"
"""Raised whenever the same plan would give another clip."""

_SECONDS = (2.0, 4.0)
_FPS = (12, 15, 24, 25, 30)
_CRF = (18, 40)
_WINDOW = (0.82, 0.97)
"""Side of the window over the picture's shorter side."""
_NOISE = (0.0, 4.0)
"""Sigma, of 255 levels."""
_BLUR = (0.0, 1.0)
"""Sigma, pixels of the clip."""
_FLICKER = 0.02
_REACH = 1.3
"""Side of the square that is blended, over the longer side of the face's box."""

# The target stays as it is: a square with changed colours would have a border of its own. And the
# source covers it wholly, as a swapped face does; weaker ratios are there to make learning hard.
_BLEND = SelfBlendConfig(source_p=1.0, ratios=(1.0,))


@dataclass(frozen=True, slots=True)
class ClipPlan:
    """A clip to be made.

    Attributes:
        name: Of its file, without folder.
        kind: What it shows.
        uri: The still.
        media_id: The still's.
        group: The still's; a clip belongs to it.
        bbox_xyxy: Of the still's largest face.
        landmarks: Of that face, (5, 2), the still's pixels.
        split: The still's.
        seed: Of all that is random.
    """

    name: str
    kind: ClipKind
    uri: str
    media_id: str
    group: str
    bbox_xyxy: tuple[float, ...]
    landmarks: NDArray[np.float64]
    split: str
    seed: int

    @property
    def label(self) -> Label:
        """What the clip is labelled as."""
        return Label.REAL if self.kind == "real" else Label.FAKE


def plan_clips(
    snapshot: Snapshot, *, split: str = "val", max_clips: int | None = None, seed: int = 0
) -> list[ClipPlan]:
    """Return the clips that a corpus of stills gives: of each real one as it is and one
    self-blended, of each fake one.

    Args:
        snapshot: Of the corpus.
        split: The part that is taken.
        max_clips: At most, in equal shares of the three kinds; None for all.
        seed: Of the choice and of all that is random in the clips.

    Raises:
        DataError: The part has no labelled stills with faces.
    """
    index = snapshot.index()
    stills = index[
        (index["split"] == split) & (index["kind"] == str(Kind.IMAGE)) & index["label"].notna()
    ]
    faces = stills.sort_values(["uri", "face_px"]).drop_duplicates("uri", keep="last")
    if faces.empty:
        raise DataError(f"{snapshot.corpus} has no labelled stills with faces in {split!r}")
    rng = np.random.default_rng(seed)
    by_kind: dict[ClipKind, str] = {"real": "real", "labelled_fake": "fake", "self_blend": "real"}
    plans = []
    for kind, label in by_kind.items():
        own = faces[faces["label"] == label]
        count = len(own) if max_clips is None else min(len(own), max_clips // len(by_kind))
        chosen = np.sort(rng.permutation(len(own))[:count])
        seeds = rng.integers(0, 2**31, size=len(own))
        plans += [_plan(own.iloc[at], kind=kind, seed=int(seeds[at])) for at in chosen]
    return plans


def _plan(face: pd.Series, *, kind: ClipKind, seed: int) -> ClipPlan:
    media_id, group = str(face["media_id"]), face["group"]
    made_with = digest_of(_STEP_VERSION, media_id, str(seed), _BLEND)
    return ClipPlan(
        name=f"{kind}-{media_id[:16]}-{made_with[:8]}.mp4",
        kind=kind,
        uri=str(face["uri"]),
        media_id=media_id,
        group=f"media:{media_id}" if pd.isna(group) else str(group),
        bbox_xyxy=tuple(float(v) for v in face["bbox_xyxy"]),
        landmarks=np.asarray(face["landmarks"], dtype=np.float64).reshape(5, 2),
        split=str(face["split"]),
        seed=seed,
    )


def make_clips(
    plans: list[ClipPlan], folder: Path, *, on_done: Callable[[int], None] = lambda _: None
) -> Path:
    """Write clips, and a CSV file that `ingest --layout csv` reads.

    Clips that exist already are kept; another seed gives other names. A clip belongs to the
    group of its still.

    Args:
        plans: From `plan_clips`.
        folder: Where to; it is made.
        on_done: Called with the number of clips made, after each.

    Returns:
        `clips.csv` in the folder. A still whose face cannot be blended has no line.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # x264, OpenCV and NumPy release the interpreter's lock.
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        made = []
        for number, is_made in enumerate(pool.map(lambda plan: _make(plan, folder), plans)):
            made.append(is_made)
            on_done(number + 1)
    table = folder / "clips.csv"
    with atomic_path(table) as part, part.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["uri", "label", "split", "group", "method"])
        for plan, is_made in zip(plans, made, strict=True):
            if is_made:
                method = f"synthetic_{plan.kind}"
                writer.writerow([plan.name, str(plan.label), plan.split, plan.group, method])
    return table


def _make(plan: ClipPlan, folder: Path) -> bool:
    path = folder / plan.name
    if path.is_file():
        return True
    limits = MediaLimits()
    with medium_file(plan.uri, max_bytes=limits.max_bytes) as source:
        picture = read_image(source, limits=limits).pixels
    rng = np.random.default_rng(plan.seed)
    square = _square_of(plan, picture)
    if plan.kind == "self_blend" and square is None:
        return False
    fps = int(rng.choice(_FPS))
    num_frames = max(2, round(rng.uniform(*_SECONDS) * fps))
    frames = _frames(plan, picture, square, rng=rng, num_frames=num_frames)
    # Renamed once it is whole; FFmpeg chooses the container by the file's ending.
    part = path.with_name(f".{path.name}")
    write_video(part, frames, fps=fps, crf=int(rng.integers(*_CRF, endpoint=True)))
    part.replace(path)
    return True


def _frames(
    plan: ClipPlan,
    picture: Pixels,
    square: tuple[int, int, int] | None,
    *,
    rng: np.random.Generator,
    num_frames: int,
) -> Iterator[Pixels]:
    height, width = picture.shape[:2]
    side = round(rng.uniform(*_WINDOW) * min(height, width)) // 2 * 2
    free = np.array([width - side, height - side], dtype=np.float64)
    start, end = rng.uniform(0, 1, size=(2, 2)) * free
    noise, blur = rng.uniform(*_NOISE), rng.uniform(*_BLUR)
    shown = picture
    if plan.kind == "self_blend" and square is not None:
        shown = _blended(picture, square, plan.landmarks, rng=rng)
    for step in range(num_frames):
        left, top = start + (end - start) * step / max(1, num_frames - 1)
        matrix = np.array([[1.0, 0.0, -left], [0.0, 1.0, -top]])
        view = cv2.warpAffine(
            shown, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
        ).astype(np.float32)
        if blur > 0.2:
            view = cv2.GaussianBlur(view, (0, 0), blur)
        view = view * np.float32(1 + rng.normal(0, _FLICKER))
        view += rng.standard_normal(view.shape, dtype=np.float32) * np.float32(noise)
        yield np.clip(np.round(view), 0, 255).astype(np.uint8)


def _square_of(plan: ClipPlan, picture: Pixels) -> tuple[int, int, int] | None:
    """Return left, top and side of the square that is blended; None where it does not fit."""
    left, top, right, bottom = plan.bbox_xyxy
    height, width = picture.shape[:2]
    side = min(round(max(right - left, bottom - top) * _REACH), height, width)
    x = int(np.clip(round((left + right - side) / 2), 0, width - side))
    y = int(np.clip(round((top + bottom - side) / 2), 0, height - side))
    return (x, y, side) if are_usable_landmarks(plan.landmarks - (x, y), size=side) else None


def _blended(
    picture: Pixels,
    square: tuple[int, int, int],
    landmarks: NDArray[np.float64],
    *,
    rng: np.random.Generator,
) -> Pixels:
    x, y, side = square
    part = np.ascontiguousarray(picture[y : y + side, x : x + side])
    _, fake = self_blend(part, landmarks - (x, y), rng=rng, config=_BLEND)
    shown = picture.copy()
    shown[y : y + side, x : x + side] = fake
    return shown
