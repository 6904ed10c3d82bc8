"""Where a face is in each frame of a video, out of the frames that were sampled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["FacePath", "face_path", "main_track"]


@dataclass(frozen=True, slots=True)
class FacePath:
    """A face in K frames; between them it moves evenly, before and after it stands still.

    Attributes:
        frames: Numbers of the frames, ascending, shape (K,).
        boxes: Left, top, right, bottom, pixels, shape (K, 4).
        landmarks: Eyes, nose, mouth corners, pixels, shape (K, 5, 2).
    """

    frames: NDArray[np.int64]
    boxes: NDArray[np.float64]
    landmarks: NDArray[np.float64]

    def box_at(self, number: int) -> tuple[float, float, float, float]:
        """Return the box in a frame: left, top, right, bottom, pixels.

        Example:
            >>> path = FacePath(
            ...     np.array([0, 10]),
            ...     np.array([[0.0, 0, 8, 8], [10, 0, 18, 8]]),
            ...     np.zeros((2, 5, 2)),
            ... )
            >>> path.box_at(5)
            (5.0, 0.0, 13.0, 8.0)
        """
        left, top, right, bottom = self._at(number, self.boxes)
        return left, top, right, bottom

    def landmarks_at(self, number: int) -> NDArray[np.float64]:
        """Return the landmarks in a frame, pixels, shape (5, 2)."""
        points = self._at(number, self.landmarks.reshape(len(self.frames), 10))
        return np.array(points).reshape(5, 2)

    def _at(self, number: int, values: NDArray[np.float64]) -> list[float]:
        return [float(np.interp(number, self.frames, column)) for column in values.T]


def main_track(crops: pd.DataFrame) -> pd.DataFrame:
    """Return the crops of one face of each file: the one in most frames, of these the largest.

    Args:
        crops: Of a snapshot's index.
    """
    tracks = crops.groupby(["uri", "track_id"], dropna=False, sort=True)["face_px"]
    sizes = tracks.agg(["size", "max"]).reset_index()
    best = sizes.sort_values(["uri", "size", "max"]).drop_duplicates("uri", keep="last")
    return crops.merge(best[["uri", "track_id"]], on=["uri", "track_id"])


def face_path(track: pd.DataFrame) -> FacePath:
    """Return where a face is.

    Args:
        track: Its crops, of a snapshot's index.
    """
    # A still has no number of a frame.
    numbered = track.assign(frame_index=track["frame_index"].fillna(0)).sort_values("frame_index")
    return FacePath(
        frames=numbered["frame_index"].to_numpy(np.int64),
        boxes=np.stack(list(numbered["bbox_xyxy"])).astype(np.float64).reshape(-1, 4),
        landmarks=np.stack([np.asarray(points).reshape(5, 2) for points in numbered["landmarks"]])
        .astype(np.float64)
        .reshape(-1, 5, 2),
    )
