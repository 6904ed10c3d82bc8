"""Predict the blending boundary beside the logit, while a network is trained.

A 1x1 convolution on the features of stride 16 says where something was blended in. So the features
have to know where a fake is fake, and not only that it is one.

Source: Li et al., Face X-ray for More General Face Forgery Detection, CVPR 2020, section 3.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from deepfake.errors import ConfigError

__all__ = ["BoundaryMap", "MapFeatures", "find_map_features"]

_STRIDE = 16

_WEIGHT_STD = 0.01
"""Of the weights of the convolution, as of a new head."""

_FIRST_LOGIT = -3.0
"""Most of a picture is no boundary."""


@dataclass(frozen=True, slots=True)
class MapFeatures:
    """Features that a map is predicted from.

    Attributes:
        layer: Name of the network's part that gives them.
        channels: Their number.
        side: Rows and columns.
    """

    layer: str
    channels: int
    side: int


def find_map_features(network: nn.Module, *, input_size: int) -> MapFeatures:
    """Return a network's last features of stride 16.

    Args:
        network: From `create_model`, on the CPU; is not changed.
        input_size: Side of its input, pixels.

    Raises:
        ConfigError: It has no such features, or they are no map.
    """
    stages: Any = getattr(network, "feature_info", None) or ()
    layers = [stage["module"] for stage in stages if stage["reduction"] == _STRIDE]
    if layers:
        shape = _shape_of(network, layers[-1], input_size=input_size)
        if len(shape) == 4 and shape[2] == shape[3]:
            return MapFeatures(layers[-1], channels=shape[1], side=shape[2])
    raise ConfigError(
        "map_weight needs a network with a feature map of stride 16, and this one has none",
        hint="Take a convolutional network, such as tf_efficientnet_lite0, or map_weight = 0.",
    )


def _shape_of(network: nn.Module, layer: str, *, input_size: int) -> tuple[int, ...]:
    was_training = network.training
    network.eval()
    try:
        with torch.no_grad(), _output_of(network, layer) as kept:
            network(torch.zeros(1, 3, input_size, input_size))
    finally:
        network.train(was_training)
    return tuple(kept[0].shape)


@contextmanager
def _output_of(network: nn.Module, layer: str) -> Iterator[list[Tensor]]:
    """Yield a list that takes what a layer gives when the network is run."""
    kept: list[Tensor] = []
    hook = network.get_submodule(layer).register_forward_hook(lambda *call: kept.append(call[2]))
    try:
        yield kept
    finally:
        hook.remove()


class BoundaryMap(nn.Module):
    """A convolution that predicts the boundary; it is no part of the detector.

    Args:
        features: What it is predicted from.
    """

    def __init__(self, features: MapFeatures) -> None:
        super().__init__()
        self._layer = features.layer
        self.convolution = nn.Conv2d(features.channels, 1, kernel_size=1)
        nn.init.normal_(self.convolution.weight, std=_WEIGHT_STD)
        nn.init.constant_(self.convolution.bias, _FIRST_LOGIT)  # type: ignore[arg-type]

    def forward(self, network: nn.Module, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return a network's logits, (N, H), and the map's, (N, M, M).

        Args:
            network: With the layer that the features are of.
            inputs: Its input, (N, 3, S, S).
        """
        with _output_of(network, self._layer) as kept:
            logits: Tensor = network(inputs)
        return logits, self.convolution(kept[0])[:, 0]
