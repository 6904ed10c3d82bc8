"""Several networks that are shown the same picture, and give their logits side by side."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["JointNetwork", "joint_state"]


class JointNetwork(nn.Module):
    """Networks side by side, with the interface that timm gives a single one.

    A network that learns blended faces and one that learns generated ones pull each other apart
    where they share their layers: this keeps both as they were trained.

    Args:
        networks: timm networks, each with its logits.
        sizes: Side of the input of each, pixels; the largest is that of the joint network, and the
            others are shown the picture at their own.

    Raises:
        ValueError: Fewer than two networks, or not a size for each.
    """

    def __init__(self, networks: Sequence[nn.Module], *, sizes: Sequence[int]) -> None:
        super().__init__()
        if len(networks) < 2 or len(sizes) != len(networks):
            raise ValueError("a joint network has two networks at least, each with its input size")
        self.networks = nn.ModuleList(networks)
        self.sizes = tuple(sizes)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits (N, H) of inputs (N, 3, S, S), network after network."""
        own = self._inputs(inputs)
        return torch.cat(
            [network(part) for network, part in zip(self.networks, own, strict=True)], dim=1
        )

    def forward_features(self, inputs: Tensor) -> list[Tensor]:
        """Return the last feature map of each network, each (N, C, h, w)."""
        own = self._inputs(inputs)
        return [
            network.forward_features(part)  # type: ignore[operator]
            for network, part in zip(self.networks, own, strict=True)
        ]

    def forward_head(self, maps: Sequence[Tensor], *, pre_logits: bool = False) -> Tensor:
        """Return logits (N, H), or with `pre_logits` all features one after the other, (N, C)."""
        outputs: list[Tensor] = [
            network.forward_head(own, pre_logits=pre_logits)  # type: ignore[operator]
            for network, own in zip(self.networks, maps, strict=True)
        ]
        return torch.cat(outputs, dim=1)

    def get_classifier(self) -> nn.Module:
        """Return what makes logits (N, H) of the features of all networks, (N, C)."""
        return _JointClassifier([network.get_classifier() for network in self.networks])  # type: ignore[operator]

    def _inputs(self, inputs: Tensor) -> list[Tensor]:
        return [
            inputs
            if size == max(self.sizes)
            else nn.functional.interpolate(
                inputs, size=(size, size), mode="bilinear", align_corners=False
            )
            for size in self.sizes
        ]


class _JointClassifier(nn.Module):
    """Gives each classifier the features of its own network."""

    def __init__(self, classifiers: Sequence[nn.Linear]) -> None:
        super().__init__()
        self.classifiers = nn.ModuleList(classifiers)
        self._sizes = [classifier.in_features for classifier in classifiers]

    def forward(self, features: Tensor) -> Tensor:
        """Return logits (N, H) of features (N, C)."""
        parts: tuple[Tensor, ...] = features.split(self._sizes, dim=1)  # type: ignore[no-untyped-call]
        logits = [own(part) for own, part in zip(self.classifiers, parts, strict=True)]
        return torch.cat(logits, dim=1)


def joint_state(states: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Return the state dict of a joint network, out of those of its networks."""
    return {
        f"networks.{number}.{name}": tensor
        for number, state in enumerate(states)
        for name, tensor in state.items()
    }
