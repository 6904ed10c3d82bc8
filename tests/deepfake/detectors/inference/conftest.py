"""Small detectors whose logits are not all alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

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
from tests.sample_data import clip_frames

Pixels = NDArray[np.uint8]


def write_bundle(folder: Path, *, model: str, size: int | None = None) -> Path:
    """Save a network from scratch with the statistics of a trained one, and a head that speaks."""
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


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    """PyTorch's threads spin while they wait: on cores that are shared that costs most."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def crops() -> list[Pixels]:
    """Return pictures of a face, drifting and noisy, and of sizes that have to be changed."""
    shrunk = clip_frames(30, seed=1, side=80)
    return [*shrunk, *clip_frames(4, seed=2, side=64), *clip_frames(6, seed=3, side=50)] * 2


@pytest.fixture(scope="session")
def bundle_writer() -> Callable[..., Path]:
    """Return `write_bundle`."""
    return write_bundle


@pytest.fixture(scope="session")
def bundle_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a detector of 64 pixels that takes a second to convert."""
    folder = tmp_path_factory.mktemp("detector") / "bundle"
    return write_bundle(folder, model="test_efficientnet", size=64)


@pytest.fixture(scope="session")
def engine_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which converted networks are kept."""
    return tmp_path_factory.mktemp("cache") / "openvino"
