"""Mutate inputs: bytes, and JSON by its structure."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from typing import Any

import atheris

__all__ = ["create_mutator"]

_ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 2**31, 2**63, -(2**63), 10**30, 0.5, -0.0, 1e308),
    *(float("nan"), float("inf"), "", "0", "../../../etc/passwd", "/etc/passwd", "a" * 5000),
    *("\0", "\ud800", "hf-hub:x/y", "http://127.0.0.1:9/", "models:/x/1", [], {}, [[]], {"": {}}),
)


def create_mutator(seeds: Sequence[bytes]) -> Callable[[bytes, int, int], bytes]:
    """Return a mutator for libFuzzer.

    It sees what new code an input reaches in Python, not in native parsers, and would drop whole
    files as soon as something shorter takes the same path through Python.

    Args:
        seeds: Whole inputs; of one that holds JSON from its second byte on the value is changed.
    """

    def mutate(data: bytes, max_size: int, seed: int) -> bytes:
        rng = random.Random(seed)
        if rng.random() < 0.4:
            data = rng.choice(seeds)
        if rng.random() < 0.5:
            changed = _changed_json(data, rng)
            if changed is not None:
                return changed[:max_size]
        for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
            data = atheris.Mutate(data, max_size)
        return data

    return mutate


def _changed_json(data: bytes, rng: random.Random) -> bytes | None:
    try:
        value = json.loads(data[1:])
    except (ValueError, RecursionError):
        return None
    for _ in range(rng.choice((1, 1, 2, 5))):
        value = _changed(value, rng)
    return data[:1] + json.dumps(value).encode()


def _changed(value: Any, rng: random.Random) -> Any:
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(sorted(value))
        chance = rng.random()
        if chance < 0.1:
            return {k: v for k, v in value.items() if k != key}
        if chance < 0.15:
            return {**value, rng.choice(("", "x", "__class__", key * 2)): rng.choice(_ODD)}
        return {**value, key: _changed(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.9:
        at = rng.randrange(len(value))
        if rng.random() < 0.1:
            return value[:at] + value[at:] * 3
        return [*value[:at], _changed(value[at], rng), *value[at + 1 :]]
    return rng.choice(_ODD)
