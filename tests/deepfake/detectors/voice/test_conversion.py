"""Converted networks give PyTorch's numbers, whatever their outputs are."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from deepfake.compute.openvino import compile_engine, read_graph
from deepfake.detectors.voice import VoiceNetwork, convert_voice_network, export_voice_onnx
from deepfake.errors import ModelError

Sound = Callable[..., Tensor]
NetworkOf = Callable[..., VoiceNetwork]


class _WithNovelty(nn.Module):
    """Gives the logit and another number, and the features apart."""

    def __init__(self, network: VoiceNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        features = self.network.embed(samples)
        novelty = features.square().sum(dim=1, keepdim=True)
        return torch.cat([self.network.classifier(features), novelty], dim=1), features


@pytest.mark.parametrize(
    ("architecture", "num_samples"), [("lcnn", 16_000), ("lcnn", 40_123), ("aasist", 12_345)]
)
def test_openvino_gives_the_same_logit(
    architecture: str, num_samples: int, sound: Sound, network_of: NetworkOf
) -> None:
    network = network_of(architecture)
    engine = compile_engine(convert_voice_network(network, num_samples=num_samples))
    samples = sound(3, num_samples=num_samples)
    (found,) = engine.run_each(samples.numpy())
    assert network.training
    with torch.inference_mode():
        expected = network.eval()(samples)
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-3)


def test_a_wrapper_with_more_outputs_is_converted_too(sound: Sound, network_of: NetworkOf) -> None:
    wrapper = _WithNovelty(network_of("lcnn")).eval()
    engine = compile_engine(convert_voice_network(wrapper, num_samples=16_000))
    samples = sound(1, num_samples=16_000)
    outputs, features = engine.run(samples.numpy())
    with torch.inference_mode():
        expected, expected_features = wrapper(samples)
    assert outputs.shape == (1, 2)
    np.testing.assert_allclose(outputs, expected.numpy(), atol=1e-3)
    np.testing.assert_allclose(features, expected_features.numpy(), atol=1e-3)


@pytest.mark.parametrize("architecture", ["lcnn", pytest.param("aasist", marks=pytest.mark.slow)])
def test_onnx_file_gives_the_same_logits_for_any_number_of_windows(
    architecture: str, sound: Sound, network_of: NetworkOf, tmp_path: Path
) -> None:
    network, path = network_of(architecture), tmp_path / "deep" / "voice.onnx"
    difference = export_voice_onnx(
        network, path, num_samples=16_000, metadata={"architecture": architecture}
    )
    assert difference < 1e-3
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert {entry.key: entry.value for entry in model.metadata_props} == {
        "architecture": architecture
    }
    assert [p.name for p in path.parent.iterdir()] == ["voice.onnx"]
    engine, network = compile_engine(read_graph(path)), network.eval()
    for num in (1, 4):
        samples = sound(num, num_samples=16_000)
        with torch.inference_mode():
            expected = network(samples)
        np.testing.assert_allclose(engine.run(samples.numpy())[0], expected.numpy(), atol=1e-3)


def test_a_conversion_that_changes_the_logit_is_refused(
    network_of: NetworkOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    from deepfake.detectors.voice import conversion

    convert = conversion.convert_module

    def convert_another(module: nn.Module, *, example: Tensor) -> object:
        other = copy.deepcopy(module)
        other.get_parameter("classifier.bias").data += 0.1
        return convert(other, example=example)

    monkeypatch.setattr(conversion, "convert_module", convert_another)
    with pytest.raises(ModelError, match=r"differ by 0\.1"):
        convert_voice_network(network_of("lcnn"), num_samples=16_000)
