"""Settings of self-blending: how a fake is made out of one real face."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from deepfake.config.base import Settings

__all__ = ["DenseBlendConfig", "SelfBlendConfig"]


class DenseBlendConfig(Settings):
    """How a part of a face, drawn after 468 landmarks, is blended over its other copy.

    Levels are of 0 to 255. Beside hulls of five landmarks at equal cost (EfficientNet-Lite0,
    192 px, 20 CPU minutes) the AUC was 0.65 instead of 0.63 on 1,335 face crops of DFDC, and 0.61
    instead of 0.48 on 100 swaps among 500 reals.
    """

    added_later = frozenset({"other_face_p"})

    other_face_p: float = Field(default=0.0, ge=0, le=1)
    """Probability that the part comes from another real face with similar landmarks; the target is
    then left as it is.

    Source: Li et al., Face X-ray for More General Face Forgery Detection, CVPR 2020, section 3."""
    source_p: float = Field(default=0.5, ge=0, le=1)
    """Probability that the source is changed; else the target is."""
    shift_p: float = Field(default=0.6, ge=0, le=1)
    shift_levels: float = Field(default=18.0, ge=0, le=255)
    """Colour shift of each channel, at most."""
    tone_p: float = Field(default=0.6, ge=0, le=1)
    contrast: float = Field(default=0.12, ge=0, lt=1)
    """Factor 1 - x to 1 + x."""
    brightness: float = Field(default=20.0, ge=0, le=255)
    """Shift of all channels, levels, at most."""
    saturation_p: float = Field(default=0.3, ge=0, le=1)
    saturation: float = Field(default=0.25, ge=0, lt=1)
    """Factor 1 - x to 1 + x."""
    resolution_p: float = Field(default=0.45, ge=0, le=1)
    """Probability that resolution is reduced."""
    resolution_px: tuple[int, int] = (48, 192)
    """What is left of a square of 256 pixels."""
    other_p: float = Field(default=0.75, ge=0, le=1)
    """Probability that the copy is blurred, sharpened or encoded as JPEG where it keeps its
    resolution; always where its colours were not changed either."""
    jpeg_quality: tuple[int, int] = (30, 90)
    noise_p: float = Field(default=0.15, ge=0, le=1)
    noise_sigma: tuple[float, float] = (1.0, 6.0)
    """Levels."""
    poisson_p: float = Field(default=0.12, ge=0, le=1)
    """Probability that the source is blended by Poisson's equation, not by weights."""
    shift_xy: tuple[float, float] = (0.04, 0.02)
    """Largest shift of the source across and down, over the face's size."""
    scale: tuple[float, float] = (0.95, 1.05)
    """Range of the factor by which the source is scaled about the face's middle."""
    soft_sigma: tuple[float, float] = (0.01, 0.09)
    """Softness of the border, over the face's size."""
    hard_p: float = Field(default=0.15, ge=0, le=1)
    """Probability that the border is about a pixel wide."""
    ratios: tuple[float, ...] = Field(default=(0.25, 0.5, 0.75, 1.0, 1.0, 1.0), min_length=1)
    """Blend ratios, equally frequent."""


class SelfBlendConfig(Settings):
    """How a fake is made out of one real face.

    The defaults are the published settings, but for what is said below. Kernels, elastic strength
    and smoothness are pixels of a square of 256 and grow with the square.

    Source: Shiohara and Yamasaki, Detecting Deepfakes with Self-Blended Images, CVPR 2022,
    section 3 and the implementation details of section 4.
    """

    added_later = frozenset({"masks", "dense"})

    masks: Literal["hull", "dense"] = "hull"
    """What is pasted: `hull`, outlines after five landmarks, as the settings below say; `dense`,
    parts of a face after 468, as `dense` says. A face whose 468 are not found gets a hull."""
    dense: DenseBlendConfig = DenseBlendConfig()
    source_p: float = Field(default=0.5, ge=0, le=1)
    """Probability that the source is changed; else the target is."""
    shift_levels: float = Field(default=20.0, ge=0, le=255)
    """Colour shift of each channel, at most, of 255 levels."""
    shift_p: float = Field(default=0.3, ge=0, le=1)
    saturation: float = Field(default=0.0, ge=0, lt=1)
    """Factor 1 - x to 1 + x. The published 0.3, as of value, is of 255 levels there: nothing."""
    value: float = Field(default=0.0, ge=0, lt=1)
    """Factor 1 - x to 1 + x."""
    brightness: float = Field(default=0.1, ge=0, lt=1)
    """Shift, at most, of a pixel scale of 0 to 1."""
    contrast: float = Field(default=0.1, ge=0, lt=1)
    """Factor 1 - x to 1 + x."""
    downscale_p: float = Field(default=0.5, ge=0, le=1)
    """Probability that resolution is reduced; else the picture is sharpened."""
    downscale_factors: tuple[int, ...] = Field(default=(2, 4), min_length=1)
    sharpen: tuple[float, float] = (0.2, 0.5)
    """Weight of the sharpened picture over the picture."""
    shift_xy: tuple[float, float] = (0.03, 0.015)
    """Largest shift across and down, over the square's side."""
    min_scale: float = Field(default=0.95, gt=0, le=1)
    """Smallest factor of scaling; the largest is its inverse."""
    elastic_strength: float = Field(default=50.0, ge=0)
    """Factor of the mask's displacement, a uniform field of -1 to 1 before it is smoothed."""
    elastic_smoothness: float = Field(default=7.0, gt=0)
    """Sigma of that smoothing."""
    blur_kernel: tuple[int, int] = (5, 25)
    """Smallest and largest kernel of both blurs of the mask; odd."""
    blur_sigma: tuple[float, float] = (5.0, 45.0)
    """Sigma of the second blur; that of the first follows from its kernel."""
    ratios: tuple[float, ...] = Field(default=(0.25, 0.5, 0.75, 1.0, 1.0, 1.0), min_length=1)
    """Blend ratios, equally frequent."""
    jitter: float = Field(default=0.1, ge=0, lt=0.5)
    """How far a vertex of the hull goes in or out, over its distance from the face's middle. Ours:
    the published hulls are of 81 landmarks, ours of five."""

    @model_validator(mode="after")
    def _goes_together(self) -> SelfBlendConfig:
        if self.masks == "hull" and self.dense != DenseBlendConfig():
            raise ValueError("the settings `dense` are for the masks `dense`, these are `hull`")
        return self
