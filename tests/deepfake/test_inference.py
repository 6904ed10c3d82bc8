"""Crops in, logits out: each of its own crop alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from deepfake.bundles import DetectorSpec, save_bundle
from deepfake.calibration import Calibration, Thresholds
from deepfake.config import (
    AggregationConfig,
    CropConfig,
    FaceConfig,
    SamplingConfig,
    TrainConfig,
)
from deepfake.errors import BundleError, ConfigError
from deepfake.inference import Detector, load_detector, resolve_device, to_input
from deepfake.models import create_model

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@pytest.fixture(scope="module")
def crops() -> list[NDArray[np.uint8]]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, size=(80, 80, 3), dtype=np.uint8) for _ in range(70)]


@pytest.fixture(scope="module")
def bundle_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    created = create_model("test_efficientnet", pretrained="none", input_size=64)
    # Statistics of a trained network are not 0 and 1, and its logits not all alike.
    created.module.train()
    with torch.no_grad():
        for _ in range(20):
            created.module(torch.randn(16, 3, 64, 64))
    spec = DetectorSpec(
        name="tried",
        architecture=created.architecture,
        input_size=64,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        crop=CropConfig(),
        faces=FaceConfig(),
        sampling=SamplingConfig(),
        aggregation=AggregationConfig(),
        calibration_still=Calibration(),
        calibration_video=Calibration(),
        thresholds_still=Thresholds(),
        thresholds_video=Thresholds(),
        data_digests={},
        pretrained_source="scratch",
        seed=0,
        code_version="0",
        created_at="2026-01-01T00:00:00+00:00",
        train_config=TrainConfig(),
    )
    folder = tmp_path_factory.mktemp("detector") / "bundle"
    return save_bundle(folder, state_dict=created.module.state_dict(), spec=spec)


@pytest.fixture(scope="module")
def detector(bundle_dir: Path) -> Detector:
    return load_detector(bundle_dir, device="cpu")


def test_logit_does_not_depend_on_neighbours_in_the_batch(
    detector: Detector, crops: list[NDArray[np.uint8]]
) -> None:
    together = detector.logits(crops)
    alone = np.concatenate([detector.logits([crop]) for crop in crops])
    backwards = detector.logits(crops[::-1])[::-1]
    assert together.dtype == np.float32
    assert together.std() > 1e-3
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(together, backwards, atol=1e-5)


def test_no_crops_give_no_logits(detector: Detector) -> None:
    assert detector.logits([]).shape == (0,)


def test_loaded_network_is_in_evaluation_mode(detector: Detector) -> None:
    assert not detector.module.training
    before = {k: v.clone() for k, v in detector.module.state_dict().items()}
    detector.logits([np.zeros((64, 64, 3), dtype=np.uint8)])
    after = detector.module.state_dict()
    assert all(torch.equal(after[k], v) for k, v in before.items())


def test_input_is_normalised_per_channel() -> None:
    colour = (255, 128, 0)
    crop = np.full((32, 32, 3), colour, dtype=np.uint8)
    tensor = to_input([crop], input_size=32, mean=IMAGENET_MEAN, std=IMAGENET_STD)
    expected = [
        (c / 255 - m) / s for c, m, s in zip(colour, IMAGENET_MEAN, IMAGENET_STD, strict=True)
    ]
    assert tensor.shape == (1, 3, 32, 32)
    assert tensor.dtype == torch.float32
    assert tensor.is_contiguous(memory_format=torch.channels_last)
    np.testing.assert_allclose(tensor[0, :, 7, 9].numpy(), expected, atol=1e-6)


def test_shrinking_averages_areas() -> None:
    checkers = np.zeros((64, 64, 3), dtype=np.uint8)
    checkers[::2, ::2] = 200
    checkers[1::2, 1::2] = 200
    tensor = to_input([checkers], input_size=32, mean=(0.0,) * 3, std=(1.0,) * 3)
    np.testing.assert_allclose(tensor.numpy(), 100 / 255, atol=1e-6)


def test_crops_of_different_sizes_go_together() -> None:
    mixed = [np.zeros((s, s, 3), dtype=np.uint8) for s in (16, 32, 48)]
    tensor = to_input(mixed, input_size=32, mean=(0.0,) * 3, std=(1.0,) * 3)
    assert tensor.shape == (3, 3, 32, 32)


def test_input_is_not_changed(crops: list[NDArray[np.uint8]]) -> None:
    before = crops[0].copy()
    to_input(crops[:1], input_size=80, mean=IMAGENET_MEAN, std=IMAGENET_STD)
    assert np.array_equal(crops[0], before)


def test_weights_of_another_network_are_refused(tmp_path: Path, detector: Detector) -> None:
    spec = detector.spec.model_copy(update={"architecture": "test_resnet"})
    folder = save_bundle(tmp_path / "b", state_dict=detector.bundle.state_dict(), spec=spec)
    with pytest.raises(BundleError, match="do not fit test_resnet"):
        load_detector(folder, device="cpu")


def test_unknown_architecture_is_refused(tmp_path: Path, detector: Detector) -> None:
    spec = detector.spec.model_copy(update={"architecture": "no_such_net"})
    folder = save_bundle(tmp_path / "b", state_dict=detector.bundle.state_dict(), spec=spec)
    with pytest.raises(BundleError, match="no_such_net"):
        load_detector(folder, device="cpu")


def test_number_of_threads_is_set_on_demand(bundle_dir: Path) -> None:
    before = torch.get_num_threads()
    try:
        load_detector(bundle_dir, device="cpu", num_threads=1)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


def test_cuda_asked_for_by_name_has_to_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("auto").type == "cpu"
    with pytest.raises(ConfigError) as caught:
        resolve_device("cuda")
    assert caught.value.hint is not None


@pytest.mark.parametrize("name", ["gpu", "", "meta", "cuda:x"])
def test_unknown_device_is_refused(name: str) -> None:
    with pytest.raises(ConfigError):
        resolve_device(name)


@pytest.mark.gpu
def test_cuda_gives_the_logits_of_the_cpu(
    bundle_dir: Path, detector: Detector, crops: list[NDArray[np.uint8]]
) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    on_cuda = load_detector(bundle_dir, device="cuda").logits(crops)
    np.testing.assert_allclose(on_cuda, detector.logits(crops), atol=1e-3)
