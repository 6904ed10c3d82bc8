"""Create timm models with one logit or more, positive for fake, from a name.

What the user types is looked up in `MODEL_ALIASES`; any other name must be one of timm's. Size and
normalisation come from timm's configuration of the very weights, never from the name.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import timm
import timm.data
import torch
from torch import Tensor, nn

from deepfake.detectors.models.pretrained import (
    PACKAGED,
    locate_on_hub,
    read_packaged,
    read_state_dict,
    weights_error,
)
from deepfake.detectors.network_names import DEFAULT_MODEL, MODEL_ALIASES, unknown_network_error
from deepfake.errors import ModelError, UnknownModelError, WeightsUnavailableError

__all__ = [
    "DEFAULT_MODEL",
    "MODEL_ALIASES",
    "CreatedModel",
    "create_model",
    "freeze_stages",
    "load_weights",
    "resolve_model_name",
]

logger = logging.getLogger(__name__)

_HEAD_STD = 0.01
"""Of the weights of a new head; what ResNets are usually given."""


@dataclass(frozen=True, slots=True)
class CreatedModel:
    """A network and what its input must look like.

    Attributes:
        module: Takes (N, 3, input_size, input_size) float32, gives (N, H) logits, one a head;
            channels last.
        architecture: timm's name.
        pretrained_source: Where its weights come from, `scratch` for nowhere.
        input_size: Side of the input, pixels.
        mean: Per channel, RGB, of a pixel scale of 0 to 1.
        std: Per channel, RGB, of a pixel scale of 0 to 1.
        message: One line for the user where something asked for could not be had, else None.
    """

    module: nn.Module
    architecture: str
    pretrained_source: str
    input_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    message: str | None = None


def resolve_model_name(name: str) -> str:
    """Return timm's name for what the user typed.

    Raises:
        UnknownModelError: Neither an alias nor a model of timm.

    Example:
        >>> resolve_model_name("efficientnet")
        'efficientnet_b0'
    """
    resolved = MODEL_ALIASES.get(name.lower(), name)
    if timm.is_model(resolved):
        try:
            timm.get_pretrained_cfg(resolved)
        except RuntimeError as error:
            raise UnknownModelError(f"no weights of that name: {name!r} ({error})") from error
        return resolved
    raise unknown_network_error(name, timm.list_models())


def create_model(
    name: str, *, pretrained: str = "auto", input_size: int | None = None, num_heads: int = 1
) -> CreatedModel:
    """Build a network with a logit a head.

    Args:
        name: An alias or a name of timm's.
        pretrained: `auto` takes ImageNet weights where they can be had and says so where not,
            `imagenet` demands them, `none` starts from scratch; anything else is the path of a
            state dict (safetensors or torch).
        input_size: Side of the input, pixels; None for the model's own.
        num_heads: Logits.

    Returns:
        The network on the CPU in training mode, channels last, and its preprocessing.

    Raises:
        UnknownModelError: No such model.
        WeightsUnavailableError: Weights were demanded by name or path and could not be had.
    """
    architecture = resolve_model_name(name)
    if pretrained == "none":
        return _from_scratch(architecture, input_size=input_size, num_heads=num_heads)
    if pretrained not in ("auto", "imagenet"):
        return _from_path(
            architecture, Path(pretrained), input_size=input_size, num_heads=num_heads
        )
    try:
        return _from_imagenet(architecture, input_size=input_size, num_heads=num_heads)
    except WeightsUnavailableError as error:
        if pretrained == "imagenet":
            raise
        message = (
            f"No ImageNet weights for {architecture} ({error.message}): training from scratch."
        )
        logger.warning(message)
        return replace(
            _from_scratch(architecture, input_size=input_size, num_heads=num_heads), message=message
        )


def load_weights(
    created: CreatedModel, state: Mapping[str, Tensor], *, source: str, path: Path | None = None
) -> CreatedModel:
    """Give a network the weights of another of its architecture.

    Args:
        created: From `create_model`; its network is changed.
        state: A state dict. Heads of another number than its own begin anew.
        source: Where the weights come from, for the record.
        path: Of the weights, for errors.

    Raises:
        WeightsUnavailableError: The weights are of another architecture.
    """
    _load_body(created.module, state, architecture=created.architecture, path=path)
    return replace(created, pretrained_source=source)


def freeze_stages(module: nn.Module, count: int) -> int:
    """Stop the stem and the first stages of a network from learning.

    Args:
        module: From `create_model`.
        count: Stages beside the stem, as timm groups them; 0 freezes nothing, not the stem either.

    Returns:
        Tensors frozen.

    Raises:
        ModelError: It has no more than as many stages.
    """
    if not count:
        return 0
    matcher = module.group_matcher(coarse=True)  # type: ignore[operator]
    groups = timm.models.group_parameters(module, matcher)
    numbers = sorted(groups)
    # The last group is the classifier's; what comes before the first stage is the stem.
    if count > len(numbers) - 2:
        raise ModelError(f"the network has {len(numbers) - 2} stages, {count} cannot be frozen")
    frozen = {name for number in numbers[: count + 1] for name in groups[number]}
    for name, parameter in module.named_parameters():
        if name in frozen:
            parameter.requires_grad_(False)
    return len(frozen)


def _from_scratch(architecture: str, *, input_size: int | None, num_heads: int) -> CreatedModel:
    return _describe(
        _build(architecture, input_size=input_size, num_heads=num_heads),
        architecture,
        "scratch",
        input_size,
    )


def _from_imagenet(architecture: str, *, input_size: int | None, num_heads: int) -> CreatedModel:
    if architecture in PACKAGED:
        module = _build(architecture, input_size=input_size, num_heads=num_heads)
        package, file = PACKAGED[architecture]
        _load_body(module, read_packaged(architecture, module=module), architecture=architecture)
        return _describe(module, architecture, f"imagenet ({package}/{file})", input_size)
    overlay = locate_on_hub(architecture)
    try:
        module = _build(
            architecture,
            input_size=input_size,
            num_heads=num_heads,
            is_pretrained=True,
            overlay=overlay,
        )
    except (OSError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise weights_error(architecture, reason) from error
    tag = getattr(module, "pretrained_cfg", {}).get("tag") or "default"
    return _describe(module, architecture, f"imagenet (timm {architecture}, {tag})", input_size)


def _from_path(
    architecture: str, path: Path, *, input_size: int | None, num_heads: int
) -> CreatedModel:
    created = _from_scratch(architecture, input_size=input_size, num_heads=num_heads)
    return load_weights(created, read_state_dict(path), source=f"file {path.name}", path=path)


def _build(
    architecture: str,
    *,
    input_size: int | None,
    num_heads: int,
    is_pretrained: bool = False,
    overlay: dict[str, Any] | None = None,
) -> nn.Module:
    config = timm.get_pretrained_cfg(architecture)
    # Only networks of a fixed grid, such as ViTs, are built for a size; the others refuse the word.
    sized = (
        {"img_size": input_size} if input_size and getattr(config, "fixed_input_size", 0) else {}
    )
    try:
        module: nn.Module = timm.create_model(
            architecture,
            pretrained=is_pretrained,
            num_classes=num_heads,
            pretrained_cfg_overlay=overlay,
            **sized,
        )
    except (TypeError, AssertionError) as error:
        raise ModelError(f"{architecture} cannot be built as a detector ({error})") from error
    _shrink_head(module)
    return module.to(memory_format=torch.channels_last)


def _shrink_head(module: nn.Module) -> None:
    # timm draws an EfficientNet's head from +-1/sqrt(classes), made for a thousand; with one, the
    # first logits would be tens and the first steps would go into undoing that.
    names = tuple(_classifier_names(module))
    for name, part in module.named_modules():
        if f"{name}.".startswith(names) and isinstance(part, nn.Linear | nn.Conv2d):
            nn.init.normal_(part.weight, std=_HEAD_STD)
            if part.bias is not None:
                nn.init.zeros_(part.bias)


def _describe(
    module: nn.Module, architecture: str, source: str, input_size: int | None
) -> CreatedModel:
    data = timm.data.resolve_model_data_config(module)
    mean, std = (tuple(float(v) for v in data[key]) for key in ("mean", "std"))
    if len(mean) != 3 or len(std) != 3:
        raise ModelError(f"{architecture} does not take three channels")
    return CreatedModel(
        module=module,
        architecture=architecture,
        pretrained_source=source,
        input_size=input_size or int(data["input_size"][-1]),
        mean=(mean[0], mean[1], mean[2]),
        std=(std[0], std[1], std[2]),
    )


def _load_body(
    module: nn.Module, state: Mapping[str, Tensor], *, architecture: str, path: Path | None = None
) -> None:
    """Load everything but a classifier of another number of classes; nothing else may differ."""
    head = tuple(_classifier_names(module))
    own = module.state_dict()
    body = {k: v for k, v in state.items() if not k.startswith(head) or _fits(own, k, v)}
    wrong = [k for k, v in body.items() if not _fits(own, k, v)]
    absent = [k for k in own if k not in body and not k.startswith(head)]
    if wrong or absent:
        example = (wrong + absent)[0]
        raise WeightsUnavailableError(
            f"the state dict is not one of {architecture}: {len(wrong)} keys do not fit, "
            f"{len(absent)} are missing, such as {example!r}",
            path=path,
        )
    module.load_state_dict(body, strict=False)


def _fits(own: Mapping[str, Tensor], key: str, value: Tensor) -> bool:
    return key in own and own[key].shape == value.shape


def _classifier_names(module: nn.Module) -> Iterator[str]:
    config = getattr(module, "pretrained_cfg", None) or {}
    named = config.get("classifier") or "classifier"
    for name in (named,) if isinstance(named, str) else named:
        yield f"{name}."
