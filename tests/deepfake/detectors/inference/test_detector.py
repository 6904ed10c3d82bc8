"""Crops in, logits out: each of its own crop alone, whatever computes."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from deepfake.compute import devices
from deepfake.compute import openvino as engines
from deepfake.compute.openvino import has_bf16
from deepfake.config import MediaLimits
from deepfake.detectors.bundles import save_bundle
from deepfake.detectors.inference import Detector, load_detector, torch_networks
from deepfake.detectors.inference.conversion import convert_bundle
from deepfake.errors import BundleError, ConfigError, ModelError
from deepfake.media import read_image
from tests.paths import CHECKOUT
from tests.sample_data import make_detector

Pixels = NDArray[np.uint8]


@pytest.fixture(scope="module")
def detector(bundle_dir: Path, engine_cache: Path) -> Detector:
    return load_detector(bundle_dir, device="cpu", cache=engine_cache)


@pytest.fixture(scope="module")
def reference(bundle_dir: Path) -> Detector:
    return load_detector(bundle_dir, device="cpu", backend="torch")


@pytest.mark.parametrize("num_threads", [1, 2])
def test_logit_does_not_depend_on_neighbours_in_the_batch(
    bundle_dir: Path, engine_cache: Path, crops: list[Pixels], num_threads: int
) -> None:
    detector = load_detector(bundle_dir, device="cpu", cache=engine_cache, num_threads=num_threads)
    together = detector.logits(crops)
    alone = np.concatenate([detector.logits([crop]) for crop in crops])
    backwards = detector.logits(crops[::-1])[::-1]
    assert together.dtype == np.float32
    assert together.std() > 1e-3
    assert np.array_equal(together, alone)
    assert np.array_equal(together, backwards)


def test_reference_does_not_depend_on_neighbours_either(
    reference: Detector, crops: list[Pixels]
) -> None:
    few = crops[:40:4]
    alone = np.concatenate([reference.logits([crop]) for crop in few])
    np.testing.assert_allclose(reference.logits(crops)[:40:4], alone, atol=1e-5)


def test_openvino_gives_the_logits_of_pytorch(
    detector: Detector, reference: Detector, crops: list[Pixels]
) -> None:
    expected = reference.logits(crops)
    assert expected.std() > 1e-2
    np.testing.assert_allclose(detector.logits(crops), expected, atol=1e-4)


def test_no_crops_give_no_logits(detector: Detector) -> None:
    assert detector.logits([]).shape == (0,)


def test_network_of_the_reference_is_in_evaluation_mode(reference: Detector) -> None:
    module = reference.network.module  # type: ignore[attr-defined]
    assert not any(part.training for part in module.modules())
    before = {k: v.clone() for k, v in module.state_dict().items()}
    reference.logits([np.zeros((64, 64, 3), dtype=np.uint8)])
    assert all(torch.equal(module.state_dict()[k], v) for k, v in before.items())


@pytest.mark.parametrize("backend", ["openvino", "torch"])
def test_logit_that_is_no_number_is_an_error(
    tmp_path: Path, detector: Detector, backend: Any
) -> None:
    state = detector.bundle.state_dict()
    state["classifier.weight"] = state["classifier.weight"] * float("inf")
    folder = save_bundle(tmp_path / "b", state_dict=state, spec=detector.spec)
    with pytest.raises(ModelError, match=r"not a finite number|differ by (nan|inf)"):
        load_detector(folder, device="cpu", backend=backend).logits(
            [np.zeros((64, 64, 3), dtype=np.uint8)]
        )


@pytest.mark.parametrize("backend", ["auto", "torch"])
@pytest.mark.parametrize("architecture", ["test_resnet", "no_such_net"])
def test_weights_of_another_network_are_refused(
    tmp_path: Path, detector: Detector, architecture: str, backend: Any
) -> None:
    spec = detector.spec.model_copy(update={"architecture": architecture})
    folder = save_bundle(tmp_path / "b", state_dict=detector.bundle.state_dict(), spec=spec)
    with pytest.raises(BundleError, match=f"do not fit {architecture}"):
        load_detector(folder, device="cpu", backend=backend, cache=tmp_path / "cache")


def test_number_of_threads_of_the_reference_is_set_on_demand(bundle_dir: Path) -> None:
    before = torch.get_num_threads()
    try:
        load_detector(bundle_dir, device="cpu", backend="torch", num_threads=2)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_what_does_not_go_together_is_refused(
    bundle_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "has_bf16", lambda: True)
    with pytest.raises(ConfigError, match="PyTorch computes in f32"):
        load_detector(bundle_dir, device="cpu", backend="torch", precision="bf16")
    monkeypatch.setattr(devices, "_has_driver", lambda: True)
    monkeypatch.setattr(devices, "_has_cuda", lambda: True)
    with pytest.raises(ConfigError, match="OpenVINO computes on the CPU, not on cuda"):
        load_detector(bundle_dir, device="cuda", backend="openvino")


def test_bf16_is_another_computation(
    bundle_dir: Path, engine_cache: Path, detector: Detector, crops: list[Pixels]
) -> None:
    if not has_bf16():
        with pytest.raises(ConfigError, match="bfloat16"):
            load_detector(bundle_dir, device="cpu", precision="bf16", cache=engine_cache)
        return
    coarse = load_detector(bundle_dir, device="cpu", precision="bf16", cache=engine_cache)
    found, expected = coarse.logits(crops), detector.logits(crops)
    assert not np.array_equal(found, expected)
    np.testing.assert_allclose(found, expected, atol=0.2)


def _forbidden(*_: object) -> Any:
    raise AssertionError("converted again")


def test_network_is_converted_once(
    bundle_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, crops: list[Pixels]
) -> None:
    first = load_detector(bundle_dir, device="cpu", cache=tmp_path).logits(crops[:3])
    monkeypatch.setattr(torch_networks, "build_graph", _forbidden)
    again = load_detector(bundle_dir, device="cpu", cache=tmp_path).logits(crops[:3])
    assert np.array_equal(first, again)
    with pytest.raises(AssertionError, match="converted again"):
        load_detector(bundle_dir, device="cpu", cache=tmp_path / "other")


def test_altered_network_is_not_used(bundle_dir: Path, tmp_path: Path, crops: list[Pixels]) -> None:
    first = load_detector(bundle_dir, device="cpu", cache=tmp_path).logits(crops[:3])
    (weights,) = tmp_path.rglob("*.bin")
    pixels = bytearray(weights.read_bytes())
    pixels[len(pixels) // 2] ^= 0xFF
    weights.write_bytes(pixels)
    again = load_detector(bundle_dir, device="cpu", cache=tmp_path).logits(crops[:3])
    assert np.array_equal(first, again)
    (weights,) = tmp_path.rglob("*.bin")
    assert weights.read_bytes() != pixels


def test_another_detector_has_another_network(
    bundle_dir: Path, tmp_path: Path, detector: Detector, crops: list[Pixels]
) -> None:
    load_detector(bundle_dir, device="cpu", cache=tmp_path)
    spec = detector.spec.model_copy(update={"mean": (0.1, 0.2, 0.3)})
    other = save_bundle(tmp_path / "b", state_dict=detector.bundle.state_dict(), spec=spec)
    expected = load_detector(other, device="cpu", backend="torch").logits(crops[:3])
    found = load_detector(other, device="cpu", cache=tmp_path).logits(crops[:3])
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert not np.allclose(found, detector.logits(crops[:3]), atol=1e-4)


def test_those_that_start_at_once_convert_once(
    bundle_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, crops: list[Pixels]
) -> None:
    built: list[object] = []
    build: Callable[[Any], Any] = torch_networks.build_graph

    def counting(bundle: Any) -> Any:
        built.append(bundle)
        return build(bundle)

    monkeypatch.setattr(torch_networks, "build_graph", counting)

    def score(_: int) -> list[float]:
        loaded = load_detector(bundle_dir, device="cpu", cache=tmp_path, num_threads=1)
        return [float(logit) for logit in loaded.logits(crops[:2])]

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(score, range(4)))
    assert len(built) == 1
    assert all(result == results[0] for result in results)
    assert not list(tmp_path.glob("*.part"))


def test_folder_that_cannot_be_written_is_no_obstacle(
    bundle_dir: Path, tmp_path: Path, detector: Detector, crops: list[Pixels]
) -> None:
    (tmp_path / "file").write_text("no folder\n")
    found = load_detector(bundle_dir, device="cpu", cache=tmp_path / "file").logits(crops[:3])
    assert np.array_equal(found, detector.logits(crops[:3]))


def test_network_that_cannot_be_converted_runs_in_pytorch(
    bundle_dir: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object, **__: object) -> Any:
        raise ModelError("no such operation")

    monkeypatch.setattr(torch_networks, "convert_module", refuse)
    with caplog.at_level(logging.WARNING):
        detector = load_detector(bundle_dir, device="cpu")
    assert "no such operation" in caplog.text
    assert isinstance(detector.network, torch_networks.TorchNetwork)
    with pytest.raises(ModelError, match="no such operation"):
        load_detector(bundle_dir, device="cpu", backend="openvino")


def test_conversion_that_changes_logits_is_refused(
    bundle_dir: Path, monkeypatch: pytest.MonkeyPatch, detector: Detector
) -> None:
    other = torch_networks.PixelNetwork(
        torch_networks.load_module(detector.bundle), mean=(0.0,) * 3, std=(9.0,) * 3
    )
    convert = torch_networks.convert_module
    monkeypatch.setattr(
        torch_networks, "convert_module", lambda _, example: convert(other.eval(), example=example)
    )
    with pytest.raises(ModelError, match="the converted network gives logits that differ"):
        load_detector(bundle_dir, device="cpu", backend="openvino")


_WORKER = """
import json, sys
from pathlib import Path
import numpy as np
from deepfake.detectors.inference import load_detector
detector = load_detector(Path(sys.argv[1]), device="auto", cache=Path(sys.argv[2]), num_threads=1)
crop = np.full((80, 80, 3), 90, np.uint8)
names = ("torch", "timm", "torchvision", "openvino_telemetry.main")
print(json.dumps({
    "logit": float(detector.logits([crop])[0]),
    "heavy": [name for name in names if name in sys.modules],
}))
"""


def _run_worker(bundle: Path, cache: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", _WORKER, str(bundle), str(cache)],
        cwd=CHECKOUT,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    reported: dict[str, Any] = json.loads(done.stdout)
    return reported


def test_scoring_on_the_cpu_needs_no_pytorch(
    bundle_dir: Path, engine_cache: Path, detector: Detector
) -> None:
    reported = _run_worker(bundle_dir, engine_cache)
    assert reported["heavy"] == []
    expected = detector.logits([np.full((80, 80, 3), 90, np.uint8)])
    assert reported["logit"] == pytest.approx(float(expected[0]), abs=1e-6)


def test_not_even_where_the_network_has_to_be_converted(
    bundle_dir: Path, tmp_path: Path, detector: Detector
) -> None:
    assert _run_worker(bundle_dir, tmp_path)["heavy"] == []
    assert len(list(tmp_path.rglob("graph.bin"))) == 1


def test_child_that_fails_is_no_obstacle(
    bundle_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "_CHILD", "raise SystemExit(3)")
    monkeypatch.setattr(engines, "_has_torch", lambda: False)
    convert_bundle(bundle_dir, tmp_path / "graph.xml")
    assert (tmp_path / "graph.bin").stat().st_size > 100_000


@pytest.fixture(scope="module")
def lite0(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_detector(tmp_path_factory.mktemp("lite0") / "bundle")


@pytest.mark.shared_data
def test_openvino_gives_the_logits_of_pytorch_on_faces(
    lite0: Path, tmp_path: Path, shared_data: Path
) -> None:
    stills = sorted((shared_data / "openforensics" / "test").rglob("*.jpg"))[:40]
    faces = [_middle(read_image(path, limits=MediaLimits()).pixels) for path in stills]
    expected = load_detector(lite0, device="cpu", backend="torch").logits(faces)
    detector = load_detector(lite0, device="cpu", cache=tmp_path)
    found = detector.logits(faces)
    assert expected.std() > 0.1
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert np.array_equal(detector.logits(faces[7:8]), found[7:8])


def _middle(pixels: Pixels) -> Pixels:
    side = min(*pixels.shape[:2], 256)
    top, left = (pixels.shape[0] - side) // 2, (pixels.shape[1] - side) // 2
    return np.ascontiguousarray(pixels[top : top + side, left : left + side])


@pytest.mark.gpu
def test_cuda_gives_the_logits_of_the_cpu(
    bundle_dir: Path, reference: Detector, crops: list[Pixels]
) -> None:
    if not torch.cuda.is_available():
        pytest.skip("PyTorch finds no CUDA device on this machine")
    on_cuda = load_detector(bundle_dir, device="cuda")
    found = on_cuda.logits(crops)
    # Half precision: 11 bits a number.
    np.testing.assert_allclose(found, reference.logits(crops), atol=0.05)
    alone = np.concatenate([on_cuda.logits([crop]) for crop in crops])
    np.testing.assert_allclose(found, alone, atol=1e-5)
