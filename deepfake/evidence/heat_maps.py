"""Heat maps: which parts of a face moved the score. Imported only where PyTorch is needed."""

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
from deepfake.errors import ModelError
from deepfake.verdicts.calibration import Calibration

__all__ = ["GRID", "HeatMap", "HeatMapper", "mask_hottest", "mask_random", "measure_moves"]

GRID = 12
"""Cells a side of a heat map, which are masked as wholes."""

_REDUCTION = 16
"""Of a layer's map: pixels of the input a place."""
_SHARE = 0.1
_BLUR = 0.1
"""Of what stands in for masked cells, sigma over the picture's side."""


@dataclass(frozen=True, slots=True)
class HeatMap:
    """What moved the score of one face.

    Attributes:
        values: (G, G) float32, 0 to 1; how strongly a place speaks for what the score says.
        log_odds: The calibrated log-odds of the face.
    """

    values: NDArray[np.float32]
    log_odds: float


class HeatMapper:
    """Computes heat maps of a detector's crops, on the CPU.

    The map is of the fused, calibrated logit, whatever heads it is made of: activations of a layer
    times the gradient of that logit there, place by place.

    Source: Selvaraju et al., Grad-CAM, ICCV 2017; Jiang et al., LayerCAM, IEEE TIP 2021, for the
    product by place instead of gradients averaged over all places.

    Args:
        bundle: The detector.

    Raises:
        BundleError: Its weights do not fit its architecture.
        ModelError: The network has no layer that keeps places.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._spec = bundle.spec
        self._module = load_module(bundle)
        for parameter in self._module.parameters():
            parameter.requires_grad_(False)
        self._layer = _layer_of(self._module.network)
        self._mean = torch.tensor(bundle.spec.mean) * 255.0
        self._std = torch.tensor(bundle.spec.std) * 255.0

    def squares(self, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
        """Return crops in the network's size, (N, S, S, 3)."""
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
            calibration: Of files of this kind.

        Raises:
            ModelError: The layer gives something else than a map.
        """
        kept: list[Tensor] = []

        def keep(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
            # Gradients are asked for here, and no layer before this one has to make any.
            kept.append(output.detach().requires_grad_(True))
            return kept[-1]

        handle = self._layer.register_forward_hook(keep)
        try:
            with torch.enable_grad():
                logits = self._module(self._input(pictures))[:, 0]
                odds = logits / calibration.temperature + calibration.bias
                # Pictures do not see each other: the sum's gradient is that of each alone.
                odds.sum().backward()
        finally:
            handle.remove()
        if len(kept) != 1 or kept[0].ndim != 4 or kept[0].grad is None:
            raise ModelError("the network keeps no places, so there is no heat map")
        moved = (kept[0] * kept[0].grad).sum(dim=1).detach()  # (N, C, h, w) -> (N, h, w)
        found = odds.detach().numpy()
        # Towards the side that the score is on: what speaks against it is no reason for it.
        signed = moved.numpy() * np.where(found < 0, -1.0, 1.0)[:, None, None]
        return [
            HeatMap(_scaled(values), float(value))
            for values, value in zip(signed, found, strict=True)
        ]

    def _input(self, pictures: NDArray[np.uint8]) -> Tensor:
        normalised = (torch.from_numpy(pictures).float() - self._mean) / self._std
        return normalised.permute(0, 3, 1, 2)  # (N, H, W, 3) -> (N, 3, H, W)


def _layer_of(network: nn.Module) -> nn.Module:
    """Return the last layer of a timm network that keeps places a sixteenth of the picture apart.

    Of the layers of the packaged detector its hottest tenth moved the score most; the last layers
    see more of the face from each place, and tell less of where.
    """
    told = list(getattr(network, "feature_info", ()))
    names = [str(layer["module"]) for layer in told if layer.get("reduction") == _REDUCTION]
    if not names:
        raise ModelError(f"{type(network).__name__} has no layer that a heat map can be taken of")
    return network.get_submodule(names[-1])


def _scaled(moved: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return a map on the grid, 0 to 1; all zero where nothing speaks for the score."""
    positive = np.maximum(moved, 0).astype(np.float32)
    grid = np.maximum(cv2.resize(positive, (GRID, GRID), interpolation=cv2.INTER_CUBIC), 0)
    highest = float(grid.max())
    return np.asarray(grid / highest if highest > 0 else grid, dtype=np.float32)


def mask_hottest(picture: NDArray[np.uint8], heat: HeatMap) -> NDArray[np.uint8]:
    """Return a picture whose hottest tenth is blurred away.

    Args:
        picture: Shape (S, S, 3).
        heat: Its map.
    """
    order = np.argsort(-heat.values, axis=None, kind="stable")
    return _mask(picture, order[: _num_cells()])


def mask_random(picture: NDArray[np.uint8], *, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return a picture of which as many cells, anywhere, are blurred away.

    Args:
        picture: Shape (S, S, 3).
        rng: Chooses them.
    """
    return _mask(picture, rng.choice(GRID * GRID, size=_num_cells(), replace=False))


def _num_cells() -> int:
    return round(_SHARE * GRID * GRID)


def _mask(picture: NDArray[np.uint8], cells: NDArray[np.integer]) -> NDArray[np.uint8]:
    side = picture.shape[0]
    grid = np.zeros((GRID, GRID), dtype=np.uint8)
    grid.flat[cells] = 1
    is_masked = cv2.resize(grid, (side, side), interpolation=cv2.INTER_NEAREST)[..., None]
    blurred = cv2.GaussianBlur(picture, (0, 0), _BLUR * side)
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
    """Return how far the log-odds go when the hottest tenth is masked, and when a random one is.

    Args:
        mapper: Computes them.
        picture: Shape (S, S, 3).
        heat: Its map.
        calibration: Of files of this kind.
        draws: Random tenths, of which the mean is taken.
        seed: Of the random tenths.
    """
    rng = np.random.default_rng(seed)
    masked = [mask_hottest(picture, heat)]
    masked += [mask_random(picture, rng=rng) for _ in range(draws)]
    moved = np.abs(mapper.log_odds(np.stack(masked), calibration=calibration) - heat.log_odds)
    return float(moved[0]), float(moved[1:].mean())
