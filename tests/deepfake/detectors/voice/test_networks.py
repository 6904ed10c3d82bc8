"""What both networks must do: any length, any level, learn, and come out the same twice."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from deepfake.detectors.voice import VOICE_ARCHITECTURES, VoiceNetwork, create_voice_network
from deepfake.detectors.voice.aasist import AASIST_FULL, Aasist
from deepfake.errors import UnknownModelError

Sound = Callable[..., Tensor]
NetworkOf = Callable[..., VoiceNetwork]

each_architecture = pytest.mark.parametrize("architecture", VOICE_ARCHITECTURES)


def _num_parameters(network: torch.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_networks_are_as_large_as_they_say() -> None:
    assert 50_000 <= _num_parameters(create_voice_network("lcnn")) <= 300_000
    # AASIST-L and AASIST, whose paper says 85 and 297 thousand.
    assert abs(_num_parameters(create_voice_network("aasist")) - 85_000) < 1_000
    assert abs(_num_parameters(Aasist(AASIST_FULL)) - 297_000) < 1_000


def test_an_unknown_name_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(UnknownModelError, match=r"'rawnet2'; allowed: lcnn, aasist"):
        create_voice_network("rawnet2")


@each_architecture
def test_a_window_may_have_any_length(
    architecture: str, sound: Sound, network_of: NetworkOf
) -> None:
    network = network_of(architecture).eval()
    for num_samples in (16_000, 40_123):
        samples = sound(2, num_samples=num_samples)
        with torch.no_grad():
            logits, features = network(samples), network.embed(samples)
            judged = network.classifier(features)
        assert logits.shape == (2, 1)
        assert features.shape == (2, network.num_features)
        torch.testing.assert_close(judged, logits)


@each_architecture
def test_too_short_a_window_is_refused(architecture: str, network_of: NetworkOf) -> None:
    with pytest.raises(ValueError, match="8000 is the fewest"):
        network_of(architecture)(torch.zeros(1, 7_999))


@each_architecture
def test_level_does_not_matter(architecture: str, sound: Sound, network_of: NetworkOf) -> None:
    network = network_of(architecture).eval()
    samples = sound(2, num_samples=16_000)
    with torch.inference_mode():
        logits, quieter = network(samples), network(0.1 * samples)
        other = network(sound(2, num_samples=16_000, seed=1))
    torch.testing.assert_close(quieter, logits, atol=1e-2, rtol=0)
    assert not torch.allclose(other, logits, atol=1e-6, rtol=0)


@each_architecture
def test_a_row_does_not_depend_on_the_others(
    architecture: str, sound: Sound, network_of: NetworkOf
) -> None:
    network = network_of(architecture).eval()
    samples = sound(3, num_samples=16_000)
    with torch.inference_mode():
        alone = torch.cat([network(row[None]) for row in samples])
        torch.testing.assert_close(network(samples), alone, atol=1e-4, rtol=1e-4)


@each_architecture
def test_all_parameters_learn(architecture: str, sound: Sound, network_of: NetworkOf) -> None:
    network = network_of(architecture)
    network(sound(4, num_samples=16_000)).square().sum().backward()
    idle = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert idle == []


@each_architecture
def test_weights_follow_the_seed(architecture: str, network_of: NetworkOf) -> None:
    states = [network_of(architecture, seed=seed).state_dict() for seed in (3, 3, 4)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not torch.equal(states[0]["classifier.weight"], states[2]["classifier.weight"])


def _with_artefact(samples: Tensor) -> Tensor:
    """Return the same sound with a click every 10 ms, as frames that do not join leave it."""
    clicks = torch.zeros_like(samples)
    clicks[:, ::160] = 0.5
    return samples + clicks


def _train(network: VoiceNetwork, sound: Sound, *, num_pairs: int) -> None:
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    labels = torch.tensor([0.0, 1.0]).repeat_interleave(num_pairs)[:, None]
    for step in range(30):
        real = sound(num_pairs, num_samples=8_000, seed=100 + step)
        logits = network(torch.cat([real, _with_artefact(real)]))
        optimizer.zero_grad()
        binary_cross_entropy_with_logits(logits, labels).backward()
        optimizer.step()


@pytest.mark.parametrize(
    ("architecture", "num_pairs"), [("lcnn", 8), pytest.param("aasist", 3, marks=pytest.mark.slow)]
)
def test_some_steps_of_training_tell_an_artefact(
    architecture: str, num_pairs: int, sound: Sound, network_of: NetworkOf
) -> None:
    network = network_of(architecture)
    with torch.random.fork_rng():
        torch.manual_seed(0)  # of dropout
        _train(network, sound, num_pairs=num_pairs)
    network.eval()
    unseen = sound(16, num_samples=12_000, seed=7)
    with torch.inference_mode():
        real, spoofed = network(unseen), network(_with_artefact(unseen))
    assert spoofed.min() > real.max()
