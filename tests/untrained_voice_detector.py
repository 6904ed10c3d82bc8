"""A detector of voices that was never trained, and whose logits are not all alike."""

from __future__ import annotations

from pathlib import Path

import torch

from deepfake.config import SpeechConfig, VoiceTrainConfig
from deepfake.detectors.voice.create import create_voice_network
from deepfake.detectors.voice_bundle import VoiceSpec, save_voice_bundle

__all__ = ["write_voice_bundle"]


def write_voice_bundle(
    folder: Path,
    *,
    name: str = "tried-voice",
    seed: int = 0,
    speech: SpeechConfig | None = None,
) -> Path:
    """Save a network with random weights, statistics like a trained one's, and a scaled-up head."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = create_voice_network("lcnn")
        with torch.no_grad():
            for _ in range(3):
                network.train()(torch.randn(4, 32_000))
            network.classifier.weight.mul_(5)
    spec = VoiceSpec(
        name=name,
        architecture="lcnn",
        speech=speech or SpeechConfig(),
        data_digests={},
        seed=seed,
        code_version="0",
        created_at="2026-01-01T00:00:00+00:00",
        train_config=VoiceTrainConfig(),
    )
    return save_voice_bundle(folder, state_dict=network.state_dict(), spec=spec)
