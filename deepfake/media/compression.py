"""Compress a picture and decompress it again: JPEG and H.264."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from deepfake.media.containers import translate_ffmpeg_errors

__all__ = ["h264_round_trip", "jpeg_round_trip"]


def jpeg_round_trip(pixels: NDArray[np.uint8], *, quality: int) -> NDArray[np.uint8]:
    """Return a picture after JPEG compression with 4:2:0 chroma, as most programs write it.

    Args:
        pixels: (H, W, 3) RGB uint8.
        quality: 1 to 100.
    """
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), options)
    decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def h264_round_trip(pixels: NDArray[np.uint8], *, crf: int) -> NDArray[np.uint8]:
    """Return a picture after compression with x264, as in a frame of a video.

    Args:
        pixels: (H, W, 3) RGB uint8; an odd last row or column stays unchanged.
        crf: Constant rate factor, 0 to 51; 23 is usual, 40 is poor.

    Raises:
        DecodeError: FFmpeg rejects the size or the quality.
    """
    height, width = (side // 2 * 2 for side in pixels.shape[:2])
    with translate_ffmpeg_errors(Path("crop.h264"), doing="encoding a picture"):
        encoder: Any = av.CodecContext.create("libx264", "w")
        encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
        encoder.time_base = Fraction(1, 25)
        encoder.options = {"crf": str(crf), "preset": "veryfast", "tune": "zerolatency"}
        decoder: Any = av.CodecContext.create("h264", "r")
        for context in (encoder, decoder):
            context.thread_count = 1
        even = np.ascontiguousarray(pixels[:height, :width])
        frame = av.VideoFrame.from_ndarray(even, format="rgb24")
        packets = [*encoder.encode(frame), *encoder.encode(None)]
        frames = [shown for packet in packets for shown in decoder.decode(packet)]
        frames += decoder.decode(None)
    result = pixels.copy()
    result[:height, :width] = frames[0].to_ndarray(format="rgb24")
    return result
