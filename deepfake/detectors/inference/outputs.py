"""A detector's network: one logit a head, their combination, and the novelty of a crop.

Imported only where PyTorch is needed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from deepfake.detectors.bundles import HeadSpec
from deepfake.errors import ModelError

__all__ = ["NOVELTY_PREFIX", "DetectorNetwork", "Novelty", "features_of", "split_novelty"]

NOVELTY_PREFIX = "novelty."
"""What the names of the novelty's tensors begin with among a bundle's weights."""


def features_of(network: nn.Module, inputs: Tensor) -> Tensor:
    """Return the features that a timm network's classifier takes, shape (N, C).

    Raises:
        ModelError: The network has no separate features and classifier.
    """
    try:
        features: Tensor = network.forward_head(network.forward_features(inputs), pre_logits=True)  # type: ignore[operator]
    except (AttributeError, TypeError) as error:
        raise ModelError(f"the network does not give its features ({error})") from error
    if features.ndim != 2:
        raise ModelError(f"features are (N, C), the network gives {tuple(features.shape)}")
    return features


class Novelty(nn.Module):
    """How far features are from those of the training crops.

    The distance to the nearer class's mean after whitening by the spread within classes, over the
    directions in which that spread is largest, as root mean square: 1 is what is usual.

    Source: Lee et al., A Simple Unified Framework for Detecting Out-of-Distribution Samples and
    Adversarial Attacks, NeurIPS 2018, section 2.

    Args:
        projection: Whitens, shape (C, K).
        means: Of the classes, whitened, shape (M, K).
    """

    projection: Tensor
    means: Tensor

    def __init__(self, *, projection: Tensor, means: Tensor) -> None:
        super().__init__()
        self.register_buffer("projection", projection.float())
        self.register_buffer("means", means.float())

    def forward(self, features: Tensor) -> Tensor:
        """Return distances (N,) of features (N, C)."""
        white = features.float() @ self.projection  # (N, K)
        away = white[:, None, :] - self.means[None]  # (N, M, K)
        distances: Tensor = away.square().mean(dim=2).sqrt().amin(dim=1)
        return distances


def split_novelty(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], Novelty | None]:
    """Return the network's own tensors among those of a bundle, and what measures novelty.

    Args:
        state: Of the bundle.

    Raises:
        RuntimeError: The tensors of the novelty are others than it takes.
    """
    parts = {
        name.removeprefix(NOVELTY_PREFIX): value
        for name, value in state.items()
        if name.startswith(NOVELTY_PREFIX)
    }
    own = {k: v for k, v in state.items() if not k.startswith(NOVELTY_PREFIX)}
    try:
        return own, Novelty(**parts) if parts else None
    except TypeError as error:
        raise RuntimeError(f"tensors of the novelty: {sorted(parts)}") from error


def _averaging(heads: Sequence[HeadSpec]) -> Tensor:
    """Return weights (K, H) that average the heads of each of K questions."""
    asked = list(dict.fromkeys(head.question for head in heads))
    member = torch.tensor([[float(head.question == one) for head in heads] for one in asked])
    return member / member.sum(dim=1, keepdim=True)


class DetectorNetwork(nn.Module):
    """A network whose heads are combined into one logit, as `combine_heads` does.

    Args:
        network: A timm network with a logit a head.
        heads: The head of each logit, and its scale.
        novelty: Computes how far a crop is from the training data; None for not at all.
    """

    center: Tensor
    scale: Tensor
    groups: Tensor

    def __init__(
        self, network: nn.Module, *, heads: Sequence[HeadSpec], novelty: Novelty | None = None
    ) -> None:
        super().__init__()
        self.network = network
        self.novelty = novelty
        self.num_heads = len(heads)
        self.register_buffer("center", torch.tensor([head.center for head in heads]))
        self.register_buffer("scale", torch.tensor([head.scale for head in heads]))
        self.register_buffer("groups", _averaging(heads))

    @classmethod
    def of_state(
        cls, network: nn.Module, *, heads: Sequence[HeadSpec], state: Mapping[str, Tensor]
    ) -> DetectorNetwork:
        """Return the network of a bundle with its weights.

        Raises:
            RuntimeError: They do not fit it.
        """
        own, novelty = split_novelty(state)
        network.load_state_dict(own)
        return cls(network, heads=heads, novelty=novelty)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return columns (N, K) of normalised inputs (N, 3, S, S), in the order of the outputs."""
        if self.novelty is None:
            return self._combined(self.network(inputs).float())
        features = features_of(self.network, inputs)
        classifier: nn.Module = self.network.get_classifier()  # type: ignore[operator]
        combined = self._combined(classifier(features).float())
        return torch.cat([combined, self.novelty(features)[:, None]], dim=1)

    def _combined(self, logits: Tensor) -> Tensor:
        odds = (logits - self.center) / self.scale  # (N, H)
        if self.num_heads == 1:
            return odds
        # Heads that answer one question are averaged.
        if len(self.groups) < self.num_heads:
            odds = odds @ self.groups.T
        # The odds of a fake of any kind, all kinds as likely, are the mean of the odds of each.
        either = odds.logsumexp(dim=1, keepdim=True) - math.log(len(self.groups))
        return torch.cat([either, logits], dim=1)
