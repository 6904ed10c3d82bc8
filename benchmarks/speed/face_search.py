"""How many faces of which size are found in large frames, and what the search costs.

    python -m benchmarks.speed.face_search FOLDER_OF_PORTRAITS

Each picture of the folder gives its largest face. Frames of several sizes are filled with faces
of one known size and searched twice: with faces below 8 % of the shorter side left out, as
before, and with every face of `min_face_px`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from itertools import cycle, islice, product
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from deepfake.config import FaceConfig, MediaLimits
from deepfake.errors import MediaError
from deepfake.extract.faces.area_resize import FrameView
from deepfake.extract.faces.mtcnn import MtcnnDetector
from deepfake.media import limit_threads, read_image
from deepfake.types import Face

__all__ = ["main"]

_FRAMES = {"720p": (1280, 720), "1080p": (1920, 1080), "4K": (3840, 2160), "12 MP": (4000, 3000)}
_SIZES_PX = (48, 64, 80, 110, 150)
_AROUND = 1.7
"""Side of what is cut out around a face, over the face's box."""
_NEAR = 0.5
_TIMED = 5

Pixels = NDArray[np.uint8]


def main() -> None:
    """Print a table of faces found by size, and one of costs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--faces", type=int, default=30)
    chosen = parser.parse_args()
    limit_threads()
    before = MtcnnDetector(FaceConfig(min_face_px=None))
    after = MtcnnDetector(FaceConfig())
    portraits = list(islice(_portraits(chosen.folder, after), chosen.faces))
    if not portraits:
        raise SystemExit(f"no picture in {chosen.folder} shows a face of {max(_SIZES_PX)} pixels")
    print("| frame | face, px | faces | found before | found now | ms before | ms now |")
    print("|---|---|---|---|---|---|---|")
    for (name, wh), size_px in product(_FRAMES.items(), _SIZES_PX):
        frame, centres = _filled(portraits, wh, size_px=size_px)
        cells = []
        for detector in (before, after):
            found, seconds = _search(detector, frame)
            cells.append((_count_found(found, centres, size_px), 1000 * seconds))
        (was, ms_was), (now, ms_now) = cells
        print(
            f"| {name} | {size_px} | {len(centres)} | {was} | {now} | {ms_was:.0f} | {ms_now:.0f} |"
        )


def _portraits(folder: Path, detector: MtcnnDetector) -> Iterator[tuple[Pixels, float]]:
    """Yield squares around single faces, and the size of the face in each."""
    for path in sorted(folder.rglob("*")):
        try:
            picture = read_image(path, limits=MediaLimits()).pixels
        except (MediaError, OSError):
            continue
        faces = detector.detect(picture)
        square = _square(picture, faces[0]) if faces else None
        if square is not None and faces[0].size_px >= max(_SIZES_PX):
            yield square, faces[0].size_px / square.shape[0]


def _square(picture: Pixels, face: Face) -> Pixels | None:
    half = face.size_px * _AROUND / 2
    x, y = face.center_xy
    left, top, side = round(x - half), round(y - half), round(2 * half)
    if left < 0 or top < 0 or left + side > picture.shape[1] or top + side > picture.shape[0]:
        return None
    return picture[top : top + side, left : left + side]


def _filled(
    portraits: list[tuple[Pixels, float]], wh: tuple[int, int], *, size_px: int
) -> tuple[Pixels, list[tuple[float, float]]]:
    """Return a frame with faces of one size in it, and their centres."""
    width, height = wh
    noise = np.random.default_rng(0).integers(60, 180, (height // 40, width // 40, 3), np.uint8)
    frame: Pixels = cv2.resize(noise, wh, interpolation=cv2.INTER_CUBIC)
    step = round(max(2.6 * size_px, height / 5))
    places = product(range(step // 2, height - step // 2, step), range(step // 2, width, step))
    centres = []
    for (y, x), (square, share) in zip(places, cycle(portraits), strict=False):
        side = round(size_px / share)
        top, left = y - side // 2, x - side // 2
        if top >= 0 and left >= 0 and top + side <= height and left + side <= width:
            small = cv2.resize(square, (side, side), interpolation=cv2.INTER_AREA)
            frame[top : top + side, left : left + side] = small
            centres.append((float(x), float(y)))
        if len(centres) == len(portraits):
            break
    return frame, centres


def _search(detector: MtcnnDetector, frame: Pixels) -> tuple[tuple[Face, ...], float]:
    faces = detector.search(FrameView(frame)).faces
    seconds = []
    for _ in range(_TIMED):
        began = time.process_time()
        detector.search(FrameView(frame))
        seconds.append(time.process_time() - began)
    return faces, min(seconds)


def _count_found(faces: tuple[Face, ...], centres: list[tuple[float, float]], size_px: int) -> int:
    at = np.array([face.center_xy for face in faces]).reshape(-1, 2)
    return sum(
        bool((np.hypot(*(at - centre).T) < _NEAR * size_px).any()) for centre in np.array(centres)
    )


if __name__ == "__main__":
    main()
