"""An exported detector is whole: its logits, its shape, and what a stranger has to know."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from torch import nn

from deepfake.compute.openvino import compile_engine, read_graph
from deepfake.detectors.bundles import load_bundle
from deepfake.detectors.inference import (
    OnnxExport,
    export_onnx,
    load_detector,
    onnx_export,
    stack_squares,
)
from deepfake.errors import ConfigError, ModelError


@pytest.fixture(scope="module")
def exported(bundle_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> OnnxExport:
    return export_onnx(bundle_dir, tmp_path_factory.mktemp("onnx") / "deep" / "model.onnx")


def test_written_file_is_valid_and_agrees(exported: OnnxExport) -> None:
    model = onnx.load(exported.path)
    onnx.checker.check_model(model, full_check=True)
    assert [(o.domain, o.version) for o in model.opset_import] == [("", exported.opset)]
    assert 0 < exported.max_difference < 1e-4
    assert [path.name for path in exported.path.parent.iterdir()] == ["model.onnx"]


def test_whoever_follows_the_metadata_gets_the_logits(
    exported: OnnxExport, bundle_dir: Path, crops: list[NDArray[np.uint8]]
) -> None:
    metadata = {entry.key: entry.value for entry in onnx.load(exported.path).metadata_props}
    size = int(metadata["input_size"])
    mean, std = np.float32(json.loads(metadata["mean"])), np.float32(json.loads(metadata["std"]))
    pixels = stack_squares(crops[:5], size=size).astype(np.float32)
    inputs = ((pixels / 255 - mean) / std).transpose(0, 3, 1, 2)
    (found,) = compile_engine(read_graph(exported.path)).run(inputs)
    expected = load_detector(bundle_dir, device="cpu", backend="torch").logits(crops[:5])
    assert found.shape == (5, 1)
    np.testing.assert_allclose(found[:, 0], expected, atol=1e-4)


def test_metadata_name_the_bundle_and_how_its_input_is_made(
    exported: OnnxExport, bundle_dir: Path
) -> None:
    bundle = load_bundle(bundle_dir)
    metadata = {entry.key: entry.value for entry in onnx.load(exported.path).metadata_props}
    assert metadata == exported.metadata
    assert metadata["bundle_digest"] == bundle.digest
    assert json.loads(metadata["crop"]) == bundle.spec.crop.model_dump(mode="json")
    assert json.loads(metadata["calibration_still"])["temperature"] == 1.5
    assert metadata["opset"] == str(exported.opset)


def test_file_says_nothing_of_the_machine_that_wrote_it(exported: OnnxExport) -> None:
    content = exported.path.read_bytes()
    assert b".py" not in content
    assert b"site-packages" not in content


def test_file_that_is_there_is_only_replaced_on_demand(bundle_dir: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"mine")
    with pytest.raises(ConfigError, match="exists already"):
        export_onnx(bundle_dir, path)
    assert path.read_bytes() == b"mine"
    assert export_onnx(bundle_dir, path, overwrite=True).path.stat().st_size > 100_000


def test_file_that_gives_other_logits_is_not_left_behind(
    bundle_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = onnx_export._write

    def write_another(module: nn.Module, path: Path, **options: Any) -> None:
        other = copy.deepcopy(module)
        other.get_parameter("network.classifier.bias").data += 0.1
        write(other, path, **options)

    monkeypatch.setattr(onnx_export, "_write", write_another)
    with pytest.raises(ModelError, match=r"differ by 0\.1"):
        export_onnx(bundle_dir, tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []
