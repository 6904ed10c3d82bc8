"""A detector of lips against sound that was never trained, and runs made by code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from deepfake.config import SyncTrainConfig
from deepfake.detectors.sync.towers import SyncNetwork, create_sync_network
from deepfake.detectors.sync.windows import FPS, INPUT_SHAPES
from deepfake.detectors.sync_bundle import SyncSpec, save_sync_bundle
from deepfake.media.sound import SAMPLE_RATE
from deepfake.types import MouthRun
from deepfake.verdicts.sync import SyncJudgement

__all__ = ["create_fixed_network", "draw_run", "write_sync_bundle"]

_LEAD = round(0.6 * SAMPLE_RATE)


def create_fixed_network(seed: int = 0) -> SyncNetwork:
    """Return networks with random weights, and statistics like a trained one's."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = create_sync_network()
        with torch.no_grad():
            for _ in range(3):
                network.train()(*(torch.randn(8, *shape) for shape in INPUT_SHAPES.values()))
    return network.eval()


def write_sync_bundle(
    folder: Path, *, name: str = "tried-sync", seed: int = 0, judgement: SyncJudgement | None = None
) -> Path:
    """Save such networks as a bundle."""
    spec = SyncSpec(
        name=name,
        judgement=judgement or SyncJudgement(),
        data_digests={},
        seed=seed,
        code_version="0",
        created_at="2026-01-01T00:00:00+00:00",
        train_config=SyncTrainConfig(),
    )
    return save_sync_bundle(folder, state_dict=create_fixed_network(seed).state_dict(), spec=spec)


def draw_run(
    rng: np.random.Generator,
    *,
    num_mouths: int = 40,
    sound_span: tuple[int, int] | None = None,
    run_index: int = 0,
    pts_seconds: float = 1.0,
    is_foreign: bool = False,
) -> MouthRun:
    """Return a dark ellipse that opens with the loudness of a tone, or of another tone's.

    Args:
        rng: Of what is random.
        num_mouths: Length.
        sound_span: Outside of it is silence; None for sound throughout.
        run_index: As of `MouthRun`.
        pts_seconds: As of `MouthRun`.
        is_foreign: Whether the loudness has nothing to do with the mouth.
    """
    num_samples = round((num_mouths + 30) / FPS * SAMPLE_RATE)
    shown = _openings(rng, num_mouths + 30)
    heard = _openings(rng, num_mouths + 30) if is_foreign else shown
    time = np.arange(num_samples) / SAMPLE_RATE
    loudness = np.interp(time * FPS - 0.5, np.arange(len(heard)), heard)
    hz = rng.uniform(120, 200)
    tone = sum(np.sin(2 * np.pi * hz * k * time) / k for k in range(1, 12))
    samples = 0.1 * loudness * tone + 0.002 * rng.standard_normal(num_samples)
    span = sound_span or (0, num_samples)
    samples[: span[0]] = 0.0
    samples[span[1] :] = 0.0
    return MouthRun(
        mouths=_mouths(shown[15:-15], rng),
        samples=samples.astype(np.float32),
        sound_span=span,
        pts_seconds=pts_seconds,
        end_seconds=pts_seconds + num_mouths / FPS,
        track_id=0,
        run_index=run_index,
        face_px=float(rng.uniform(80, 160)),
        speech_seconds=num_mouths / FPS,
    )


def _openings(rng: np.random.Generator, num: int) -> np.ndarray:
    """Return how far a mouth is open, 0 to 1, at each moment."""
    drawn = rng.uniform(0, 1, size=num // 3 + 2)
    return np.interp(np.arange(num) / 3, np.arange(len(drawn)), drawn)


def _mouths(openings: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    rows, columns = np.mgrid[:64, :64] - 31.5
    light = rng.uniform(120, 180)
    pictures = []
    for opening in openings:
        inside = (columns / 22) ** 2 + (rows / (2 + 16 * opening)) ** 2 < 1
        pictures.append(np.where(inside, 40.0, light) + 3 * rng.standard_normal((64, 64)))
    return np.stack(pictures).clip(0, 255).astype(np.uint8)
