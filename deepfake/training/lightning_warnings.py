"""Silence the warnings of Lightning that are expected in every run."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["quiet_lightning"]

_EXPECTED_WARNINGS = (
    r".*does not have many workers.*",
    r".*You defined a `validation_step` but have no `val_dataloader`.*",
    r".*Checkpoint directory .* exists and is not empty.*",
    # Lightning 2.6 under torch 2.14, in its own code.
    r".*isinstance\(treespec, LeafSpec\).*",
    # Python 3.12 and later, of every fork beside a thread; the workers start no thread pool.
    r".*is multi-threaded, use of fork\(\) may lead to deadlocks.*",
)


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Suppress Lightning's expected warnings; others still show."""
    log = logging.getLogger("lightning.pytorch.utilities.rank_zero")
    before = log.level
    log.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            for pattern in _EXPECTED_WARNINGS:
                warnings.filterwarnings("ignore", message=pattern)
            yield
    finally:
        log.setLevel(before)
