"""A bank of band-pass filters on samples, evenly spaced on the mel scale.

Source: Ravanelli and Bengio, "Speaker Recognition from Raw Waveform with SincNet", SLT 2018.
The bands are not learnt, as in Tak et al., "End-to-End Anti-Spoofing with RawNet2",
ICASSP 2021.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from deepfake.media.sound import SAMPLE_RATE

__all__ = ["SincFilters"]


class SincFilters(nn.Module):
    """Filters samples into bands; nothing in it is learnt or part of the state dict.

    Args:
        num_filters: Bands, from 0 Hz to half the sampling rate.
        num_taps: Length of each filter; odd.
    """

    kernels: Tensor

    def __init__(self, *, num_filters: int, num_taps: int) -> None:
        super().__init__()
        self.register_buffer("kernels", _band_passes(num_filters, num_taps), persistent=False)

    def forward(self, samples: Tensor) -> Tensor:
        """Return bands (N, num_filters, T - num_taps + 1) of samples (N, T)."""
        return nn.functional.conv1d(samples[:, None], self.kernels)


def _band_passes(num_filters: int, num_taps: int) -> Tensor:
    """Return kernels (num_filters, 1, num_taps): differences of low-passes under a window."""
    edges = _mel_edges(num_filters + 1)[:, None]  # cycles a sample
    times = torch.arange(num_taps, dtype=torch.float64) - num_taps // 2
    low_passes = 2 * edges * torch.sinc(2 * edges * times)  # (num_filters + 1, num_taps)
    window = torch.hamming_window(num_taps, periodic=False, dtype=torch.float64)
    return ((low_passes[1:] - low_passes[:-1]) * window).float()[:, None]


def _mel_edges(num: int) -> Tensor:
    """Return frequencies from 0 to a half, evenly spaced on O'Shaughnessy's mel scale."""
    highest = torch.tensor(SAMPLE_RATE / 2, dtype=torch.float64)
    mels = torch.linspace(0.0, 1.0, num, dtype=torch.float64) * torch.log10(1 + highest / 700)
    return 700 * (10**mels - 1) / SAMPLE_RATE
