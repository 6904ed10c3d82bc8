"""Write videos, for the demo, for calibration clips and for tests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from deepfake.errors import DecodeError, EmptyMediaError
from deepfake.media.containers import translate_ffmpeg_errors

__all__ = ["write_video"]


def write_video(
    path: Path,
    frames: Iterable[NDArray[np.uint8]],
    *,
    fps: float | Fraction,
    codec: str = "libx264",
    crf: int = 23,
    pixel_format: str = "yuv420p",
    options: Mapping[str, str] | None = None,
) -> Path:
    """Write frames to a video file; the suffix of its name selects the container.

    Args:
        path: The file to write; `.mp4`, `.mkv` and the like.
        frames: (H, W, 3) RGB uint8 each, all of one size, with even sides for `yuv420p`.
        fps: Frames a second.
        codec: Name of an FFmpeg encoder.
        crf: Constant rate factor, for encoders that have it: 0 is lossless for x264, 51 worst.
        pixel_format: FFmpeg's name of it.
        options: Further options of the encoder, such as `{"g": "12"}`.

    Raises:
        EmptyMediaError: There are no frames.
        DecodeError: FFmpeg rejects the codec, the sizes or the options.
        UnreadableMediaError: Writing is denied.
    """
    every = iter(frames)
    first = next(every, None)
    if first is None:
        raise EmptyMediaError("no frames to write", path=path)
    with (
        translate_ffmpeg_errors(path, doing="writing the video"),
        av.open(str(path), "w") as container,
    ):
        settings = {"crf": str(crf), **(options or {})}
        stream = container.add_stream(
            codec, rate=Fraction(fps).limit_denominator(1001), options=settings
        )
        stream.height, stream.width = first.shape[:2]
        stream.pix_fmt = pixel_format
        _mux(container, stream, first, path=path)
        for pixels in every:
            _mux(container, stream, pixels, path=path)
        container.mux(stream.encode(None))
    return path


def _mux(container: Any, stream: Any, pixels: NDArray[np.uint8], *, path: Path) -> None:
    if pixels.shape[:2] != (stream.height, stream.width):
        raise DecodeError(
            f"a frame is {pixels.shape[1]} x {pixels.shape[0]}, "
            f"the first was {stream.width} x {stream.height}",
            path=path,
        )
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
    container.mux(stream.encode(frame))
