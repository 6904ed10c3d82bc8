"""Layers on graphs whose nodes are frequency bands and moments: attention, pooling, a stack node.

All graphs are complete: each node attends to each. Nodes are rows, (N, nodes, features).

Source: Jung et al., "AASIST: Audio Anti-Spoofing using Integrated Spectro-Temporal Graph Attention
Networks", ICASSP 2022; graph pooling after Gao and Ji, "Graph U-Nets", ICML 2019. Temperatures are
those of the authors' published configuration, clovaai/aasist, config/AASIST.conf.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["GraphAttention", "GraphPooling", "HeterogeneousAttention"]

_TEMPERATURE = 2.0
_HETEROGENEOUS_TEMPERATURE = 100.0
"""Scores are divided by it; so high, attention is all but even until the vectors have grown."""
_NODE_DROPOUT = 0.2
_SCORE_DROPOUT = 0.3


class GraphAttention(nn.Module):
    """Attention between nodes of one kind.

    How much a node attends to another follows from the product of both, feature by feature.

    Args:
        in_features: Of a node.
        out_features: Of a node afterwards.
    """

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.dropout = nn.Dropout(_NODE_DROPOUT)
        self.pair = nn.Linear(in_features, out_features)
        self.score = nn.Linear(out_features, 1, bias=False)
        self.update = _NodeUpdate(in_features, out_features)

    def forward(self, nodes: Tensor) -> Tensor:
        """Return nodes (N, n, out_features) of nodes (N, n, in_features)."""
        nodes = self.dropout(nodes)
        scores = self.score(torch.tanh(self.pair(_products(nodes))))[..., 0]  # (N, n, n)
        updated: Tensor = self.update(nodes, torch.softmax(scores / _TEMPERATURE, dim=2))
        return updated


class HeterogeneousAttention(nn.Module):
    """Attention between nodes of two kinds, temporal and spectral, and a stack node over all.

    Both kinds are brought into one space. Pairs of temporal nodes, of spectral nodes and mixed
    pairs are scored by a vector each. The stack node attends to all others, none of which attends
    to it: it gathers what it is passed through, layer after layer.

    Args:
        in_features: Of a node.
        out_features: Of a node afterwards.
    """

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.dropout = nn.Dropout(_NODE_DROPOUT)
        self.to_temporal = nn.Linear(in_features, in_features)
        self.to_spectral = nn.Linear(in_features, in_features)
        self.pair = nn.Linear(in_features, out_features)
        self.score = nn.Linear(out_features, 3, bias=False)
        self.update = _NodeUpdate(in_features, out_features)
        self.stack_pair = nn.Linear(in_features, out_features)
        self.stack_score = nn.Linear(out_features, 1, bias=False)
        self.stack_attended = nn.Linear(in_features, out_features)
        self.stack_own = nn.Linear(in_features, out_features)

    def forward(
        self, temporal: Tensor, spectral: Tensor, stack: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the three with `out_features` features.

        Args:
            temporal: Nodes, (N, t, in_features).
            spectral: Nodes, (N, s, in_features).
            stack: The stack node, (N, 1, in_features).
        """
        num_temporal = temporal.shape[1]
        joined = torch.cat([self.to_temporal(temporal), self.to_spectral(spectral)], dim=1)
        nodes = self.dropout(joined)  # (N, t + s, in_features)
        stack = self._stack(nodes, stack)
        scores = self.score(torch.tanh(self.pair(_products(nodes))))  # (N, t + s, t + s, 3)
        weights = _pick_by_kind(scores, num_temporal) / _HETEROGENEOUS_TEMPERATURE
        updated = self.update(nodes, torch.softmax(weights, dim=2))
        return updated[:, :num_temporal], updated[:, num_temporal:], stack

    def _stack(self, nodes: Tensor, stack: Tensor) -> Tensor:
        scores = self.stack_score(torch.tanh(self.stack_pair(nodes * stack)))  # (N, n, 1)
        weights = torch.softmax(scores / _HETEROGENEOUS_TEMPERATURE, dim=1)
        attended = weights.transpose(1, 2) @ nodes  # (N, 1, in_features)
        updated: Tensor = self.stack_attended(attended) + self.stack_own(stack)
        return updated


class GraphPooling(nn.Module):
    """Keeps the nodes with the highest learnt scores, each multiplied by its own.

    Args:
        num_features: Of a node.
        share: Of the nodes that are kept; one at least.
    """

    def __init__(self, num_features: int, *, share: float) -> None:
        super().__init__()
        self.share = share
        self.dropout = nn.Dropout(_SCORE_DROPOUT)
        self.score = nn.Linear(num_features, 1)

    def forward(self, nodes: Tensor) -> Tensor:
        """Return nodes (N, k, D) of nodes (N, n, D)."""
        scores = torch.sigmoid(self.score(self.dropout(nodes)))  # (N, n, 1)
        num_kept = max(1, int(nodes.shape[1] * self.share))
        kept = torch.topk(scores, num_kept, dim=1).indices.expand(-1, -1, nodes.shape[2])
        return torch.gather(nodes * scores, 1, kept)


class _NodeUpdate(nn.Module):
    """Makes new nodes of what the old ones attended to, and of themselves."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        # Normalisation takes away what a bias would add.
        self.attended = nn.Linear(in_features, out_features, bias=False)
        self.own = nn.Linear(in_features, out_features, bias=False)
        self.norm = nn.BatchNorm1d(out_features)

    def forward(self, nodes: Tensor, weights: Tensor) -> Tensor:
        """Return nodes (N, n, out_features).

        Args:
            nodes: Shape (N, n, in_features).
            weights: How much each row attends to each column, (N, n, n).
        """
        updated = self.attended(weights @ nodes) + self.own(nodes)
        return nn.functional.selu(self.norm(updated.transpose(1, 2)).transpose(1, 2))


def _products(nodes: Tensor) -> Tensor:
    """Return the products of all pairs, (N, n, n, D)."""
    return nodes[:, :, None] * nodes[:, None]


def _pick_by_kind(scores: Tensor, num_temporal: int) -> Tensor:
    """Return one score a pair, (N, n, n), out of three: temporal, spectral, mixed."""
    at = num_temporal
    of_temporal = torch.cat([scores[:, :at, :at, 0], scores[:, :at, at:, 2]], dim=2)
    of_spectral = torch.cat([scores[:, at:, :at, 2], scores[:, at:, at:, 1]], dim=2)
    return torch.cat([of_temporal, of_spectral], dim=1)
