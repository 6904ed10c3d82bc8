"""Create voice networks with one logit, positive for spoofed, from a name."""

from __future__ import annotations

from torch import Tensor, nn

from deepfake.detectors.voice.aasist import Aasist
from deepfake.detectors.voice.architectures import (
    VOICE_ARCHITECTURES,
    reject_unknown_voice_network,
)
from deepfake.detectors.voice.lcnn import LightCnn
from deepfake.detectors.voice.spectrogram import normalize_level
from deepfake.media.sound import SAMPLE_RATE

__all__ = ["VOICE_ARCHITECTURES", "VoiceNetwork", "create_voice_network"]

_DROPOUT = 0.5
_MIN_SAMPLES = SAMPLE_RATE // 2


class VoiceNetwork(nn.Module):
    """Judges windows of speech, however loud they are.

    Args:
        body: Takes samples (N, T) of an effective value of 1, gives features (N, D).
        num_features: D.

    Attributes:
        num_features: Features that the last layer takes.
    """

    def __init__(self, body: nn.Module, *, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features
        self.body = body
        self.dropout = nn.Dropout(_DROPOUT)
        self.classifier = nn.Linear(num_features, 1)

    def forward(self, samples: Tensor) -> Tensor:
        """Return logits (N, 1), positive for spoofed, of samples as `embed` takes them."""
        logits: Tensor = self.classifier(self.dropout(self.embed(samples)))
        return logits

    def embed(self, samples: Tensor) -> Tensor:
        """Return the features (N, D) that the last layer takes.

        Args:
            samples: Shape (N, T), float32, -1 to 1, 16 kHz; of half a second at least.

        Raises:
            ValueError: The windows are shorter.
        """
        if samples.shape[1] < _MIN_SAMPLES:
            raise ValueError(f"{samples.shape[1]} samples, {_MIN_SAMPLES} is the fewest")
        features: Tensor = self.body(normalize_level(samples))
        return features


def create_voice_network(architecture: str) -> VoiceNetwork:
    """Build a network with new weights, drawn from PyTorch's own generator.

    Args:
        architecture: `lcnn`, a light CNN on spectrograms, or `aasist`, which is AASIST-L, on
            samples.

    Returns:
        The network on the CPU in training mode.

    Raises:
        UnknownModelError: No such architecture.
    """
    reject_unknown_voice_network(architecture)
    body = Aasist() if architecture == "aasist" else LightCnn()
    return VoiceNetwork(body, num_features=body.num_features)
