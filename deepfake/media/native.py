"""Settings of the native libraries: versions, log output, number of threads."""

from __future__ import annotations

import os
import sys
from importlib.metadata import PackageNotFoundError, version

import av
import av.logging
import cv2

from deepfake.media.decord_frames import has_decord

__all__ = ["available_decoders", "limit_threads", "quiet_native_logs"]


def available_decoders() -> dict[str, str]:
    """Return the version of each installed decoder, by name.

    Example:
        >>> sorted(set(available_decoders()) - {"decord"})
        ['ffmpeg (in pyav)', 'opencv', 'pyav']
    """
    codec_version = ".".join(str(part) for part in av.library_versions["libavcodec"])
    found = {
        "pyav": str(av.__version__),
        "ffmpeg (in pyav)": f"libavcodec {codec_version}",
        "opencv": str(cv2.__version__),
    }
    if has_decord():
        try:
            found["decord"] = version("decord")
        except PackageNotFoundError:
            found["decord"] = "unknown"
    return found


def quiet_native_logs() -> None:
    """Stop FFmpeg and OpenCV from writing to the process's standard error; decord never does.

    Errors are raised as exceptions in any case. A worker calls this once at its start.
    """
    av.logging.set_libav_level(av.logging.FATAL)
    av.logging.set_level(None)
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def limit_threads(num_threads: int = 1) -> None:
    """Limit the threads of each native library of this process, and silence their logs.

    OpenVINO's threads are set for each engine where it is compiled.
    """
    cv2.setNumThreads(num_threads)
    # PyTorch takes seconds to import and most workers do not need it; it reads this if imported.
    os.environ["OMP_NUM_THREADS"] = str(num_threads)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(num_threads)
    quiet_native_logs()
