"""Live video: track the faces in it, and give each a verdict from its last seconds.

It runs without Prefect or any server. Frames that arrive too quickly are dropped, never queued.
"""

from deepfake.views.webcam.outputs import JsonLines, Recording, VerdictChanges, check_output_path
from deepfake.views.webcam.reader import RETRY_SECONDS, FrameReader
from deepfake.views.webcam.rolling_verdict import (
    HOLD_SECONDS,
    WINDOW_SECONDS,
    Hysteresis,
    LiveVerdict,
    TrackJudge,
)
from deepfake.views.webcam.session import FrameResult, Output, WatchSummary, watch
from deepfake.views.webcam.watcher import WatchedFace, Watcher, create_watcher
from deepfake.views.webcam.window import Window, check_display

__all__ = [
    "HOLD_SECONDS",
    "RETRY_SECONDS",
    "WINDOW_SECONDS",
    "FrameReader",
    "FrameResult",
    "Hysteresis",
    "JsonLines",
    "LiveVerdict",
    "Output",
    "Recording",
    "TrackJudge",
    "VerdictChanges",
    "WatchSummary",
    "WatchedFace",
    "Watcher",
    "Window",
    "check_display",
    "check_output_path",
    "create_watcher",
    "watch",
]
