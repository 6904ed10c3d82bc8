"""Build Typer commands from the option models in `deepfake.config.options`."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from deepfake.cli.checks import check_options
from deepfake.config.options import Options, iter_fields
from deepfake.config.options.fields import Argument, Hidden, OptionName
from deepfake.errors import ConfigError

__all__ = ["add_command"]


def add_command(
    app: typer.Typer, name: str, model: type[Options], target: str, *, group: str = ""
) -> None:
    """Add a command whose options are the fields of a model.

    Args:
        app: Gets the command.
        name: Name of the command.
        model: Its options; the docstring is its help.
        target: `MODULE:FUNCTION` that is called with the options; imported when the command runs.
        group: What is typed before the name.
    """

    def command(**typed: Any) -> None:
        options = _validated(model, typed)
        check_options(f"{group} {name}".strip(), options)
        module, _, function = target.partition(":")
        getattr(importlib.import_module(module), function)(options)

    parameters = [_parameter(name, field) for name, field in iter_fields(model)]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    command.__doc__ = inspect.getdoc(model)
    app.command(name)(command)


def _parameter(name: str, field: FieldInfo) -> inspect.Parameter:
    marks = {type(mark): mark for mark in field.metadata}
    # An unreadable file gets a row with that status; the parser must not refuse it.
    shown: dict[str, Any] = {"help": field.description, "readable": False}
    for mark in field.metadata:
        shown.update({"min": mark.ge} if hasattr(mark, "ge") else {})
        shown.update({"max": mark.le} if hasattr(mark, "le") else {})
    info: Any
    if Argument in marks:
        info = typer.Argument(metavar=marks[Argument].metavar, **shown)
    else:
        option = marks[OptionName].name if OptionName in marks else f"--{name.replace('_', '-')}"
        if field.annotation == bool | None or (field.annotation is bool and field.default):
            option = f"{option}/--no-{option.removeprefix('--')}"
        info = typer.Option(option, hidden=Hidden in marks, **shown)
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=inspect.Parameter.empty if field.is_required() else field.default,
        annotation=Annotated[field.annotation, info],
    )


def _validated(model: type[Options], typed: dict[str, Any]) -> Options:
    for name, value in typed.items():
        _reject_undecodable(name, value)
    try:
        return model(**typed)
    except ValidationError as error:
        first = error.errors()[0]
        option = f"--{str(first['loc'][0]).replace('_', '-')}"
        raise typer.BadParameter(first["msg"], param_hint=f"'{option}'") from None


def _reject_undecodable(name: str, value: object) -> None:
    if not isinstance(value, (str, Path)):
        return
    try:
        str(value).encode()
    except UnicodeEncodeError:
        raise ConfigError(
            f"{name}: the name is not valid UTF-8, rename it", path=str(value)
        ) from None
