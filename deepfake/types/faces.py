"""Faces in frames, and what is kept of them."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Face", "FaceCrop", "FaceTrack"]


@dataclass(frozen=True, slots=True)
class Face:
    """One face in one frame, in the frame's own pixels.

    Attributes:
        bbox_xyxy: Left, top, right, bottom; may exceed the frame.
        landmarks: Five (x, y): eyes (the left one in the picture first), nose, mouth corners.
        confidence: Of the face detector, 0 to 1.
    """

    bbox_xyxy: tuple[float, float, float, float]
    landmarks: tuple[tuple[float, float], ...]
    confidence: float

    def __post_init__(self) -> None:
        left, top, right, bottom = self.bbox_xyxy
        if not (right > left and bottom > top):
            raise ValueError(f"a box needs a positive area, got {self.bbox_xyxy}")
        if len(self.landmarks) != 5:
            raise ValueError(f"a face has five landmarks, got {len(self.landmarks)}")
        if not 0.0 <= self.confidence <= 1.0:
            raise ValueError(f"confidence must lie in 0..1, got {self.confidence}")

    @property
    def size_px(self) -> float:
        """The longer side of the box, pixels."""
        left, top, right, bottom = self.bbox_xyxy
        return max(right - left, bottom - top)

    @property
    def center_xy(self) -> tuple[float, float]:
        """Centre of the box."""
        left, top, right, bottom = self.bbox_xyxy
        return (left + right) / 2, (top + bottom) / 2


@dataclass(frozen=True, slots=True)
class FaceTrack:
    """One person followed through the sampled frames of one shot.

    Attributes:
        track_id: From 0, in the order of first appearance.
        faces: The faces, ascending in time.
        frame_indices: The frame of each face.
        pts_seconds: The time of each face.
    """

    track_id: int
    faces: tuple[Face, ...]
    frame_indices: tuple[int, ...]
    pts_seconds: tuple[float, ...]

    def __post_init__(self) -> None:
        if not len(self.faces) == len(self.frame_indices) == len(self.pts_seconds):
            raise ValueError("faces, frame_indices and pts_seconds must be of one length")


@dataclass(frozen=True, slots=True)
class FaceCrop:
    """The square around a face, encoded as it is stored.

    Attributes:
        encoded: JPEG or PNG bytes.
        face: The face in its frame.
        track_id: The track it belongs to.
        pts_seconds: Time of its frame.
        frame_index: Rank of its frame.
        sharpness: Variance of the Laplacian of the face's luminance at a fixed size.
        brightness: Mean luminance of the face, 0 to 255.
    """

    encoded: bytes
    face: Face
    track_id: int
    pts_seconds: float
    frame_index: int
    sharpness: float
    brightness: float
