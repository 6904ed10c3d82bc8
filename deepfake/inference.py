"""From face crops to logits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from deepfake.bundles import Bundle, DetectorSpec, load_bundle
from deepfake.errors import BundleError, ConfigError, UnknownModelError
from deepfake.models import create_model

__all__ = [
    "Detector",
    "load_detector",
    "predict_logits",
    "resize_square",
    "resolve_device",
    "to_input",
]

_MAX_BATCH = 32
"""Crops a forward pass: past this a CPU gains nothing and memory grows."""


def resolve_device(name: str = "auto") -> torch.device:
    """Return the device to compute on.

    Args:
        name: `auto` (CUDA where there is one), `cpu` or `cuda`, also `cuda:1`.

    Raises:
        ConfigError: CUDA was asked for by name and there is none, or the name is unknown.
    """
    has_cuda = torch.cuda.is_available()
    if name == "auto":
        return torch.device("cuda" if has_cuda else "cpu")
    if name != "cpu" and name.split(":")[0] != "cuda":
        raise ConfigError(f"no device {name!r}: allowed are auto, cpu and cuda")
    if name != "cpu" and not has_cuda:
        raise ConfigError(
            "CUDA was asked for and this PyTorch finds none",
            hint="Use `--device auto`, or install a CUDA build of torch and its driver.",
        )
    try:
        return torch.device(name)
    except RuntimeError as error:
        raise ConfigError(f"no device {name!r}") from error


def to_input(
    crops: Sequence[NDArray[np.uint8]],
    *,
    input_size: int,
    mean: tuple[float, float, float],
    std: tuple[float, float, float],
) -> Tensor:
    """Return crops as the network takes them.

    Shrinking averages areas, growing is bicubic.

    Args:
        crops: RGB squares, each (S, S, 3) uint8; sizes may differ.
        input_size: Side of the network's input, pixels.
        mean: Per channel, of a pixel scale of 0 to 1.
        std: Per channel, of a pixel scale of 0 to 1.

    Returns:
        Shape (N, 3, input_size, input_size), float32, channels last in memory.
    """
    batch = np.empty((len(crops), input_size, input_size, 3), dtype=np.float32)
    for slot, crop in zip(batch, crops, strict=True):
        slot[...] = resize_square(crop, size=input_size)
    scale = np.asarray(std, dtype=np.float32) * 255.0
    batch -= np.asarray(mean, dtype=np.float32) * 255.0
    batch /= scale
    return torch.from_numpy(batch).permute(0, 3, 1, 2)  # (N, H, W, 3) -> (N, 3, H, W)


def resize_square(crop: NDArray[np.uint8], *, size: int) -> NDArray[np.uint8]:
    """Resize a square RGB picture, averaging areas when it shrinks and bicubic when it grows."""
    if crop.shape[0] == size and crop.shape[1] == size:
        return crop
    interpolation = cv2.INTER_AREA if crop.shape[0] > size else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(crop, (size, size), interpolation=interpolation), dtype=np.uint8)


def predict_logits(module: nn.Module, batch: Tensor, *, device: torch.device) -> Tensor:
    """Return the logits of one batch of inputs, shape (N,), float32 on the CPU."""
    # TF32 would move the logits by 1e-3, and an algorithm chosen by timing would move them by run.
    with (
        torch.inference_mode(),
        torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False),
    ):
        moved = batch.to(device, memory_format=torch.channels_last)
        logits: Tensor = module(moved)
        return logits.float().reshape(-1).cpu()


@dataclass(frozen=True, slots=True)
class Detector:
    """A bundle's network, ready to score crops.

    Attributes:
        bundle: Where it came from.
        module: The network, in evaluation mode on `device`.
        device: Where it computes.
    """

    bundle: Bundle
    module: nn.Module
    device: torch.device

    @property
    def spec(self) -> DetectorSpec:
        """The bundle's description."""
        return self.bundle.spec

    def logits(self, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Return a logit a crop, positive for fake; each depends on its own crop alone.

        Args:
            crops: RGB squares from the crop function, each (S, S, 3) uint8.

        Returns:
            Shape (N,), float32.
        """
        parts = [
            predict_logits(self.module, self._input(crops[i : i + _MAX_BATCH]), device=self.device)
            for i in range(0, len(crops), _MAX_BATCH)
        ]
        if not parts:
            return np.empty(0, dtype=np.float32)
        return np.asarray(torch.cat(parts).numpy(), dtype=np.float32)

    def _input(self, crops: Sequence[NDArray[np.uint8]]) -> Tensor:
        spec = self.spec
        return to_input(crops, input_size=spec.input_size, mean=spec.mean, std=spec.std)


def load_detector(
    folder: Path, *, device: str = "auto", num_threads: int | None = None
) -> Detector:
    """Load a bundle and put its network on a device.

    Args:
        folder: The bundle.
        device: `auto`, `cpu` or `cuda`.
        num_threads: Threads of this process's PyTorch; None leaves them as they are.

    Raises:
        BundleError: The bundle is incomplete, altered, or its weights do not fit its architecture.
        ConfigError: The device is not there.
    """
    chosen = resolve_device(device)
    bundle = load_bundle(folder)
    if num_threads is not None:
        torch.set_num_threads(num_threads)
    spec = bundle.spec
    try:
        created = create_model(spec.architecture, pretrained="none", input_size=spec.input_size)
        created.module.load_state_dict(bundle.state_dict())
    except (UnknownModelError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise BundleError(
            f"the weights do not fit {spec.architecture} ({reason})", path=folder
        ) from error
    module = created.module.to(device=chosen, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Detector(bundle=bundle, module=module.eval(), device=chosen)
