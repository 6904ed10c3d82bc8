"""Write clips of a face with sound, whose tracks may begin at different times."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from tests.sample_data import clip_frames
from tests.sound_factory import make_speech, mux_tone

__all__ = ["FPS", "flash", "write_film", "write_talking_clip"]

FPS = 25
_RATE = 16_000
_SOUND_CODECS = {".mp4": "aac", ".mkv": "flac", ".avi": "pcm_s16le"}
_MILLISECOND = Fraction(1, 1000)


def write_talking_clip(
    path: Path, *, seconds: float = 4.0, seed: int = 0, side: int = 192, has_face: bool = True
) -> Path:
    """Write a clip of a face that moves slowly, with sound like speech."""
    count = round(seconds * FPS)
    if has_face:
        moving = clip_frames(8, seed=seed, side=side)
        frames = [moving[0]] * count
    else:
        frames = [np.full((side, side, 3), 90, np.uint8)] * count
    return write_film(path, frames, make_speech(seconds, seed=seed))


def write_film(
    path: Path,
    frames: Sequence[NDArray[np.uint8]],
    samples: NDArray[np.float32],
    *,
    pictures_from: float = 0.0,
    sound_from: float = 0.0,
    b_frames: int = 0,
) -> Path:
    """Write frames and sound, each from its own time on; the name's end says the container."""
    codec = "mpeg4" if path.suffix == ".avi" else "libx264"
    with av.open(str(path), "w") as container:
        pictures = container.add_stream(codec, rate=FPS, options={"bf": str(b_frames)})
        pictures.height, pictures.width = frames[0].shape[:2]
        pictures.pix_fmt = "yuv420p"
        pictures.bit_rate = 4_000_000
        if path.suffix != ".avi":
            pictures.codec_context.time_base = _MILLISECOND
        sound = container.add_stream(_SOUND_CODECS[path.suffix], rate=_RATE, layout="mono")
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            if path.suffix != ".avi":
                frame.time_base = _MILLISECOND
                frame.pts = round(1000 * (pictures_from + number / FPS))
            container.mux(pictures.encode(frame))
        container.mux(pictures.encode(None))
        mux_tone(container, sound, samples[None], rate=_RATE, begin_seconds=sound_from)
    return path


def flash(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a frame that is brighter by a good deal."""
    return np.minimum(pixels.astype(np.int16) + 60, 255).astype(np.uint8)
