"""Choose the device and the precision that networks compute with."""

from __future__ import annotations

import ctypes
import re
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from deepfake.compute.openvino import reject_without_bf16
from deepfake.config import Precision
from deepfake.errors import ConfigError

__all__ = [
    "BackendName",
    "check_precision",
    "check_training_precision",
    "describe_computation",
    "reject_without_driver",
    "resolve_device",
]

BackendName: TypeAlias = Literal["auto", "openvino", "torch"]
"""What a network can be computed with."""

_NAME = re.compile(r"cpu|cuda(:\d{1,3})?")


def resolve_device(name: str = "auto") -> str:
    """Return the device to compute on, as PyTorch names it.

    Args:
        name: `auto` (CUDA where there is one), `cpu` or `cuda`, also `cuda:1`.

    Raises:
        ConfigError: CUDA was asked for by name and there is none, or the name is unknown.
    """
    if name == "auto":
        # PyTorch is only asked where its answer may be yes: importing it takes seconds.
        return "cuda" if _has_driver() and _has_cuda() else "cpu"
    if _NAME.fullmatch(name) is None:
        raise ConfigError(f"no device {name!r}: allowed are auto, cpu and cuda")
    reject_without_driver(name)
    if name != "cpu" and not _has_cuda():
        raise _no_cuda()
    return name


def reject_without_driver(name: str) -> None:
    """Reject CUDA where there is no driver for it, without asking PyTorch, which takes seconds.

    Args:
        name: As `resolve_device` takes it.

    Raises:
        ConfigError: There is none.
    """
    # PyTorch calls AMD's cards CUDA too; their driver is this device.
    if name.startswith("cuda") and not _has_driver() and not Path("/dev/kfd").exists():
        raise _no_cuda()


def _no_cuda() -> ConfigError:
    return ConfigError(
        "CUDA was asked for and this PyTorch finds none",
        hint="Use `--device auto`, or install a CUDA build of torch and its driver.",
    )


def _has_driver() -> bool:
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True


def _has_cuda() -> bool:
    import torch

    return torch.cuda.is_available()


def check_precision(precision: Precision, *, device: str) -> None:
    """Reject a precision that the device does not have.

    Args:
        precision: What was asked for.
        device: As `resolve_device` returns it.

    Raises:
        ConfigError: It is unknown, or the device does not have it.
    """
    if precision not in get_args(Precision):
        known = " and ".join(get_args(Precision))
        raise ConfigError(f"no precision {precision!r}: allowed are {known}")
    if precision == "f32":
        return
    if device != "cpu":
        raise ConfigError(
            f"{precision} is for the CPU: on CUDA networks compute in half precision",
            hint="Add --device cpu, or leave --precision out.",
        )
    reject_without_bf16()


def check_training_precision(precision: str, *, device: str) -> None:
    """Reject a precision that a training on the device does not have.

    Args:
        precision: `f32`, `bf16` or `f16`; or Lightning's name of it.
        device: As `resolve_device` returns it.

    Raises:
        ConfigError: It is half precision, on the CPU.
    """
    if precision in ("f16", "16-mixed") and device == "cpu":
        raise ConfigError(
            "a training in f16 needs CUDA: its small gradients are scaled there",
            hint="Use --precision bf16, or leave it out.",
        )


def describe_computation(device: str, *, precision: Precision) -> str:
    """Return the kind of device and the precision as one word, as far as they can change a logit.

    Example:
        >>> describe_computation("cpu", precision="f32")
        'cpu-f32'
        >>> describe_computation("cuda:1", precision="f32")
        'cuda-f16'
    """
    kind = device.split(":", maxsplit=1)[0]
    return f"{kind}-{precision if kind == 'cpu' else 'f16'}"
