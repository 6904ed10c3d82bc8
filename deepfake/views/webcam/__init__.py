"""Live pictures: who is there, and what the last seconds of each face say.

Knows no flow and starts no server. Frames that come too quickly are dropped, never queued.
"""

from deepfake.views.webcam.outputs import Changes, JsonLines, Recording, check_new
from deepfake.views.webcam.reader import WAITS_SECONDS, FrameReader
from deepfake.views.webcam.rolling_verdict import (
    HOLD_SECONDS,
    WINDOW_SECONDS,
    Hysteresis,
    Judgement,
    TrackJudge,
)
from deepfake.views.webcam.session import Look, Output, WatchSummary, watch
from deepfake.views.webcam.watcher import WatchedFace, Watcher, create_watcher
from deepfake.views.webcam.window import Window, check_display

__all__ = [
    "HOLD_SECONDS",
    "WAITS_SECONDS",
    "WINDOW_SECONDS",
    "Changes",
    "FrameReader",
    "Hysteresis",
    "JsonLines",
    "Judgement",
    "Look",
    "Output",
    "Recording",
    "TrackJudge",
    "WatchSummary",
    "WatchedFace",
    "Watcher",
    "Window",
    "check_display",
    "check_new",
    "create_watcher",
    "watch",
]
