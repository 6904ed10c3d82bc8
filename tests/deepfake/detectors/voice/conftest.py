"""Sounds to show to networks, and networks of fixed weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from deepfake.detectors.voice import VoiceNetwork, create_voice_network


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    """PyTorch's threads spin while they wait: on cores that are shared that costs most."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def sound() -> Callable[..., Tensor]:
    """Return a function that makes windows of tones in noise, (num, num_samples)."""

    def make(num: int, *, num_samples: int, seed: int = 0) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        times = torch.arange(num_samples) / 16_000
        hz = 150 + 450 * torch.rand(num, 1, generator=generator)
        tones = sum((2 * torch.pi * n * hz * times).sin() / n for n in (1, 2, 3, 4))
        noise = torch.randn(num, num_samples, generator=generator)
        return 0.1 * tones + 0.02 * noise

    return make


@pytest.fixture
def network_of() -> Callable[..., VoiceNetwork]:
    """Return a function that creates a network, in training mode, from a seed."""

    def make(architecture: str, *, seed: int = 0) -> VoiceNetwork:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return create_voice_network(architecture)

    return make
