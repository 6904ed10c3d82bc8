"""Spectrograms as a convolution equal those of a Fourier transform, at any level."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from deepfake.detectors.voice.spectrogram import Spectrogram, normalize_level

Sound = Callable[..., Tensor]


@pytest.mark.parametrize("num_samples", [400, 16_000, 23_456, 64_000])
def test_power_is_that_of_a_short_time_fourier_transform(sound: Sound, num_samples: int) -> None:
    samples = normalize_level(sound(2, num_samples=num_samples))
    # Its windows lie in the middle of 512 samples.
    padded = functional.pad(samples, (56, 56))
    expected = torch.stft(
        padded, 512, 160, 400, torch.hann_window(400), center=False, return_complex=True
    ).abs()[:, 1:241]
    found = Spectrogram().power(samples).sqrt()
    assert found.shape == (2, 240, (num_samples - 400) // 160 + 1)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("hz", [500, 3968.75, 4000, 4031.25, 7000])
def test_a_tone_is_brightest_in_the_bin_of_its_frequency(hz: float) -> None:
    tone = torch.sin(2 * torch.pi * hz * torch.arange(16_000, dtype=torch.float64) / 16_000)
    spectrogram = Spectrogram()(tone.float()[None])
    brightest = spectrogram[0].mean(dim=1).argmax()
    assert 31.25 * (int(brightest) + 1) == hz


def test_a_window_has_a_mean_of_0_and_a_deviation_of_1(sound: Sound) -> None:
    spectrogram = Spectrogram()(normalize_level(sound(3, num_samples=32_000)))
    means, deviations = spectrogram.mean(dim=(1, 2)), spectrogram.std(dim=(1, 2))
    torch.testing.assert_close(means, torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(deviations, torch.ones(3), atol=1e-3, rtol=0)


def test_level_and_offset_are_taken_away(sound: Sound) -> None:
    samples = sound(2, num_samples=16_000)
    expected = normalize_level(samples)
    torch.testing.assert_close(expected.square().mean(dim=1), torch.ones(2))
    torch.testing.assert_close(normalize_level(0.1 * samples + 0.3), expected, atol=1e-4, rtol=0)


def test_silence_stays_silent_and_finite() -> None:
    silence = torch.zeros(1, 16_000)
    assert not normalize_level(silence).any()
    assert Spectrogram()(silence).abs().max() < 1e-3


def test_nothing_of_it_is_learnt_or_saved() -> None:
    spectrogram = Spectrogram()
    assert not spectrogram.state_dict()
    assert not list(spectrogram.parameters())
