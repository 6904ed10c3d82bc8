"""Frames as evidence: whole frames with a box around each face."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deepfake.evidence.pictures import draw_boxes
from deepfake.evidence.records import FaceBox, FrameEvidence
from deepfake.evidence.request import EvidenceRequest
from deepfake.media import encode_shown
from deepfake.types import Frame

__all__ = ["bbox_of", "draw_frame"]

_WIDTH_PX = 480


def draw_frame(
    frame: Frame, request: EvidenceRequest, *, picture: str
) -> tuple[FrameEvidence, bytes]:
    """Return a frame as evidence, and its JPEG with boxes around the faces.

    Args:
        frame: The decoded frame.
        request: The score, whose faces are drawn.
        picture: Name of the JPEG.
    """
    rows = [row for row in request.frames if int(row["frame_index"]) == frame.frame_index]
    drawn = draw_boxes(
        frame.pixels,
        [bbox_of(row) for row in rows],
        labels=[f"face {row['track_id']}: {float(row['prob_fake']):.0%}" for row in rows],
        width=_WIDTH_PX,
    )
    evidence = FrameEvidence(
        picture=picture,
        frame_index=frame.frame_index,
        pts_seconds=frame.pts_seconds,
        faces=tuple(_face_box(row, frame) for row in rows),
    )
    return evidence, encode_shown(drawn)


def bbox_of(row: Mapping[str, Any]) -> tuple[float, float, float, float]:
    """Return the box of a row of `frames.parquet`, in pixels."""
    left, top, right, bottom = (float(value) for value in row["bbox_xyxy"])
    return left, top, right, bottom


def _face_box(row: Mapping[str, Any], frame: Frame) -> FaceBox:
    left, top, right, bottom = bbox_of(row)
    return FaceBox(
        track_id=int(row["track_id"]),
        box_xyxy=(
            left / frame.width,
            top / frame.height,
            right / frame.width,
            bottom / frame.height,
        ),
        prob_fake=float(row["prob_fake"]),
    )
