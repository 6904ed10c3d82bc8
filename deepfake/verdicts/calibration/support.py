"""The bounds of the files that a calibration was fitted on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from deepfake.verdicts.calibration.samples import MIN_PER_CLASS
from deepfake.verdicts.calibration.uncertain_reason import UncertainReason

__all__ = ["Support", "fit_support"]


_COLOUR_OF_GREY = 0.5
"""Spread of colour of a grey picture, at most: at most 0.3 after JPEG, of faces of
`openforensics/val` in colour 1 % have less than 0.74. Of 300 fakes of `openforensics/test` the
packaged detector 84525032302df184 calls 1 real, of the same in grey 12 (one-sided sign test over
the pairs: p = 0.0005); of 300 reals it calls 15 fake, in grey 8. So a grey face is never called
real, and may be called fake. With a fifth of the colour left, 3 of the fakes are called real."""


class Support(BaseModel):
    """Bounds of the calibration: for a file outside of them, stated error rates do not hold.

    None sets no bound. All are of the track that decides.

    Attributes:
        min_face_px: Median of the face's longer side, frame pixels.
        min_sharpness: Median variance of the Laplacian, as crops have it.
        max_novelty: Mean distance from the training data in feature space.
        min_frames: Frames with a face.
        min_colour: Spread of colour under which a file is not called real; it may be called fake.
        num_samples: Files that the bounds are from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_face_px: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    min_sharpness: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    max_novelty: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    min_frames: int = Field(default=1, ge=1)
    min_colour: float | None = Field(default=_COLOUR_OF_GREY, ge=0, allow_inf_nan=False)
    num_samples: int = Field(default=0, ge=0)

    def reason_against(
        self,
        *,
        num_frames: int,
        face_px: float | None = None,
        sharpness: float | None = None,
        novelty: float | None = None,
    ) -> UncertainReason | None:
        """Return why a file is outside, None if it is not; an unknown value counts as inside.

        Example:
            >>> Support(min_face_px=60).reason_against(num_frames=1, face_px=40).message
            'the face is too small: 40 pixels, calibrated from 60'
        """
        if num_frames < self.min_frames:
            return UncertainReason.measured(
                "too few frames show the face", f"{num_frames}, needed {self.min_frames}"
            )
        if self.min_face_px is not None and face_px is not None and face_px < self.min_face_px:
            return UncertainReason.measured(
                "the face is too small",
                f"{face_px:.0f} pixels, calibrated from {self.min_face_px:.0f}",
            )
        if (
            self.min_sharpness is not None
            and sharpness is not None
            and sharpness < self.min_sharpness
        ):
            return UncertainReason.measured(
                "the face is too blurred",
                f"sharpness {sharpness:.0f}, calibrated from {self.min_sharpness:.0f}",
            )
        if self.max_novelty is not None and novelty is not None and novelty > self.max_novelty:
            return UncertainReason.measured(
                "the face is unlike those learnt from",
                f"distance {novelty:.2f}, calibrated up to {self.max_novelty:.2f}",
            )
        return None

    def reason_against_real(self, *, colour: float | None) -> UncertainReason | None:
        """Return why a file is not called real, None if it may be; it may still be called fake.

        Example:
            >>> Support().reason_against_real(colour=0.1).cause
            'the face has no colour, so it is not called real'
        """
        if self.min_colour is None or colour is None or colour >= self.min_colour:
            return None
        cause = "the face has no colour, so it is not called real"
        return UncertainReason(cause, cause)


def fit_support(
    *,
    face_px: NDArray[np.float64],
    sharpness: NDArray[np.float64],
    novelty: NDArray[np.float64] | None,
    min_frames: int = 1,
    share: float = 0.01,
) -> Support:
    """Return the bounds of the files of a calibration.

    Args:
        face_px: Of each file, shape (N,), as are the others.
        sharpness: Of each file.
        novelty: Of each file; None where the detector does not return it.
        min_frames: Frames with a face that a file has to have.
        share: Of the files that are left outside on each side.

    Returns:
        Only `min_frames` is set where there are fewer than two times `MIN_PER_CLASS` files.
    """
    num = len(face_px)
    if num < 2 * MIN_PER_CLASS:
        return Support(min_frames=min_frames, num_samples=num)
    return Support(
        min_face_px=float(np.quantile(face_px, share)),
        min_sharpness=float(np.quantile(sharpness, share)),
        max_novelty=None if novelty is None else float(np.quantile(novelty, 1 - share)),
        min_frames=min_frames,
        num_samples=num,
    )
