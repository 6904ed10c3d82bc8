"""Options as named parameters: of a flow, with types, defaults, ranges and descriptions."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Annotated, Any, TypeVar, get_type_hints

from pydantic import Field
from pydantic.fields import FieldInfo

from deepfake.config.options.fields import CommandOnly, Options

__all__ = ["flow_parameters", "iter_fields", "takes_options"]

Chosen = TypeVar("Chosen", bound=Options)
Result = TypeVar("Result")


def iter_fields(model: type[Options]) -> Iterator[tuple[str, FieldInfo]]:
    """Yield the options of a model: the required ones, its own, then those that it shares.

    Args:
        model: Options of a command.
    """
    own_first = dict.fromkeys(
        name for kind in model.__mro__ for name in inspect.get_annotations(kind)
    )
    names = [name for name in own_first if name in model.model_fields]
    for name in sorted(names, key=lambda name: not model.model_fields[name].is_required()):
        yield name, model.model_fields[name]


def flow_parameters(options: Options) -> dict[str, Any]:
    """Return what a flow is called with, by name."""
    names = [name for name, field in iter_fields(type(options)) if not _is_command_only(field)]
    return {name: getattr(options, name) for name in names}


def takes_options(function: Callable[[Chosen], Result]) -> Callable[..., Result]:
    """Let a function of one options object be called with the options by name.

    `@flow` below which it stands sees a parameter for each option. Required options may be given
    by position too.

    Args:
        function: Its only parameter is called `options` and annotated with a model of options.

    Example:
        >>> class Greeting(Options):
        ...     name: str = Field(description="Whom.")
        ...     times: int = Field(1, ge=1, description="How often.")
        >>> @takes_options
        ... def greet(options: Greeting) -> str:
        ...     return f"Hello {options.name}. " * options.times
        >>> greet("Ada", times=2)
        'Hello Ada. Hello Ada. '
    """
    hints = get_type_hints(function)
    model = hints["options"]
    fields = [(n, field) for n, field in iter_fields(model) if not _is_command_only(field)]
    signature = inspect.Signature(
        [_parameter(name, field) for name, field in fields],
        return_annotation=hints.get("return", inspect.Signature.empty),
    )

    @functools.wraps(function)
    def call(*args: Any, **named: Any) -> Result:
        return function(model(**signature.bind(*args, **named).arguments))

    call.__signature__ = signature  # type: ignore[attr-defined]
    call.__annotations__ = {n: p.annotation for n, p in signature.parameters.items()}
    # Prefect takes the descriptions of parameters from here.
    described = "\n".join(f"    {name}: {field.description}" for name, field in fields)
    call.__doc__ = f"{inspect.getdoc(function) or ''}\n\nArgs:\n{described}\n"
    return call


def _is_command_only(field: FieldInfo) -> bool:
    return any(isinstance(mark, CommandOnly) for mark in field.metadata)


def _parameter(name: str, field: FieldInfo) -> inspect.Parameter:
    checks = (*field.metadata, Field(description=field.description))
    annotation: Any = Annotated.__class_getitem__((field.annotation, *checks))  # type: ignore[attr-defined]
    if field.is_required():
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        return inspect.Parameter(name, kind, annotation=annotation)
    kind_of_others = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind_of_others, default=field.default, annotation=annotation)
