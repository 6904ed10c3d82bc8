"""What is seen, as lines and as a recording."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from deepfake.errors import ConfigError, UnreadableMediaError
from deepfake.media import VideoRecorder
from deepfake.views.webcam.overlay import draw_look
from deepfake.views.webcam.session import Look
from deepfake.views.webcam.watcher import WatchedFace

__all__ = ["Changes", "JsonLines", "Recording", "check_new"]


class JsonLines:
    """A JSON object a line for each frame that was looked at; each line is whole at any time.

    Args:
        path: The file; one that is there is written anew.

    Raises:
        UnreadableMediaError: It cannot be written.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._file = path.open("w", encoding="utf-8", buffering=1)
        except OSError as error:
            raise UnreadableMediaError(
                f"the file cannot be written ({error.strerror})", path=path
            ) from error

    def add(self, look: Look) -> None:
        """Write a line."""
        line = {
            "pts_seconds": round(look.frame.pts_seconds, 4),
            "frame_index": look.frame.frame_index,
            "latency_ms": round(look.latency_ms, 1),
            "num_dropped": look.num_dropped,
            "tracks": [_as_record(face) for face in look.faces],
        }
        self._file.write(json.dumps(line, separators=(",", ":")) + "\n")

    def idle(self, problem: str | None) -> None:
        """There is nothing to write."""

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _as_record(face: WatchedFace) -> dict[str, object]:
    prob = face.prob_fake
    return {
        "track_id": face.track_id,
        "bbox_xyxy": [round(value, 1) for value in face.bbox_xyxy],
        "prob_fake": None if prob is None else round(prob, 4),
        "verdict": str(face.verdict),
        "reason": face.reason,
    }


class Recording:
    """The frames that were looked at, with what is drawn on them, as a video.

    Args:
        path: Where to.

    Raises:
        ConfigError: The name has an ending that is not written, or its folder is not there.
    """

    def __init__(self, path: Path) -> None:
        self._recorder = VideoRecorder(path)

    def add(self, look: Look) -> None:
        """Write a frame."""
        self._recorder.write(draw_look(look), pts_seconds=look.frame.pts_seconds)

    def idle(self, problem: str | None) -> None:
        """There is nothing to write."""

    def close(self) -> None:
        """Finish the video."""
        self._recorder.close()


class Changes:
    """Calls somebody whenever a verdict changes, and for the first that has held.

    Args:
        tell: Gets the frame's time in seconds and the face.
    """

    def __init__(self, tell: Callable[[float, WatchedFace], None]) -> None:
        self._tell = tell

    def add(self, look: Look) -> None:
        """Tell of those whose verdict is new."""
        for face in look.faces:
            if face.judgement is not None and face.judgement.is_changed:
                self._tell(look.frame.pts_seconds, face)

    def idle(self, problem: str | None) -> None:
        """Nothing changes."""


def check_new(path: Path, *, source: str, overwrite: bool) -> None:
    """Refuse to write over what is there.

    Args:
        path: Where something is going to be written.
        source: The file that is watched, or another source's name.
        overwrite: Whether what is there may go; the watched file never may.

    Raises:
        ConfigError: It would.
    """
    if not path.exists():
        return
    if Path(source).exists() and path.samefile(source):
        raise ConfigError("this is the file that is watched", path=path)
    if path.is_dir() or not overwrite:
        raise ConfigError("there is something already", path=path, hint="Add --overwrite.")
