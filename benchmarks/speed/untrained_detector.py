"""Write an untrained detector of the usual size, to time scoring."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from deepfake import __version__
from deepfake.config import (
    AggregationConfig,
    CropConfig,
    FaceConfig,
    SamplingConfig,
    TrainConfig,
)
from deepfake.detectors.bundles import DetectorSpec, save_bundle
from deepfake.detectors.models import DEFAULT_MODEL, create_model
from deepfake.verdicts.judgement import JudgementSettings

__all__ = ["write_detector"]

_INPUT_SIZE = 224


def write_detector(folder: Path) -> Path:
    """Write an EfficientNet-Lite0 detector with ImageNet weights; its scores mean nothing.

    Raises:
        WeightsUnavailableError: Its ImageNet weights cannot be had.
    """
    created = create_model(DEFAULT_MODEL, pretrained="imagenet", input_size=_INPUT_SIZE)
    spec = DetectorSpec(
        name="benchmark",
        architecture=created.architecture,
        input_size=created.input_size,
        mean=created.mean,
        std=created.std,
        crop=CropConfig(),
        faces=FaceConfig(),
        sampling=SamplingConfig(),
        aggregation=AggregationConfig(),
        judgement={"still": JudgementSettings(), "video": JudgementSettings()},
        data_digests={},
        scope="For measuring speed alone: it was never trained on a face.",
        pretrained_source=created.pretrained_source,
        seed=0,
        code_version=__version__,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        train_config=TrainConfig(),
    )
    return save_bundle(folder, state_dict=created.module.state_dict(), spec=spec)
