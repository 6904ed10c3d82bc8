"""Outputs of a session: JSON lines, a recording, and changes of verdicts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from deepfake.errors import ConfigError, UnreadableMediaError
from deepfake.media import VideoRecorder
from deepfake.views.webcam.overlay import draw_result
from deepfake.views.webcam.session import FrameResult
from deepfake.views.webcam.watcher import WatchedFace

__all__ = ["JsonLines", "Recording", "VerdictChanges", "check_output_path"]


class JsonLines:
    """Writes a line of JSON for each analysed frame; a reader never sees a partial line.

    Args:
        path: The file; an existing one is replaced.

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

    def add(self, result: FrameResult) -> None:
        """Write a line."""
        line = {
            "pts_seconds": round(result.frame.pts_seconds, 4),
            "frame_index": result.frame.frame_index,
            "latency_ms": round(result.latency_ms, 1),
            "num_dropped": result.num_dropped,
            "tracks": [_as_record(face) for face in result.faces],
        }
        self._file.write(json.dumps(line, separators=(",", ":")) + "\n")

    def idle(self, problem: str | None) -> None:
        """Write nothing."""

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
    """Records the analysed frames, with boxes and verdicts drawn on them, as a video.

    Args:
        path: The video file.

    Raises:
        ConfigError: Its suffix is not supported, or its folder does not exist.
    """

    def __init__(self, path: Path) -> None:
        self._recorder = VideoRecorder(path)

    def add(self, result: FrameResult) -> None:
        """Write a frame."""
        self._recorder.write(draw_result(result), pts_seconds=result.frame.pts_seconds)

    def idle(self, problem: str | None) -> None:
        """Write nothing."""

    def close(self) -> None:
        """Finish the video."""
        self._recorder.close()


class VerdictChanges:
    """Calls a function whenever the verdict on a face changes, and for its first verdict.

    Args:
        on_change: Called with the frame's time in seconds and the face.
    """

    def __init__(self, on_change: Callable[[float, WatchedFace], None]) -> None:
        self._on_change = on_change

    def add(self, result: FrameResult) -> None:
        """Report the faces whose verdict has changed."""
        for face in result.faces:
            if face.live_verdict is not None and face.live_verdict.is_changed:
                self._on_change(result.frame.pts_seconds, face)

    def idle(self, problem: str | None) -> None:
        """Report nothing."""


def check_output_path(path: Path, *, source: str, overwrite: bool) -> None:
    """Check that writing a file destroys nothing.

    Args:
        path: The file to be written.
        source: The file that is watched, or the address of another source.
        overwrite: Whether an existing file may be replaced; the watched file never may.

    Raises:
        ConfigError: It would replace the watched file, a folder, or a file without `overwrite`.
    """
    if not path.exists():
        return
    if Path(source).exists() and path.samefile(source):
        raise ConfigError("this is the file that is watched", path=path)
    if path.is_dir() or not overwrite:
        raise ConfigError("already exists", path=path, hint="Add --overwrite.")
