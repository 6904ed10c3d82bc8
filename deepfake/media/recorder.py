"""Record a live video to a file."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from deepfake.errors import ConfigError
from deepfake.media.containers import translate_ffmpeg_errors

__all__ = ["VideoRecorder"]

_SUFFIXES = (".mp4", ".mkv", ".mov")
_TIME_BASE = Fraction(1, 1000)
_USUAL_RATE = 25
"""Frame rate for the encoder's rate control; each frame has its own time."""


class VideoRecorder:
    """Writes frames with their times to a video; use it in a `with` block, or close it.

    If the process is killed, the part written so far can be played.

    Args:
        path: The file, `.mp4`, `.mkv` or `.mov`; created with the first frame.

    Raises:
        ConfigError: The name has another suffix, or its folder does not exist.
    """

    def __init__(self, path: Path) -> None:
        if path.suffix.lower() not in _SUFFIXES:
            raise ConfigError(
                f"recordings end in {', '.join(_SUFFIXES)}, got {path.suffix!r}", path=path
            )
        if not path.parent.is_dir():
            raise ConfigError("the folder of the recording does not exist", path=path)
        self._path = path
        self._container: Any = None
        self._stream: Any = None
        self._last_pts = -1

    def write(self, pixels: NDArray[np.uint8], *, pts_seconds: float) -> None:
        """Add a frame.

        Args:
            pixels: (H, W, 3) RGB uint8; resized to the size of the first frame.
            pts_seconds: Presentation time; ascending.

        Raises:
            MediaError: It cannot be encoded or written.
        """
        with translate_ffmpeg_errors(self._path, doing="writing the recording"):
            if self._container is None:
                self._open(height=pixels.shape[0], width=pixels.shape[1])
            size = (self._stream.width, self._stream.height)
            if (pixels.shape[1], pixels.shape[0]) != size:
                pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            self._last_pts = max(self._last_pts + 1, round(pts_seconds / _TIME_BASE))
            frame.pts, frame.time_base = self._last_pts, _TIME_BASE
            self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Finish the file; closing twice does no harm."""
        container, self._container = self._container, None
        if container is None:
            return
        with translate_ffmpeg_errors(self._path, doing="finishing the recording"):
            try:
                container.mux(self._stream.encode(None))
            finally:
                container.close()

    def _open(self, *, height: int, width: int) -> None:
        is_mp4 = self._path.suffix.lower() != ".mkv"
        # Fragmented, so that an unfinished file can be played; defragmented when closed.
        flags = {"movflags": "+hybrid_fragmented"} if is_mp4 else {}
        options = {"flush_packets": "1", **flags}
        container = av.open(str(self._path), "w", container_options=options)
        try:
            stream: Any = container.add_stream(
                "libx264",
                rate=_USUAL_RATE,
                options={"preset": "veryfast", "crf": "20", "g": str(_USUAL_RATE), "bf": "0"},
            )
            # x264 with 4:2:0 chroma takes even sides only.
            stream.width, stream.height = max(2, width // 2 * 2), max(2, height // 2 * 2)
            stream.pix_fmt = "yuv420p"
            stream.codec_context.time_base = _TIME_BASE
            container.start_encoding()
        except BaseException:
            container.close()
            raise
        self._container, self._stream = container, stream

    def __enter__(self) -> VideoRecorder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
