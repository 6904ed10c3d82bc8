"""Light CNN: a small convolutional network on spectrograms, with max-feature-map activations.

Of two feature maps the larger is kept at each place, so that maps compete; convolutions of 1 x 1
stand between the others.

Source: Wu, He, Sun and Tan, "A Light CNN for Deep Face Representation with Noisy Labels", IEEE TIFS
2018; for spoofed speech: Lavrentyeva et al., "STC Antispoofing Systems for the ASVspoof2019
Challenge", Interspeech 2019. Here the first convolution has a stride of 2, channels are fewer,
batch normalisation comes before each activation rather than after some, and the time axis is pooled
before the linear layers.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from deepfake.detectors.voice.spectrogram import Spectrogram

__all__ = ["LightCnn", "MaxFeatureMap"]

_CHANNELS = (8, 16, 32, 48)
"""Of the four stages, each of which halves frequencies and time."""
_HALVINGS = 5
_NUM_FEATURES = 64


class MaxFeatureMap(nn.Module):
    """A convolution to twice the channels, of which the larger of each pair is kept.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels kept.
        kernel_size: Side of the kernel; odd.
        stride: Of the convolution, in both directions.
        is_pooled: Keep the largest of each 2 x 2 places too.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        kernel_size: int,
        stride: int = 1,
        is_pooled: bool = False,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            in_channels,
            2 * out_channels,
            kernel_size,
            stride=stride,
            padding=kernel_size // 2,
            bias=False,
        )
        # Directly behind the convolution, so that converters merge the two.
        self.norm = nn.BatchNorm2d(2 * out_channels)
        self.is_pooled = is_pooled

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps (N, out_channels, h, w) of maps (N, in_channels, H, W)."""
        doubled = self.norm(self.conv(maps))
        if self.is_pooled:
            # Of places first: the maxima are the same, and those of pairs are the dearer.
            doubled = nn.functional.max_pool2d(doubled, 2)
        first, second = doubled.chunk(2, dim=1)
        return torch.maximum(first, second)


class LightCnn(nn.Module):
    """Features of a window of sound by its spectrogram, for any length from half a second on."""

    def __init__(self) -> None:
        super().__init__()
        self.num_features = _NUM_FEATURES
        self.spectrogram = Spectrogram()
        self.stages = _create_stages()
        num_pooled = 2 * _CHANNELS[-1] * (self.spectrogram.num_bins >> _HALVINGS)
        self.projection = nn.Linear(num_pooled, 2 * _NUM_FEATURES, bias=False)
        self.norm = nn.BatchNorm1d(2 * _NUM_FEATURES)

    def forward(self, samples: Tensor) -> Tensor:
        """Return features (N, D) of samples (N, T) of an effective value of 1."""
        maps = self.stages(self.spectrogram(samples)[:, None])  # (N, 1, F, L) -> (N, C, f, l)
        rows = maps.flatten(1, 2)  # (N, C * f, l): where in frequency something is stays known
        pooled = torch.cat([rows.mean(dim=2), rows.amax(dim=2)], dim=1)
        first, second = self.norm(self.projection(pooled)).chunk(2, dim=1)
        return torch.maximum(first, second)


def _create_stages() -> nn.Sequential:
    one, two, three, four = _CHANNELS
    return nn.Sequential(
        MaxFeatureMap(1, one, kernel_size=5, stride=2, is_pooled=True),
        MaxFeatureMap(one, one, kernel_size=1),
        MaxFeatureMap(one, two, kernel_size=3, is_pooled=True),
        MaxFeatureMap(two, two, kernel_size=1),
        MaxFeatureMap(two, three, kernel_size=3, is_pooled=True),
        MaxFeatureMap(three, three, kernel_size=1),
        MaxFeatureMap(three, four, kernel_size=3),
        MaxFeatureMap(four, four, kernel_size=1),
        MaxFeatureMap(four, four, kernel_size=3, is_pooled=True),
    )
