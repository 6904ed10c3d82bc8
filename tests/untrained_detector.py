"""A small detector that was never trained, and whose logits are not all alike."""

from __future__ import annotations

from pathlib import Path

import torch

from deepfake.config import (
    AggregationConfig,
    CropConfig,
    FaceConfig,
    SamplingConfig,
    TrainConfig,
)
from deepfake.detectors.bundles import DetectorSpec, save_bundle
from deepfake.detectors.models import create_model
from deepfake.verdicts.calibration import Calibration
from deepfake.verdicts.judgement import JudgementSettings

__all__ = ["write_bundle"]


def write_bundle(folder: Path, *, model: str, size: int | None = None) -> Path:
    """Save a network with random weights, statistics like a trained one's, and a scaled-up head."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        created = create_model(model, pretrained="none", input_size=size)
        module, side = created.module, created.input_size
        with torch.no_grad():
            for _ in range(3):
                module.train()(torch.randn(4, 3, side, side))
            module.get_classifier().weight.mul_(30)
    spec = DetectorSpec(
        name="tried",
        architecture=created.architecture,
        input_size=side,
        mean=created.mean,
        std=created.std,
        crop=CropConfig(),
        faces=FaceConfig(),
        sampling=SamplingConfig(),
        aggregation=AggregationConfig(),
        judgement={
            "still": JudgementSettings(calibration=Calibration(temperature=1.5, is_fitted=True)),
            "video": JudgementSettings(),
        },
        data_digests={},
        pretrained_source="scratch",
        seed=0,
        code_version="0",
        created_at="2026-01-01T00:00:00+00:00",
        train_config=TrainConfig(),
    )
    return save_bundle(folder, state_dict=created.module.state_dict(), spec=spec)
