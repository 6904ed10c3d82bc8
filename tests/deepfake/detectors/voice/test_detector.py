"""A voice detector gives one answer a window, the same by OpenVINO as by PyTorch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from deepfake.compute.openvino import compile_engine, read_graph
from deepfake.config import SpeechConfig, VoiceTrainConfig
from deepfake.detectors.inference.outputs import NOVELTY_PREFIX
from deepfake.detectors.voice.create import create_voice_network
from deepfake.detectors.voice.detector import VoiceDetector, load_voice_detector
from deepfake.detectors.voice.export import export_voice
from deepfake.detectors.voice.torch_networks import TorchVoiceNetwork
from deepfake.detectors.voice_bundle import VoiceSpec, load_voice_bundle, save_voice_bundle
from deepfake.errors import BundleError, ConfigError, DataError

_SIZE = 32_000


@pytest.fixture(scope="module")
def bundle_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save a network with random weights, and statistics like a trained one's."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = create_voice_network("lcnn")
        with torch.no_grad():
            for _ in range(3):
                network.train()(torch.randn(4, _SIZE))
            network.classifier.weight.mul_(5)
        width = network.num_features
        novelty = {
            f"{NOVELTY_PREFIX}projection": torch.randn(width, 8),
            f"{NOVELTY_PREFIX}means": torch.randn(2, 8),
        }
    spec = VoiceSpec(
        name="tried",
        architecture="lcnn",
        speech=SpeechConfig(window_seconds=_SIZE / 16_000),
        has_novelty=True,
        data_digests={},
        seed=0,
        code_version="0",
        created_at="2026-01-01T00:00:00+00:00",
        train_config=VoiceTrainConfig(),
    )
    state = {**network.state_dict(), **novelty}
    folder = tmp_path_factory.mktemp("voice") / "bundle"
    return save_voice_bundle(folder, state_dict=state, spec=spec)


@pytest.fixture(scope="module")
def detector(bundle_dir: Path) -> VoiceDetector:
    return load_voice_detector(bundle_dir, num_threads=2)


@pytest.fixture(scope="module")
def windows() -> list[NDArray[np.float32]]:
    rng = np.random.default_rng(1)
    return [np.asarray(level * rng.standard_normal(_SIZE), np.float32) for level in (0.2, 0.01, 1)]


def test_a_window_does_not_depend_on_its_neighbours(
    detector: VoiceDetector, windows: list[NDArray[np.float32]]
) -> None:
    together = detector.head_outputs(windows)
    assert set(together) == {"logit", "novelty"}
    assert len(set(together["logit"].tolist())) == 3
    for number, window in enumerate(windows):
        alone = detector.head_outputs([window])
        assert {name: own[0] for name, own in alone.items()} == {
            name: own[number] for name, own in together.items()
        }


def test_openvino_and_pytorch_agree(
    bundle_dir: Path, detector: VoiceDetector, windows: list[NDArray[np.float32]]
) -> None:
    reference = TorchVoiceNetwork(load_voice_bundle(bundle_dir)).outputs(np.stack(windows))
    found = detector.head_outputs(windows)
    np.testing.assert_allclose(found["logit"], reference[:, 0], atol=1e-3)
    np.testing.assert_allclose(found["novelty"], reference[:, 1], atol=1e-3)


def test_a_converted_network_is_kept(
    bundle_dir: Path,
    detector: VoiceDetector,
    windows: list[NDArray[np.float32]],
    tmp_path: Path,
) -> None:
    expected = detector.head_outputs(windows)["logit"]
    for _ in range(2):
        cached = load_voice_detector(bundle_dir, cache=tmp_path, num_threads=1)
        np.testing.assert_allclose(cached.head_outputs(windows)["logit"], expected, atol=1e-5)
    assert len(list(tmp_path.glob("*/digests.json"))) == 1


def test_windows_of_another_length_are_refused(detector: VoiceDetector) -> None:
    with pytest.raises(DataError, match="windows of 32000 samples"):
        detector.head_outputs([np.zeros(16_000, np.float32)])
    assert {name: len(own) for name, own in detector.head_outputs([]).items()} == {
        "logit": 0,
        "novelty": 0,
    }


def test_a_description_without_the_novelty_of_the_weights_is_refused(
    bundle_dir: Path, tmp_path: Path
) -> None:
    bundle = load_voice_bundle(bundle_dir)
    other = bundle.spec.model_copy(update={"has_novelty": False})
    folder = save_voice_bundle(tmp_path / "other", state_dict=bundle.state_dict(), spec=other)
    with pytest.raises(BundleError, match="differ on novelty"):
        load_voice_detector(folder)


def test_the_exported_file_gives_the_same(
    bundle_dir: Path,
    detector: VoiceDetector,
    windows: list[NDArray[np.float32]],
    tmp_path: Path,
) -> None:
    path = tmp_path / "voice.onnx"
    written = export_voice(bundle_dir, path)
    assert written.max_difference < 0.01
    assert written.metadata["bundle_digest"] == detector.bundle.digest
    (found,) = compile_engine(read_graph(path)).run(np.stack(windows))
    np.testing.assert_allclose(found[:, 0], detector.head_outputs(windows)["logit"], atol=1e-3)
    with pytest.raises(ConfigError, match="exists already"):
        export_voice(bundle_dir, path)
