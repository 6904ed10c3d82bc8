"""No two folders need each other, and the library stays small enough to find one's way."""

from __future__ import annotations

import ast
import graphlib
from collections import defaultdict
from pathlib import Path

from tests.paths import CHECKOUT

LIBRARY = CHECKOUT / "deepfake"
_CHECKED = ("deepfake", "flows", "tasks")
_MAX_NAMES, _MAX_LINES = 18, 450


def _files() -> dict[str, Path]:
    """Return the files of library, flows and tasks by the names of their modules."""
    found = {}
    for path in (path for folder in _CHECKED for path in (CHECKOUT / folder).rglob("*.py")):
        parts = path.relative_to(CHECKOUT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def _imports(path: Path) -> dict[str, tuple[str, str]]:
    """Return what a file imports from modules: its name here, to the module and its name there."""
    return {
        alias.asname or alias.name: (node.module, alias.name)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }


def _defining_file(files: dict[str, Path], module: str, name: str) -> Path | None:
    """Return where a name is defined: packages offer names of their modules."""
    if f"{module}.{name}" in files:
        return files[f"{module}.{name}"]
    path = files.get(module)
    if path is not None and path.name == "__init__.py" and name in (own := _imports(path)):
        return _defining_file(files, *own[name])
    return path


def test_no_folders_import_each_other_in_a_circle() -> None:
    files = _files()
    needs: dict[Path, set[Path]] = defaultdict(set)
    for path in files.values():
        if path.name in ("__init__.py", "__main__.py"):
            continue
        for module, name in _imports(path).values():
            target = _defining_file(files, module, name)
            if target is not None and target.parent != path.parent:
                needs[path.parent].add(target.parent)
    order = list(graphlib.TopologicalSorter(needs).static_order())  # CycleError names a circle
    assert len(order) > 30


def test_the_library_has_few_names_at_its_top() -> None:
    names = [p.name for p in LIBRARY.iterdir() if not p.name.startswith("__")]
    assert len(names) <= _MAX_NAMES, sorted(names)


def test_no_file_is_longer_than_a_reader_follows() -> None:
    long = {
        str(path.relative_to(CHECKOUT)): lines
        for folder in ("deepfake", "flows", "tasks", "tests", "benchmarks", "fuzz")
        for path in (CHECKOUT / folder).rglob("*.py")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > _MAX_LINES
    }
    assert not long
