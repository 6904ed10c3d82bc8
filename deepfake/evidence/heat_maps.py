"""Heat maps: which parts of a face moved the score. Imports PyTorch, so import it late."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from deepfake.detectors.bundles import Bundle
from deepfake.detectors.inference import stack_squares
from deepfake.detectors.inference.torch_networks import load_module
from deepfake.detectors.models import JointNetwork
from deepfake.errors import ModelError
from deepfake.verdicts.calibration import Calibration

__all__ = ["GRID", "HeatMap", "HeatMapper", "mask_hottest", "mask_random", "measure_moves"]

GRID = 12
"""Cells on each side of a heat map; a cell is masked as a whole."""

_REDUCTION = 16
"""Pixels of the input for each position in the layer that the map is taken of."""
_MASKED_SHARE = 0.1
_BLUR_SIGMA = 0.1
"""Of the blur that masks a cell, relative to the picture's side."""


@dataclass(frozen=True, slots=True)
class HeatMap:
    """Which parts of one face moved its score.

    Attributes:
        values: (G, G) float32, 0 to 1; how strongly each cell moves the score to its own side.
        log_odds: The calibrated log-odds of the face.
    """

    values: NDArray[np.float32]
    log_odds: float


class HeatMapper:
    """Computes heat maps of a detector's crops, on the CPU.

    A map is the activations of a layer times the gradient of the combined, calibrated logit at
    each position, whatever heads the logit is combined from.

    Source: Selvaraju et al., Grad-CAM, ICCV 2017; Jiang et al., LayerCAM, IEEE TIP 2021, for the
    product at each position instead of gradients averaged over all positions.

    Args:
        bundle: The detector.

    Raises:
        BundleError: Its weights do not fit its architecture.
        ModelError: The network has no layer with spatial positions.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._spec = bundle.spec
        self._module = load_module(bundle)
        for parameter in self._module.parameters():
            parameter.requires_grad_(False)
        self._layers = _layers_of(self._module.network)
        self._mean = torch.tensor(bundle.spec.mean) * 255.0
        self._std = torch.tensor(bundle.spec.std) * 255.0

    def squares(self, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
        """Return crops resized to the network's input size, (N, S, S, 3)."""
        return stack_squares(crops, size=self._spec.input_size)

    def log_odds(
        self, pictures: NDArray[np.uint8], *, calibration: Calibration
    ) -> NDArray[np.float64]:
        """Return the calibrated log-odds of pictures (N, S, S, 3), shape (N,)."""
        with torch.inference_mode():
            logits = self._module(self._input(pictures))[:, 0]
        odds: NDArray[np.float64] = calibration.log_odds(logits.numpy().astype(np.float64))
        return odds

    def maps(self, pictures: NDArray[np.uint8], *, calibration: Calibration) -> list[HeatMap]:
        """Return the heat map of each picture; each depends on its own picture alone.

        Args:
            pictures: Shape (N, S, S, 3), RGB.
            calibration: For files of this kind.

        Raises:
            ModelError: The output of the layer has no spatial positions.
        """
        outputs: list[Tensor] = []

        def keep_output(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
            # Gradients start here: no layer before this one needs any.
            outputs.append(output.detach().requires_grad_(True))
            return outputs[-1]

        handles = [layer.register_forward_hook(keep_output) for layer in self._layers]
        try:
            with torch.enable_grad():
                logits = self._module(self._input(pictures))[:, 0]
                odds = logits / calibration.temperature + calibration.bias
                # Pictures do not affect each other: the gradient of the sum is that of each alone.
                odds.sum().backward()
        finally:
            for handle in handles:
                handle.remove()
        moved = _moved(outputs, count=len(self._layers))
        found = odds.detach().numpy()
        # Positive towards the side that the score is on: the rest did not move it there.
        signed = moved.numpy() * np.where(found < 0, -1.0, 1.0)[:, None, None]
        return [
            HeatMap(_scaled(values), float(value))
            for values, value in zip(signed, found, strict=True)
        ]

    def _input(self, pictures: NDArray[np.uint8]) -> Tensor:
        normalised = (torch.from_numpy(pictures).float() - self._mean) / self._std
        return normalised.permute(0, 3, 1, 2)  # (N, H, W, 3) -> (N, 3, H, W)


def _moved(outputs: Sequence[Tensor], *, count: int) -> Tensor:
    """Return how far each position moved the score, over all layers, shape (N, h, w).

    Args:
        outputs: Of the layers, (N, C, h, w) each, after the gradients were computed.
        count: Layers.
    """
    with_gradient = [(o, o.grad) for o in outputs if o.ndim == 4]
    # (N, C, h, w) -> (N, 1, h, w)
    maps = [(o * g).sum(dim=1, keepdim=True).detach() for o, g in with_gradient if g is not None]
    if not len(maps) == len(outputs) == count:
        raise ModelError("the layer has no spatial positions, so there is no heat map")
    # A network that is shown the picture in fewer pixels has fewer positions.
    size = max(own.shape[-2:] for own in maps)
    alike = [
        own
        if own.shape[-2:] == size
        else nn.functional.interpolate(own, size=size, mode="bilinear", align_corners=False)
        for own in maps
    ]
    return torch.cat(alike, dim=1).sum(dim=1)


def _layers_of(network: nn.Module) -> list[nn.Module]:
    """Return the layer of each network whose positions a heat map is made of."""
    networks = network.networks if isinstance(network, JointNetwork) else [network]
    return [_layer_of(one) for one in networks]


def _layer_of(network: nn.Module) -> nn.Module:
    """Return the last layer of a timm network that has a position every 16 pixels of the input.

    Of all layers of the packaged detector, the hottest tenth of this one's maps moved the score
    most; in later layers, each position covers more of the face and localises less.
    """
    layers = list(getattr(network, "feature_info", ()))
    names = [str(layer["module"]) for layer in layers if layer.get("reduction") == _REDUCTION]
    if not names:
        raise ModelError(f"{type(network).__name__} has no layer that a heat map can be taken of")
    return network.get_submodule(names[-1])


def _scaled(moved: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return a map on the grid, 0 to 1; all zero where no position moves the score to its side."""
    positive = np.maximum(moved, 0).astype(np.float32)
    grid = np.maximum(cv2.resize(positive, (GRID, GRID), interpolation=cv2.INTER_CUBIC), 0)
    highest = float(grid.max())
    return np.asarray(grid / highest if highest > 0 else grid, dtype=np.float32)


def mask_hottest(picture: NDArray[np.uint8], heat: HeatMap) -> NDArray[np.uint8]:
    """Return a picture whose hottest tenth is blurred.

    Args:
        picture: Shape (S, S, 3).
        heat: Its heat map.
    """
    order = np.argsort(-heat.values, axis=None, kind="stable")
    return _mask(picture, order[: _num_cells()])


def mask_random(picture: NDArray[np.uint8], *, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return a picture with as many cells blurred, at random positions.

    Args:
        picture: Shape (S, S, 3).
        rng: Chooses the cells.
    """
    return _mask(picture, rng.choice(GRID * GRID, size=_num_cells(), replace=False))


def _num_cells() -> int:
    return round(_MASKED_SHARE * GRID * GRID)


def _mask(picture: NDArray[np.uint8], cells: NDArray[np.integer]) -> NDArray[np.uint8]:
    side = picture.shape[0]
    grid = np.zeros((GRID, GRID), dtype=np.uint8)
    grid.flat[cells] = 1
    is_masked = cv2.resize(grid, (side, side), interpolation=cv2.INTER_NEAREST)[..., None]
    blurred = cv2.GaussianBlur(picture, (0, 0), _BLUR_SIGMA * side)
    return np.where(is_masked == 1, blurred, picture)


def measure_moves(
    mapper: HeatMapper,
    picture: NDArray[np.uint8],
    heat: HeatMap,
    *,
    calibration: Calibration,
    draws: int,
    seed: int = 0,
) -> tuple[float, float]:
    """Return how far the log-odds move when the hottest tenth is masked, and when a random one is.

    Args:
        mapper: Computes the log-odds.
        picture: Shape (S, S, 3).
        heat: Its heat map.
        calibration: For files of this kind.
        draws: Number of random tenths, over which the mean is taken.
        seed: Seed of the random tenths.
    """
    rng = np.random.default_rng(seed)
    masked = [mask_hottest(picture, heat)]
    masked += [mask_random(picture, rng=rng) for _ in range(draws)]
    moved = np.abs(mapper.log_odds(np.stack(masked), calibration=calibration) - heat.log_odds)
    return float(moved[0]), float(moved[1:].mean())
