"""Find deepfakes in pictures and videos, from labelled corpora to scored folders."""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["__version__", "lazy_exports"]

__version__ = "0.1.0"


def lazy_exports(package: str, file: str) -> Callable[[str], Any]:
    """Return the `__getattr__` of a package whose imports stand under `if TYPE_CHECKING`.

    Args:
        package: Its `__name__`.
        file: Its `__file__`.

    Example:
        if TYPE_CHECKING:
            from deepfake.training.train import train_detector
        else:
            __getattr__ = lazy_exports(__name__, __file__)
    """
    sources = _sources_in(Path(file).read_text(encoding="utf-8"))

    def get(name: str) -> Any:
        if name not in sources:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(sources[name]), name)
        setattr(sys.modules[package], name, value)
        return value

    return get


def _sources_in(code: str) -> dict[str, str]:
    """Return the module of each name that is imported under `if TYPE_CHECKING`."""
    return {
        alias.name: str(node.module)
        for block in ast.parse(code).body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
