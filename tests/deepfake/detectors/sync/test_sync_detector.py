"""A detector of lips against sound: fixed numbers, on whatever computes them, and its files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from deepfake.compute.openvino import compile_engine, read_graph
from deepfake.config import MouthConfig
from deepfake.detectors.bundles import load_bundle
from deepfake.detectors.open_bundle import open_bundle
from deepfake.detectors.sync.detector import SyncDetector, load_sync_detector
from deepfake.detectors.sync.export import export_sync
from deepfake.detectors.sync.torch_networks import TorchSyncNetworks
from deepfake.detectors.sync.towers import create_sync_network
from deepfake.detectors.sync.windows import (
    FPS,
    INPUT_SHAPES,
    MAX_OFFSET,
    SIZE_PX,
    log_mel,
    sound_windows,
)
from deepfake.detectors.sync_bundle import SyncBundle, SyncSpec, load_sync_bundle
from deepfake.errors import BundleError, ConfigError, DataError
from deepfake.types import MouthRun
from tests.untrained_sync_detector import create_fixed_network, draw_run, write_sync_bundle


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sync_bundle(tmp_path_factory.mktemp("sync") / "bundle")


@pytest.fixture(scope="module")
def detector(folder: Path) -> SyncDetector:
    return load_sync_detector(folder, num_threads=1)


@pytest.fixture
def run() -> MouthRun:
    return draw_run(np.random.default_rng(0), num_mouths=12)


def test_both_networks_together_have_few_weights() -> None:
    num = sum(one.numel() for one in create_sync_network().parameters())
    assert 150_000 <= num <= 300_000


def test_embeddings_have_length_1_and_are_128_numbers() -> None:
    network = create_fixed_network()
    inputs = (torch.randn(3, *shape) for shape in INPUT_SHAPES.values())
    with torch.inference_mode():
        for embeddings in network(*inputs):
            assert embeddings.shape == (3, 128)
            torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(3))


def test_openvino_agrees_with_pytorch(detector: SyncDetector, run: MouthRun) -> None:
    expected = replace(detector, networks=TorchSyncNetworks(detector.bundle)).similarities(run)
    found = detector.similarities(run)
    assert found.shape == (8, 31)
    assert found.dtype == np.float32
    assert float(found.std()) > 1e-3
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_where_there_is_no_sound_there_is_no_number(detector: SyncDetector) -> None:
    rng = np.random.default_rng(0)
    found = detector.similarities(draw_run(rng, num_mouths=12, sound_span=(6_400, 20_000)))
    known = ~np.isnan(found)
    rows, columns = np.nonzero(known)
    assert (rows + columns).min() == 10
    assert (rows + columns).max() == 26
    assert known[:, 15].all()


def test_silence_before_and_after_does_not_matter(detector: SyncDetector) -> None:
    run = draw_run(np.random.default_rng(0), num_mouths=12, sound_span=(6_400, 20_000))
    noisy = run.samples.copy()
    noisy[:6_000] = 0.5
    found = detector.similarities(replace(run, samples=noisy))
    np.testing.assert_allclose(found[:, 15], detector.similarities(run)[:, 15], atol=1e-4)


def test_a_window_does_not_depend_on_the_others(detector: SyncDetector, run: MouthRun) -> None:
    windows = np.ascontiguousarray(sound_windows(log_mel(run.samples, sound_span=run.sound_span)))
    together = detector.networks.embed_sounds(windows)
    np.testing.assert_array_equal(together[3:5], detector.networks.embed_sounds(windows[3:5]))


def test_a_run_that_was_cut_otherwise_is_rejected(detector: SyncDetector, run: MouthRun) -> None:
    with pytest.raises(DataError, match="samples of sound"):
        detector.similarities(replace(run, samples=run.samples[:-1], sound_span=(0, 100)))
    with pytest.raises(DataError, match="64 pixels"):
        detector.similarities(replace(run, mouths=run.mouths[:, :32, :32]))
    with pytest.raises(DataError, match="5 mouths or more"):
        detector.similarities(replace(run, mouths=run.mouths[:4]))


def test_a_bundle_is_found_by_its_modality(folder: Path) -> None:
    bundle = open_bundle(folder)
    assert isinstance(bundle, SyncBundle)
    assert bundle.tags["method"] == "sync"
    assert bundle.spec.extract_config.mouths == MouthConfig()
    with pytest.raises(BundleError, match="a detector of lips and sound, and one of faces"):
        load_bundle(folder)


def test_the_usual_runs_are_those_that_the_networks_take() -> None:
    usual = MouthConfig()
    wanted = (FPS, SIZE_PX, MAX_OFFSET / FPS)
    assert (usual.fps, usual.size_px, usual.lead_seconds) == wanted


def test_settings_that_the_networks_cannot_take_are_rejected(folder: Path) -> None:
    spec = load_sync_bundle(folder).spec.model_dump()
    spec["mouths"]["fps"] = 30.0
    with pytest.raises(ValueError, match="fps, size_px and lead_seconds"):
        SyncSpec.model_validate(spec)


def test_onnx_files_of_both_networks_give_the_same_numbers(folder: Path, tmp_path: Path) -> None:
    written = export_sync(folder, tmp_path / "sync.onnx")
    assert written.max_difference < 1e-4
    assert json.loads(written.metadata["mouths"])["size_px"] == 64
    network = create_fixed_network()
    for tower, part in (("mouth", network.mouth), ("sound", network.sound)):
        engine = compile_engine(read_graph(tmp_path / f"sync.{tower}.onnx"))
        window = np.random.default_rng(1).standard_normal((2, *INPUT_SHAPES[tower]))
        (found,) = engine.run(window.astype(np.float32))
        with torch.inference_mode():
            expected = part(torch.from_numpy(window.astype(np.float32))).numpy()
        np.testing.assert_allclose(found, expected, atol=1e-4)
    with pytest.raises(ConfigError):
        export_sync(folder, tmp_path / "sync.onnx")


def test_converted_networks_are_cached(folder: Path, tmp_path: Path, run: MouthRun) -> None:
    first = load_sync_detector(folder, cache=tmp_path, num_threads=1).similarities(run)
    assert len(list(tmp_path.glob("*/graph.xml"))) == 2
    again = load_sync_detector(folder, cache=tmp_path, num_threads=1).similarities(run)
    np.testing.assert_array_equal(again, first)


def test_fixed_weights_give_fixed_numbers() -> None:
    network = create_sync_network().eval()
    with torch.no_grad():
        for name, values in network.state_dict().items():
            if values.is_floating_point():
                steps = torch.arange(values.numel(), dtype=torch.float64).reshape(values.shape)
                wave = torch.sin(0.7 * steps + len(name))
                values.copy_(1 + 0.1 * wave if "running_var" in name else 0.2 * wave)
    inputs = [
        torch.cos(0.1 * torch.arange(int(np.prod(shape)), dtype=torch.float64)).reshape(1, *shape)
        for shape in INPUT_SHAPES.values()
    ]
    with torch.inference_mode():
        mouth, sound = network(*(one.float() for one in inputs))
    found = [*mouth[0, :3].tolist(), *sound[0, :3].tolist()]
    assert found == pytest.approx(_GOLDEN, abs=1e-5)


_GOLDEN = [-0.092384, -0.027148, -0.027221, -0.113064, -0.040423, 0.029505]
"""Of both embeddings the first three numbers."""
