"""Log spectrograms of sound as layers of a network, which OpenVINO and ONNX can convert.

The frequencies are linear: a mel scale would merge high ones, where vocoders leave traces.

Source: Sahidullah, Kinnunen and Hanilçi, "A Comparison of Features for Synthetic Speech Detection",
Interspeech 2015, on linear against mel cepstra; spectrograms for a light CNN: Lavrentyeva et al.,
"STC Antispoofing Systems for the ASVspoof2019 Challenge", Interspeech 2019.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from deepfake.media.sound import SAMPLE_RATE

__all__ = ["Spectrogram", "normalize_level"]

_FFT_SAMPLES = 512
_WINDOW_SAMPLES = SAMPLE_RATE * 25 // 1000
_HOP_SAMPLES = SAMPLE_RATE * 10 // 1000
_CHUNK_SAMPLES = 80
"""Divides the window and the hop, so that a chunk's samples can be the channels of a convolution,
which takes a quarter less time than one of a single channel."""

_NUM_BINS = 240
"""Of 31.25 Hz, without 0 Hz, up to 7.5 kHz: above, the filter of whatever resampled the file to
16 kHz shows, which may tell corpora apart."""
_MIDDLE_BIN = _FFT_SAMPLES // 4

_MIN_POWER = 1e-4
"""White noise of an effective value of 1 has 150 in each bin; 62 dB below it, gaps that a codec
leaves in the spectrum look like a quiet recording."""

_MIN_MEAN_SQUARE = 1e-10
"""-100 dB of full scale: silence stays silent."""


def normalize_level(samples: Tensor) -> Tensor:
    """Return windows without their mean, with an effective value of 1 each.

    Args:
        samples: Shape (N, T).
    """
    centered = samples - samples.mean(dim=1, keepdim=True)
    mean_square = centered.square().mean(dim=1, keepdim=True)
    return centered * torch.rsqrt(mean_square + _MIN_MEAN_SQUARE)


class Spectrogram(nn.Module):
    """Logarithms of power with a mean of 0 and a standard deviation of 1 in each window.

    Mean and deviation are of all bins and frames together, so that the shape of the long-term
    spectrum is kept. The kernels are fixed and not part of the state dict.
    """

    even_kernels: Tensor
    odd_kernels: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.num_bins = _NUM_BINS
        kernels = _fourier_kernels()
        self.register_buffer("even_kernels", _by_chunks(kernels[:, 0::2]), persistent=False)
        self.register_buffer("odd_kernels", _by_chunks(kernels[:, 1::2]), persistent=False)

    def forward(self, samples: Tensor) -> Tensor:
        """Return a spectrogram (N, F, L) of samples (N, T): L frames, 10 ms apart."""
        logarithms = torch.log(self.power(samples) + _MIN_POWER)
        centered = logarithms - logarithms.mean(dim=(1, 2), keepdim=True)
        variance = centered.square().mean(dim=(1, 2), keepdim=True)
        return centered * torch.rsqrt(variance + _MIN_POWER)

    def power(self, samples: Tensor) -> Tensor:
        """Return the squared magnitudes (N, F, L) of samples (N, T), T at least 400.

        As in the first step of a fast Fourier transform, even samples and odd samples are
        transformed apart: their sum is bin k, the conjugate of their difference bin 256 - k.
        """
        num_chunks = samples.shape[1] // _CHUNK_SAMPLES
        whole = samples[:, : num_chunks * _CHUNK_SAMPLES]
        # (N, T) -> (N, T / 80, 40, 2) -> (N, 2, 40, T / 80)
        chunks = whole.reshape(-1, num_chunks, _CHUNK_SAMPLES // 2, 2).permute(0, 3, 2, 1)
        stride = _HOP_SAMPLES // _CHUNK_SAMPLES
        even = nn.functional.conv1d(chunks[:, 0], self.even_kernels, stride=stride)
        odd = nn.functional.conv1d(chunks[:, 1], self.odd_kernels, stride=stride)
        low, high = _square_magnitude(even + odd), _square_magnitude(even - odd)
        lowest_mirrored = _FFT_SAMPLES // 2 - _NUM_BINS - 1
        return torch.cat([low, high[:, lowest_mirrored : _MIDDLE_BIN - 1].flip(1)], dim=1)


def _square_magnitude(parts: Tensor) -> Tensor:
    """Return (N, F, L) of real parts and then imaginary ones, (N, 2 F, L)."""
    real, imaginary = parts.square().chunk(2, dim=1)
    return real + imaginary


def _fourier_kernels() -> Tensor:
    """Return cosines and sines under a Hann window, (2 * 128, 400): bins 1 to 128."""
    bins = torch.arange(1, _MIDDLE_BIN + 1, dtype=torch.float64)
    times = torch.arange(_WINDOW_SAMPLES, dtype=torch.float64)
    angles = 2 * torch.pi / _FFT_SAMPLES * bins[:, None] * times
    window = torch.hann_window(_WINDOW_SAMPLES, dtype=torch.float64)
    return (torch.cat([angles.cos(), angles.sin()]) * window).float()


def _by_chunks(kernels: Tensor) -> Tensor:
    """Return kernels (K, 40, 5) for chunks of 40 samples of every second, of kernels (K, 200)."""
    return kernels.reshape(len(kernels), -1, _CHUNK_SAMPLES // 2).transpose(1, 2).contiguous()
