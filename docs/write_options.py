"""Write docs/options.md out of the models of options: python docs/write_options.py"""

from __future__ import annotations

import typing
from pathlib import Path

from pydantic.fields import FieldInfo

from deepfake.cli.app import COMMANDS, GROUPS
from deepfake.config.options import Options, iter_fields
from deepfake.config.options.fields import Argument, Hidden, OptionName

__all__ = ["options_page"]

_HEAD = """# Options

Every command with its options, as `deepfake COMMAND --help` shows them. A flow takes the options of
its command as parameters, with `_` for `-`. Written by `python docs/write_options.py`.
"""
_LIMITS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}


def options_page() -> str:
    """Return the page."""
    commands = {name: model for name, (model, _) in COMMANDS.items()}
    for group, (_, members) in GROUPS.items():
        commands |= {f"{group} {name}": model for name, (model, _) in members.items()}
    return "\n".join([_HEAD, *(_section(name, model) for name, model in commands.items())])


def _section(name: str, model: type[Options]) -> str:
    shown = [(name, field) for name, field in iter_fields(model) if not _is_hidden(field)]
    rows = [_row(option, field) for option, field in shown]
    table = ["| option | value | default | meaning |", "|---|---|---|---|", *rows]
    return "\n".join([f"## deepfake {name}", "", str(model.__doc__), "", *table, ""])


def _is_hidden(field: FieldInfo) -> bool:
    return any(isinstance(mark, Hidden) for mark in field.metadata)


def _row(name: str, field: FieldInfo) -> str:
    marks = {type(mark): mark for mark in field.metadata}
    shown = f"--{name.replace('_', '-')}"
    if OptionName in marks:
        shown = marks[OptionName].name
    if Argument in marks:
        shown = marks[Argument].metavar.replace("|", " or ")
    default = "required" if field.is_required() else ""
    if not (field.is_required() or field.default is None or field.default is False):
        default = f"`{field.default}`"
    return f"| `{shown}` | {_value(field)} | {default} | {field.description} |"


def _value(field: FieldInfo) -> str:
    kinds = [kind for kind in typing.get_args(field.annotation) if kind is not type(None)]
    if typing.get_origin(field.annotation) is typing.Literal:
        return ", ".join(map(str, kinds))
    kind = kinds[0] if kinds and not _is_list(field.annotation) else field.annotation
    if typing.get_origin(kind) is typing.Literal:
        return ", ".join(map(str, typing.get_args(kind)))
    if _is_list(kind):
        return f"{typing.get_args(kind)[0].__name__}, repeatable"
    limits = [
        f"{words} {getattr(mark, limit):g}"
        for mark in field.metadata
        for limit, words in _LIMITS.items()
        if hasattr(mark, limit)
    ]
    return ", ".join([kind.__name__, *limits])


def _is_list(kind: object) -> bool:
    return typing.get_origin(kind) is list


if __name__ == "__main__":
    Path(__file__).with_name("options.md").write_text(options_page(), encoding="utf-8")
