"""Draw boxes, verdicts and rates onto a frame."""

from __future__ import annotations

import cv2

from deepfake.types import Pixels, Verdict
from deepfake.verdicts.words import VERDICT_WORDS
from deepfake.views.webcam.session import FrameResult
from deepfake.views.webcam.watcher import WatchedFace

__all__ = ["draw_problem", "draw_result"]

_COLOURS = {
    Verdict.REAL: (110, 170, 200),
    Verdict.FAKE: (230, 50, 40),
    Verdict.UNCERTAIN: (235, 180, 40),
}
"""RGB."""

_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_LINES_PER_FRAME = 30
"""The height of a line of text is a thirtieth of the frame's."""

_FONT_PX = 22
"""Height of a capital in OpenCV's font at scale 1."""


def draw_result(result: FrameResult) -> Pixels:
    """Return a frame with a box and a verdict for each face, and with rate and latency.

    Args:
        result: The result; its frame is not changed.
    """
    pixels = result.frame.pixels.copy()
    for face in result.faces:
        _draw_face(pixels, face)
    rates = (
        f"{result.frames_per_second:.1f} frames/s   {result.latency_ms:.0f} ms   "
        f"dropped {result.num_dropped}"
    )
    _write(pixels, rates, at=(0, 0), colour=_BLACK)
    return pixels


def draw_problem(pixels: Pixels, problem: str) -> Pixels:
    """Return a picture with a line of text that says why there are no new frames."""
    pixels = pixels.copy()
    _write(pixels, problem, at=(0, pixels.shape[0] // 2), colour=_COLOURS[Verdict.FAKE])
    return pixels


def _draw_face(pixels: Pixels, face: WatchedFace) -> None:
    height, width = pixels.shape[:2]
    left, top, right, bottom = (round(value) for value in face.bbox_xyxy)
    colour = _COLOURS[face.verdict]
    cv2.rectangle(pixels, (left, top), (right, bottom), colour, max(2, height // 240))
    prob = "" if face.prob_fake is None else f"  {face.prob_fake:.0%} fake"
    lines = [
        f"{face.track_id}: {VERDICT_WORDS[face.verdict]}{prob}",
        *([face.reason] if face.reason else []),
    ]
    line_px = height // _LINES_PER_FRAME
    # Below the face, or above it where there is no room below.
    y = bottom if bottom + line_px * len(lines) <= height else max(0, top - line_px * len(lines))
    for line in lines:
        _write(pixels, line, at=(max(0, min(left, width - 1)), y), colour=colour)
        y += line_px


def _write(pixels: Pixels, text: str, *, at: tuple[int, int], colour: tuple[int, int, int]) -> None:
    """Write a line of text on a bar, shifted to stay inside the picture."""
    line_px = max(12, pixels.shape[0] // _LINES_PER_FRAME)
    scale = 0.6 * line_px / _FONT_PX
    (text_px, _), _ = cv2.getTextSize(text, _FONT, scale, 1)
    left = max(0, min(at[0], pixels.shape[1] - text_px - 8))
    top = max(0, min(at[1], pixels.shape[0] - line_px))
    cv2.rectangle(pixels, (left, top), (left + text_px + 8, top + line_px), colour, -1)
    is_light = sum(colour) > 380
    cv2.putText(
        pixels,
        text,
        (left + 4, top + round(0.75 * line_px)),
        _FONT,
        scale,
        _BLACK if is_light else _WHITE,
        1,
        cv2.LINE_AA,
    )
