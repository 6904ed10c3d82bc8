"""Where the time of a frame goes, stage by stage.

python -m benchmarks.stages FOLDER
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.clips import Clip, find_clips
from deepfake.config import CropConfig, FaceConfig, MediaLimits
from deepfake.extract.extractor import limit_threads
from deepfake.extract.faces import MtcnnDetector, crop_square, measure_quality
from deepfake.extract.faces import mtcnn as cascade
from deepfake.extract.faces.area_resize import FrameView
from deepfake.media import decode_crop, encode_crop, open_video
from deepfake.types import Face, Frame

__all__ = ["main"]

_FRAMES_A_CLIP = 8


class _Clock:
    """CPU seconds by the name of what ran; nested names are taken off those around them."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._inner = [0.0]

    @contextmanager
    def running(self, name: str) -> Iterator[None]:
        self._inner.append(0.0)
        started = time.process_time()
        try:
            yield
        finally:
            spent = time.process_time() - started
            self.seconds[name] += spent - self._inner.pop()
            self._inner[-1] += spent

    def watch(self, owner: Any, attribute: str, name: str) -> None:
        """Time every call of a function."""
        function: Callable[..., Any] = getattr(owner, attribute)

        def timed(*args: Any, **more: Any) -> Any:
            with self.running(name):
                return function(*args, **more)

        setattr(owner, attribute, timed)


def _frames(clip: Clip) -> list[Frame]:
    chosen = clip.indices[:: max(1, len(clip.indices) // _FRAMES_A_CLIP)][:_FRAMES_A_CLIP]
    with open_video(clip.path, limits=MediaLimits()) as reader:
        return list(reader.read(chosen))


def _watch(clock: _Clock, detector: MtcnnDetector) -> None:
    networks = detector._networks
    clock.watch(FrameView, "_table", "sums over rectangles")
    clock.watch(cascade, "draw_canvas", "all sizes on one canvas")
    clock.watch(cascade, "_crops", "candidates")
    for name in ("pnet", "rnet", "onet"):
        clock.watch(networks, name, f"{name[0].upper()}-net")


def _profile(frames: list[Frame], detector: MtcnnDetector, clock: _Clock) -> dict[str, Any]:
    found: list[tuple[Frame, tuple[Face, ...]]] = []
    columns: dict[str, dict[str, float]] = {}
    for frame in frames:  # a first pass compiles the engines
        faces = detector.search(FrameView(frame.pixels)).faces[:1]
        detector.search_near(FrameView(frame.pixels), faces)
        detector.follow(FrameView(frame.pixels), faces)
        found.append((frame, faces))
    looks: dict[str, Callable[[Frame, tuple[Face, ...]], object]] = {
        "searched": lambda frame, _: detector.search(FrameView(frame.pixels)),
        "near": lambda frame, faces: detector.search_near(FrameView(frame.pixels), faces),
        "followed": lambda frame, faces: detector.follow(FrameView(frame.pixels), faces),
        "crop": lambda frame, faces: _crop(frame, faces, clock),
    }
    for name, look in looks.items():
        clock.seconds.clear()
        for frame, faces in found:
            with clock.running("the rest"):
                look(frame, faces)
        columns[name] = {stage: 1e3 * s / len(found) for stage, s in clock.seconds.items()}
    return columns


def _crop(frame: Frame, faces: tuple[Face, ...], clock: _Clock) -> None:
    for face in faces:
        config = CropConfig()
        with clock.running("cut and resize"):
            square = crop_square(frame.pixels, face, size=config.size, margin=config.margin)
        with clock.running("sharpness"):
            measure_quality(square, margin=config.margin)
        with clock.running("encode"):
            encoded = encode_crop(square, config=config)
        with clock.running("decode again"):
            decode_crop(encoded)


def main(
    folder: Annotated[Path, typer.Argument(help="Videos.")] = Path("../shared/data/videos"),
    lines: Annotated[int, typer.Option(help="Only clips with so many on the shorter side.")] = 720,
) -> None:
    """Print CPU milliseconds a frame by stage, one face a frame, one thread."""
    limit_threads()
    clips = [clip for clip in find_clips(folder)[0] if clip.shorter_side == lines]
    frames = [frame for clip in clips for frame in _frames(clip)]
    if not frames:
        raise typer.BadParameter(f"no clip with {lines} lines in {folder}")
    detector, clock = MtcnnDetector(FaceConfig()), _Clock()
    _watch(clock, detector)
    columns = _profile(frames, detector, clock)
    table = Table(title=f"CPU ms a frame, {len(frames)} frames of {len(clips)} clips")
    table.add_column("stage")
    for name in columns:
        table.add_column(name, justify="right")
    stages = list(dict.fromkeys(stage for column in columns.values() for stage in column))
    for stage in stages:
        cells = [f"{column[stage]:.2f}" if stage in column else "" for column in columns.values()]
        table.add_row(stage, *cells)
    table.add_row("all", *(f"{sum(column.values()):.2f}" for column in columns.values()))
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
