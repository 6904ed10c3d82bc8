"""Count the CPU seconds spent on a file, so that one limit covers all steps."""

from __future__ import annotations

from typing import Any

__all__ = ["note_seconds", "spent_seconds"]

_NOTED_SECONDS = 1.0
"""CPU time of a step below which it is not remembered for the next."""

_MAX_NOTED = 100_000

_spent: dict[str, float] = {}
"""CPU seconds that the step before has spent on a file in this process, by its URI."""


def spent_seconds(item: Any) -> float:
    """Return the CPU seconds that the step before has spent on a file.

    Args:
        item: With the file's `uri`, or about no file: then 0.
    """
    return _spent.get(_key_of(item), 0.0)


def note_seconds(item: Any, seconds: float, *, is_last: bool) -> None:
    """Remember what a step has spent on a file, or forget it after the last one.

    Args:
        item: With the file's `uri`, or about no file: then nothing is remembered.
        seconds: CPU time.
        is_last: Whether no other step for the file follows.
    """
    key = _key_of(item)
    _spent.pop(key, None)
    if key and not is_last and seconds > _NOTED_SECONDS:
        _spent[key] = seconds
        while len(_spent) > _MAX_NOTED:
            _spent.pop(next(iter(_spent)), None)


def _key_of(item: Any) -> str:
    return str(getattr(item, "uri", "") or "")
