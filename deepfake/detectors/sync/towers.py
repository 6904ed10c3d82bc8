"""Two small networks whose embeddings are alike where lips and sound belong together.

Source: Chung and Zisserman, "Out of time: automated lip sync in the wild", ACCV workshops 2016: a
network on five grey pictures of a mouth, one on 0.2 s of sound. Theirs have 50 times the weights.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from deepfake.detectors.sync.windows import NUM_BANDS, NUM_FRAMES, NUM_MOUTHS, SIZE_PX

__all__ = ["NUM_FEATURES", "MouthTower", "SoundTower", "SyncNetwork", "create_sync_network"]

NUM_FEATURES = 128
_SMALLEST_NORM = 1e-6

_MOUTH_CHANNELS = (24, 48, 64, 80)
_SOUND_CHANNELS = (24, 48, 64)
_BOTTLENECK = 24
"""Channels of the last maps, which a linear layer sees place by place."""
_DROPOUT = 0.2


class MouthTower(nn.Module):
    """Embeds five successive mouths."""

    def __init__(self) -> None:
        super().__init__()
        one, two, three, four = _MOUTH_CHANNELS
        self.stages = nn.Sequential(
            _stage(NUM_MOUTHS, one, kernel_size=5, stride=2),
            _stage(one, two, stride=2),
            _stage(two, three, stride=2),
            _stage(three, four, stride=2),
            _stage(four, _BOTTLENECK, kernel_size=1),
        )
        self.head = _head(_BOTTLENECK * (SIZE_PX // 16) ** 2)

    def forward(self, mouths: Tensor) -> Tensor:
        """Return embeddings (N, D) of length 1 of windows (N, 5, S, S)."""
        return _unit(self.head(self.stages(mouths)))


class SoundTower(nn.Module):
    """Embeds the sound of as long a time."""

    def __init__(self) -> None:
        super().__init__()
        one, two, three = _SOUND_CHANNELS
        self.stages = nn.Sequential(
            _stage(1, one, stride=(2, 1)),
            _stage(one, two, stride=2),
            _stage(two, three, stride=2),
            _stage(three, _BOTTLENECK, kernel_size=1),
        )
        self.head = _head(_BOTTLENECK * (NUM_BANDS // 8) * (NUM_FRAMES // 4))

    def forward(self, bands: Tensor) -> Tensor:
        """Return embeddings (N, D) of length 1 of windows (N, 1, B, F)."""
        return _unit(self.head(self.stages(bands)))


class SyncNetwork(nn.Module):
    """Both networks.

    Attributes:
        mouth: Of five mouths.
        sound: Of 0.2 s of sound.
    """

    def __init__(self) -> None:
        super().__init__()
        self.mouth = MouthTower()
        self.sound = SoundTower()

    def forward(self, mouths: Tensor, bands: Tensor) -> tuple[Tensor, Tensor]:
        """Return both embeddings, (N, D) and (M, D), of (N, 5, S, S) and (M, 1, B, F)."""
        return self.mouth(mouths), self.sound(bands)


def create_sync_network() -> SyncNetwork:
    """Build the networks with new weights, drawn from PyTorch's own generator.

    Returns:
        On the CPU in training mode.
    """
    return SyncNetwork()


def _stage(
    in_channels: int, out_channels: int, *, kernel_size: int = 3, stride: int | tuple[int, int] = 1
) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(
            in_channels,
            out_channels,
            kernel_size,
            stride=stride,
            padding=kernel_size // 2,
            bias=False,
        ),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )


def _head(num_inputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Dropout(_DROPOUT), nn.Linear(num_inputs, NUM_FEATURES))


def _unit(features: Tensor) -> Tensor:
    squares = features.square().sum(dim=1, keepdim=True)
    return features * torch.rsqrt(squares + _SMALLEST_NORM)
