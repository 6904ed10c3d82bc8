"""AASIST: graph attention between frequency bands and moments, on samples.

Source: Jung et al., "AASIST: Audio Anti-Spoofing using Integrated Spectro-Temporal Graph Attention
Networks", ICASSP 2022 (arXiv 2110.01200). Sizes are those of the authors' published configurations,
clovaai/aasist, config/AASIST.conf and config/AASIST-L.conf, whose pooling ratios are taken in their
order; the ratios between heterogeneous layers are one a kind of node here.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from deepfake.detectors.voice.graph_attention import (
    GraphAttention,
    GraphPooling,
    HeterogeneousAttention,
)
from deepfake.detectors.voice.sinc import SincFilters

__all__ = ["AASIST_FULL", "AASIST_LIGHT", "Aasist", "AasistSize"]

_NUM_FILTERS = 70
_NUM_TAPS = 129
_POOLED = 3
"""Bands and samples of a pooling window behind the filters, moments of one in each block."""
_BRANCH_DROPOUT = 0.2


@dataclass(frozen=True, slots=True)
class AasistSize:
    """How large an AASIST is.

    Attributes:
        channels: Of each residual block.
        node_features: Of a node of the graphs of one kind.
        stack_features: Of a node behind the first heterogeneous layer.
        spectral_share: Of the spectral nodes, kept before the two graphs are joined.
        temporal_share: Of the temporal nodes, likewise.
        joined_spectral_share: Of the spectral nodes, kept between two heterogeneous layers.
        joined_temporal_share: Of the temporal nodes, likewise.
    """

    channels: tuple[int, ...]
    node_features: int
    stack_features: int
    spectral_share: float
    temporal_share: float
    joined_spectral_share: float
    joined_temporal_share: float


AASIST_FULL = AasistSize(
    channels=(32, 32, 64, 64, 64, 64),
    node_features=64,
    stack_features=32,
    spectral_share=0.5,
    temporal_share=0.7,
    joined_spectral_share=0.5,
    joined_temporal_share=0.5,
)
"""The paper's AASIST, of 297 thousand parameters."""

AASIST_LIGHT = AasistSize(
    channels=(32, 32, 24, 24, 24, 24),
    node_features=24,
    stack_features=32,
    spectral_share=0.4,
    temporal_share=0.5,
    joined_spectral_share=0.7,
    joined_temporal_share=0.5,
)
"""The paper's AASIST-L, of 85 thousand parameters."""


class Aasist(nn.Module):
    """Features of a window of sound by its samples, for any length from half a second on.

    Args:
        size: How large it is.
    """

    def __init__(self, size: AasistSize = AASIST_LIGHT) -> None:
        super().__init__()
        nodes = size.node_features
        self.num_features = 5 * size.stack_features
        self.encoder = _Encoder(size.channels)
        # Attention does not know the order of its nodes; bands differ by where they are.
        self.band = nn.Parameter(torch.randn(1, _NUM_FILTERS // _POOLED, size.channels[-1]))
        self.spectral = nn.Sequential(
            GraphAttention(size.channels[-1], nodes), GraphPooling(nodes, share=size.spectral_share)
        )
        self.temporal = nn.Sequential(
            GraphAttention(size.channels[-1], nodes), GraphPooling(nodes, share=size.temporal_share)
        )
        self.branches = nn.ModuleList([_Branch(size), _Branch(size)])
        self.dropout = nn.Dropout(_BRANCH_DROPOUT)

    def forward(self, samples: Tensor) -> Tensor:
        """Return features (N, D) of samples (N, T) of an effective value of 1."""
        maps = self.encoder(samples).abs()  # (N, C, bands, moments)
        spectral = self.spectral(maps.amax(dim=3).transpose(1, 2) + self.band)  # (N, s, D)
        temporal = self.temporal(maps.amax(dim=2).transpose(1, 2))  # (N, t, D)
        first, second = (branch(temporal, spectral) for branch in self.branches)
        # Two branches compete: of each feature of each node the larger is kept.
        temporal, spectral, stack = (
            torch.maximum(self.dropout(one), self.dropout(other))
            for one, other in zip(first, second, strict=True)
        )
        return _read_out(temporal, spectral, stack)


def _read_out(temporal: Tensor, spectral: Tensor, stack: Tensor) -> Tensor:
    """Return the largest magnitudes and means over nodes, and the stack node, (N, 5 D)."""
    parts = [
        temporal.abs().amax(dim=1),
        temporal.mean(dim=1),
        spectral.abs().amax(dim=1),
        spectral.mean(dim=1),
        stack[:, 0],
    ]
    return torch.cat(parts, dim=1)


class _Branch(nn.Module):
    """Two heterogeneous layers with a pooling between them, and a stack node of its own."""

    def __init__(self, size: AasistSize) -> None:
        super().__init__()
        width = size.stack_features
        self.stack = nn.Parameter(torch.randn(1, 1, size.node_features))
        self.first = HeterogeneousAttention(size.node_features, width)
        self.temporal_pooling = GraphPooling(width, share=size.joined_temporal_share)
        self.spectral_pooling = GraphPooling(width, share=size.joined_spectral_share)
        self.second = HeterogeneousAttention(width, width)

    def forward(self, temporal: Tensor, spectral: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return temporal and spectral nodes and the stack node, each (N, nodes, D)."""
        stack = self.stack.expand(temporal.shape[0], -1, -1)
        temporal, spectral, stack = self.first(temporal, spectral, stack)
        temporal, spectral = self.temporal_pooling(temporal), self.spectral_pooling(spectral)
        more_temporal, more_spectral, more_stack = self.second(temporal, spectral, stack)
        return temporal + more_temporal, spectral + more_spectral, stack + more_stack


class _Encoder(nn.Module):
    """Maps of samples over bands and moments: a filter bank, and residual blocks on its picture."""

    def __init__(self, channels: tuple[int, ...]) -> None:
        super().__init__()
        self.filters = SincFilters(num_filters=_NUM_FILTERS, num_taps=_NUM_TAPS)
        self.norm = nn.BatchNorm2d(1)
        before = (1, *channels[:-1])
        self.blocks = nn.Sequential(
            *(_ResidualBlock(i, o) for i, o in zip(before, channels, strict=True))
        )

    def forward(self, samples: Tensor) -> Tensor:
        """Return maps (N, C, 23, moments) of samples (N, T)."""
        bands = self.filters(samples).abs()[:, None]  # (N, 1, 70, T - 128)
        pooled = nn.functional.max_pool2d(bands, _POOLED)
        maps: Tensor = self.blocks(nn.functional.selu(self.norm(pooled)))
        return maps


class _ResidualBlock(nn.Module):
    """Two convolutions beside a shortcut, and a third of the moments afterwards."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        # What comes into the first block is normalised already.
        self.norm = nn.BatchNorm2d(in_channels) if in_channels > 1 else None
        # Two bands high: one is added by the first, and taken away by the second.
        self.first = nn.Conv2d(in_channels, out_channels, (2, 3), padding=(1, 1), bias=False)
        self.middle_norm = nn.BatchNorm2d(out_channels)
        self.second = nn.Conv2d(out_channels, out_channels, (2, 3), padding=(0, 1))
        self.shortcut = (
            nn.Conv2d(in_channels, out_channels, (1, 3), padding=(0, 1))
            if in_channels != out_channels
            else nn.Identity()
        )

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps (N, out_channels, bands, moments // 3) of maps (N, C, bands, moments)."""
        inner = maps if self.norm is None else nn.functional.selu(self.norm(maps))
        inner = nn.functional.selu(self.middle_norm(self.first(inner)))
        added = self.second(inner) + self.shortcut(maps)
        return nn.functional.max_pool2d(added, (1, _POOLED))
