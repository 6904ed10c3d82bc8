"""Where networks compute, and what is refused."""

from __future__ import annotations

import sys

import pytest
import torch

from deepfake.compute import devices
from deepfake.compute import openvino as engines
from deepfake.compute.devices import resolve_device
from deepfake.detectors.inference import check_precision, describe_computation
from deepfake.errors import ConfigError


def test_cuda_asked_for_by_name_has_to_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("auto") == "cpu"
    with pytest.raises(ConfigError) as caught:
        resolve_device("cuda")
    assert caught.value.hint is not None


@pytest.mark.parametrize("name", ["gpu", "", "meta", "cuda:x", "cuda:", "cpu:0"])
def test_unknown_device_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="allowed are auto, cpu and cuda"):
        resolve_device(name)


def test_cuda_that_is_there_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_has_driver", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert resolve_device("auto") == "cuda"
    assert resolve_device("cuda:1") == "cuda:1"
    assert resolve_device("cpu") == "cpu"


def test_without_a_driver_pytorch_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_has_driver", lambda: False)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert resolve_device("auto") == "cpu"


def test_precision_that_the_device_has_not_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "has_bf16", lambda: False)
    check_precision("f32", device="cpu")
    check_precision("f32", device="cuda")
    with pytest.raises(ConfigError, match="does not compute in bfloat16"):
        check_precision("bf16", device="cpu")
    with pytest.raises(ConfigError, match="on CUDA networks compute in half precision"):
        check_precision("bf16", device="cuda:0")
    with pytest.raises(ConfigError, match="allowed are f32 and bf16"):
        check_precision("f64", device="cpu")  # type: ignore[arg-type]


def test_what_can_change_a_logit_has_a_name_of_its_own() -> None:
    names = [
        describe_computation("cpu", precision="f32"),
        describe_computation("cpu", precision="bf16"),
        describe_computation("cuda", precision="f32"),
    ]
    assert len(set(names)) == 3
    assert describe_computation("cuda:3", precision="f32") == names[2]
