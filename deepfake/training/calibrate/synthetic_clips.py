"""Make clips to calibrate with, where no labelled fakes of videos may be used.

Out of stills: a window moves over the picture for some seconds, seen by a camera that is not quite
sharp, with noise and flicker, and is encoded by x264. They do not show other poses or motion of
the face, as real videos do: a calibration on them must say so.

Out of videos: some seconds of a recording, as they are, and once more with a self-blended face.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterable, Iterator
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
from deepfake.media import open_video, read_image, write_video
from deepfake.storage import atomic_path, medium_file
from deepfake.training.calibrate.face_path import FacePath, face_path, main_track
from deepfake.training.data.self_blend import are_usable_landmarks, self_blend
from deepfake.types import Kind, Label, Pixels

__all__ = ["METHOD_PREFIXES", "ClipPlan", "make_clips", "plan_clips"]

ClipKind = Literal["real", "labelled_fake", "self_blend"]

METHOD_PREFIXES = {Kind.IMAGE: "synthetic_", Kind.VIDEO: "recorded_"}
"""How the `method` of a clip begins, by what it was made out of."""

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
        uri: The still or the video that it is made of.
        media_id: That file's.
        source: Whether that file is a picture or a video.
        group: That file's; a clip belongs to it.
        faces: Where its main face is.
        split: That file's.
        seed: Of all that is random.
    """

    name: str
    kind: ClipKind
    uri: str
    media_id: str
    source: Kind
    group: str
    faces: FacePath
    split: str
    seed: int

    @property
    def label(self) -> Label:
        """What the clip is labelled as."""
        return Label.REAL if self.kind == "real" else Label.FAKE


def plan_clips(
    snapshot: Snapshot, *, split: str = "val", max_clips: int | None = None, seed: int = 0
) -> list[ClipPlan]:
    """Return the clips that a corpus gives: of each real file one as it is and one self-blended,
    of each fake file one.

    Args:
        snapshot: Of the corpus.
        split: The split that is taken.
        max_clips: At most, in equal shares of the kinds that there are; None for all.
        seed: Of the choice and of all that is random in the clips.

    Raises:
        DataError: The split has no labelled files with faces.
    """
    index = snapshot.index()
    faces = main_track(index[(index["split"] == split) & index["label"].notna()])
    if faces.empty:
        raise DataError(f"{snapshot.corpus} has no labelled files with faces in {split!r}")
    rng = np.random.default_rng(seed)
    by_kind: dict[ClipKind, str] = {"real": "real", "labelled_fake": "fake", "self_blend": "real"}
    files = {
        kind: [own for _, own in faces[faces["label"] == label].groupby("uri", sort=True)]
        for kind, label in by_kind.items()
    }
    num_kinds = sum(bool(own) for own in files.values())
    plans = []
    for kind, own in files.items():
        count = len(own) if max_clips is None else min(len(own), max_clips // num_kinds)
        chosen = np.sort(rng.permutation(len(own))[:count])
        seeds = rng.integers(0, 2**31, size=len(own))
        plans += [_plan(own[at], kind=kind, seed=int(seeds[at])) for at in chosen]
    return plans


def _plan(track: pd.DataFrame, *, kind: ClipKind, seed: int) -> ClipPlan:
    face = track.iloc[0]
    media_id, group = str(face["media_id"]), face["group"]
    made_with = digest_of(_STEP_VERSION, media_id, str(seed), _BLEND)
    return ClipPlan(
        name=f"{kind}-{media_id[:16]}-{made_with[:8]}.mp4",
        kind=kind,
        uri=str(face["uri"]),
        media_id=media_id,
        source=Kind(face["kind"]),
        group=f"media:{media_id}" if pd.isna(group) else str(group),
        faces=face_path(track),
        split=str(face["split"]),
        seed=seed,
    )


def make_clips(
    plans: list[ClipPlan], folder: Path, *, on_done: Callable[[int], None] = lambda _: None
) -> Path:
    """Write clips, and a CSV file that `ingest --layout csv` reads.

    Clips that exist already are kept; another seed gives other names. A clip belongs to the
    group of its file.

    Args:
        plans: From `plan_clips`.
        folder: Where to; it is made.
        on_done: Called with the number of clips made, after each.

    Returns:
        `clips.csv` in the folder. A file whose face cannot be blended has no line.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # x264, OpenCV and NumPy release the interpreter's lock.
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        made = []
        for number, is_made in enumerate(pool.map(lambda plan: _make(plan, folder), plans)):
            made.append(is_made)
            on_done(number + 1)
    table = folder / "clips.csv"
    with (
        atomic_path(table) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as stream,
    ):
        writer = csv.writer(stream)
        writer.writerow(["uri", "label", "split", "group", "method"])
        for plan, is_made in zip(plans, made, strict=True):
            if is_made:
                method = f"{METHOD_PREFIXES[plan.source]}{plan.kind}"
                writer.writerow([plan.name, str(plan.label), plan.split, plan.group, method])
    return table


def _make(plan: ClipPlan, folder: Path) -> bool:
    path = folder / plan.name
    if path.is_file():
        return True
    limits = MediaLimits()
    # Renamed once it is whole; FFmpeg chooses the container by the file's ending.
    temporary = path.with_name(f".{path.name}")
    with medium_file(plan.uri, max_bytes=limits.max_bytes) as source:
        write = _write_from_still if plan.source == Kind.IMAGE else _write_from_video
        if not write(plan, source, temporary, limits=limits):
            return False
    temporary.replace(path)
    return True


def _write_from_still(
    plan: ClipPlan, source: Path, temporary: Path, *, limits: MediaLimits
) -> bool:
    picture = read_image(source, limits=limits).pixels
    rng = np.random.default_rng(plan.seed)
    square = _square_of(plan.faces, 0, picture)
    if plan.kind == "self_blend" and square is None:
        return False
    fps = int(rng.choice(_FPS))
    num_frames = max(2, round(rng.uniform(*_SECONDS) * fps))
    frames = _frames(plan, picture, square, rng=rng, num_frames=num_frames)
    write_video(temporary, frames, fps=fps, crf=int(rng.integers(*_CRF, endpoint=True)))
    return True


def _write_from_video(
    plan: ClipPlan, source: Path, temporary: Path, *, limits: MediaLimits
) -> bool:
    rng = np.random.default_rng(plan.seed)
    with open_video(source, limits=limits) as reader:
        fps = reader.info.fps or _FPS[-1]
        count = min(reader.info.num_frames, max(2, round(rng.uniform(*_SECONDS) * fps)))
        first = int(rng.integers(0, reader.info.num_frames - count, endpoint=True))
        pictures = (
            (frame.frame_index, _with_even_sides(frame.pixels))
            for frame in reader.read(range(first, first + count))
        )
        shown: Iterator[Pixels] = (picture for _, picture in pictures)
        if plan.kind == "self_blend":
            shown = _blended_frames(plan.faces, pictures, seed=int(rng.integers(2**31)))
        try:
            write_video(temporary, shown, fps=fps, crf=int(rng.integers(*_CRF, endpoint=True)))
        except _NoBlendFitsError:
            # A frame of the forgery without a blend would be a real one.
            temporary.unlink(missing_ok=True)
            return False
    return True


class _NoBlendFitsError(Exception):
    """The landmarks in a frame are not those of a face."""


def _blended_frames(
    faces: FacePath, pictures: Iterable[tuple[int, Pixels]], *, seed: int
) -> Iterator[Pixels]:
    """Yield frames with one blend, drawn once, that follows the face.

    Raises:
        _NoBlendFitsError: There is no place for it in a frame.
    """
    side: int | None = None
    for number, picture in pictures:
        square = _square_of(faces, number, picture, side=side)
        if square is None:
            raise _NoBlendFitsError
        # Of one side, so that what is drawn for it is the same in each frame.
        side = square[2]
        landmarks = faces.landmarks_at(number)
        yield _blended(picture, square, landmarks, rng=np.random.default_rng(seed))


def _with_even_sides(picture: Pixels) -> Pixels:
    height, width = (side // 2 * 2 for side in picture.shape[:2])
    return np.ascontiguousarray(picture[:height, :width])


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
        shown = _blended(picture, square, plan.faces.landmarks_at(0), rng=rng)
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


def _square_of(
    faces: FacePath, number: int, picture: Pixels, *, side: int | None = None
) -> tuple[int, int, int] | None:
    """Return left, top and side of the square that is blended; None where it does not fit.

    Args:
        faces: Where the face is.
        number: Of the frame.
        picture: The frame.
        side: Of the square, pixels; None for one after the box of the face.
    """
    left, top, right, bottom = faces.box_at(number)
    height, width = picture.shape[:2]
    if side is None:
        side = min(round(max(right - left, bottom - top) * _REACH), height, width)
    x = int(np.clip(round((left + right - side) / 2), 0, width - side))
    y = int(np.clip(round((top + bottom - side) / 2), 0, height - side))
    usable = are_usable_landmarks(faces.landmarks_at(number) - (x, y), size=side)
    return (x, y, side) if usable else None


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
