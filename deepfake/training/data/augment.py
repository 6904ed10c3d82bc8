"""Augmentations: what happens to a picture on its way from the camera.

They work on uint8 tensors and use PyTorch's generator alone, so that a seed set before a call
determines its result in any worker.
"""

from __future__ import annotations

import warnings
from typing import Any, Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.transforms import v2

from deepfake.config import AugmentConfig
from deepfake.media import h264_round_trip

__all__ = ["RandomDownscale", "cover_feature", "create_augmentation"]

_ASPECT = (0.9, 1.1)
"""Faces are not stretched further than lenses do."""


_FEATURES = ((0, 1), (2,), (3, 4))
"""Eyes, nose, mouth, by the numbers of their landmarks."""


def cover_feature(
    pixels: NDArray[np.uint8], landmarks: NDArray[np.float64], *, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Cover eyes, nose or mouth, so that the network does not rely on one of them.

    Args:
        pixels: A crop, shape (S, S, 3), uint8; is not changed.
        landmarks: Eyes, nose, mouth corners in its pixels, shape (5, 2).
        rng: All that is random.

    Returns:
        The crop with one of the three filled with the mean colour of what was there.
    """
    points = landmarks[list(_FEATURES[rng.integers(len(_FEATURES))])]
    unit = float(np.linalg.norm(landmarks[:2].mean(axis=0) - landmarks[3:].mean(axis=0)))
    reach = rng.uniform(0.25, 0.45, size=2) * unit
    side = pixels.shape[0]
    left, top = np.clip(points.min(axis=0) - reach, 0, side).astype(int).tolist()
    right, bottom = np.clip(points.max(axis=0) + reach, 0, side).astype(int).tolist()
    if right - left < 2 or bottom - top < 2:
        return pixels
    covered = pixels.copy()
    patch = covered[top:bottom, left:right]
    patch[...] = np.asarray(cv2.mean(patch)[:3]).round()
    return covered


_ENLARGING = (
    v2.InterpolationMode.BICUBIC,
    v2.InterpolationMode.BILINEAR,
    v2.InterpolationMode.NEAREST,
)
_ENLARGING_P = (0.45, 0.45, 0.1)

_PLACES, _PLACES_P = (0.0, 0.5, 1.0), (0.2, 0.6, 0.2)
"""Where a picture stands in its edge, on each axis, and how often."""


class RandomDownscale(v2.Transform):  # type: ignore[misc]
    """Shrink a picture by a random factor and grow it back, as a thumbnail service does.

    Args:
        scale: Smallest and largest factor, 0 to 1.
        kernels: `smooth` enlarges by bicubic interpolation; `several` also by bilinear and, now and
            then, by repeating pixels.
    """

    def __init__(
        self, *, scale: tuple[float, float], kernels: Literal["smooth", "several"] = "smooth"
    ) -> None:
        super().__init__()
        self.scale, self.kernels = scale, kernels

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draw the factor and the kernel."""
        low, high = self.scale
        params: dict[str, Any] = {"factor": low + (high - low) * float(torch.rand(()))}
        kernel = v2.InterpolationMode.BICUBIC
        if self.kernels == "several":
            kernel = _ENLARGING[int(torch.multinomial(torch.tensor(_ENLARGING_P), 1))]
        return {**params, "kernel": kernel}

    def transform(self, inpt: Tensor, params: dict[str, Any]) -> Tensor:
        """Apply it to one picture, shape (3, H, W)."""
        height, width = inpt.shape[-2:]
        small = [max(1, round(side * params["factor"])) for side in (height, width)]
        shrunk = v2.functional.resize(inpt, small, antialias=True)
        grown: Tensor = v2.functional.resize(
            shrunk, [height, width], interpolation=params["kernel"], antialias=True
        )
        return grown


class _BlackEdge(v2.Transform):  # type: ignore[misc]
    """Put a plain edge around a picture, as a crop has that is larger than its frame.

    Args:
        width: Smallest and largest width on both sides together, over the picture's side.
    """

    def __init__(self, *, width: tuple[float, float]) -> None:
        super().__init__()
        self.width = width

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        low, high = self.width
        places = torch.multinomial(torch.tensor(_PLACES_P), 2, replacement=True).tolist()
        return {
            "width": low + (high - low) * float(torch.rand(())),
            "places": [_PLACES[at] for at in places],
        }

    def transform(self, inpt: Tensor, params: dict[str, Any]) -> Tensor:
        side = inpt.shape[-1]
        inner = round(side / (1 + params["width"]))
        small = v2.functional.resize(inpt, [inner, inner], antialias=True)
        top, left = (round(place * (side - inner)) for place in params["places"])
        whole = torch.zeros_like(inpt)
        whole[..., top : top + inner, left : left + inner] = small
        return whole


class _PixelNoise(v2.Transform):  # type: ignore[misc]
    """Gaussian noise on a uint8 picture; `v2.GaussianNoise` takes floats."""

    def __init__(self, *, sigma: float) -> None:
        super().__init__()
        self.noise = v2.GaussianNoise(sigma=sigma)

    def transform(self, inpt: Tensor, params: dict[str, Any]) -> Tensor:
        noisy = self.noise(v2.functional.to_dtype(inpt, torch.float32, scale=True))
        back: Tensor = v2.functional.to_dtype(noisy, torch.uint8, scale=True)
        return back


class _Jpeg(v2.JPEG):  # type: ignore[misc]
    """`v2.JPEG` without the notice that torchvision 0.29 gives about its own encoder."""

    def transform(self, inpt: Tensor, params: dict[str, Any]) -> Tensor:
        with warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", message="The image decoding and encoding capabilities of TorchVision"
            )
            encoded: Tensor = super().transform(inpt, params)
        return encoded


class _H264(v2.Transform):  # type: ignore[misc]
    """Encode a picture as an x264 frame of random quality, and decode it.

    Args:
        crf: Best and worst.
    """

    def __init__(self, *, crf: tuple[int, int]) -> None:
        super().__init__()
        self.crf = crf

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        low, high = self.crf
        return {"crf": int(torch.randint(low, high + 1, ()))}

    def transform(self, inpt: Tensor, params: dict[str, Any]) -> Tensor:
        pixels = inpt.permute(1, 2, 0).contiguous().numpy()  # (3, H, W) -> (H, W, 3)
        shown = h264_round_trip(pixels, crf=params["crf"])
        return torch.from_numpy(shown).permute(2, 0, 1).contiguous()


def create_augmentation(config: AugmentConfig, *, input_size: int) -> v2.Transform:
    """Return the transform of one training picture.

    Geometry first, then what a camera, a resizer and an encoder do, in that order.

    Args:
        config: Probabilities and ranges.
        input_size: Side of the network's input, pixels.

    Returns:
        Takes a uint8 tensor (3, H, W), gives one of (3, input_size, input_size).
    """
    strength = config.color_strength
    jitter = v2.ColorJitter(
        brightness=strength, contrast=strength, saturation=strength, hue=strength / 10
    )
    # Five sigmas on the widest blur's either side would be wasted; three hold 99.7 % of it.
    kernel = 2 * int(3 * config.blur_sigma[1] + 0.5) + 1
    downscale = RandomDownscale(scale=config.downscale_range, kernels=config.downscale_kernels)
    edge_p = config.black_edge_p
    # One that never happens would draw a random number, and change what older recipes draw.
    edges = [v2.RandomApply([_BlackEdge(width=config.black_edge)], p=edge_p)] if edge_p else []
    return v2.Compose(
        [
            v2.RandomResizedCrop(
                input_size, scale=config.crop_scale, ratio=_ASPECT, antialias=True
            ),
            v2.RandomHorizontalFlip(config.flip_p),
            v2.RandomApply([jitter], p=config.color_p),
            v2.RandomApply([downscale], p=config.downscale_p),
            v2.RandomApply([v2.GaussianBlur(kernel, sigma=config.blur_sigma)], p=config.blur_p),
            v2.RandomApply([_PixelNoise(sigma=config.noise_sigma)], p=config.noise_p),
            v2.RandomApply([_Jpeg(quality=list(config.jpeg_quality))], p=config.jpeg_p),
            v2.RandomApply([_H264(crf=config.h264_crf)], p=config.h264_p),
            *edges,
        ]
    )
