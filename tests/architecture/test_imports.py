"""Who may import whom, and what importing may do."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.paths import CHECKOUT

PACKAGES = ("deepfake", "flows", "tasks")
_CODECS = {"imdecode", "imencode", "imread", "imwrite", "VideoCapture", "VideoWriter"}


def _files(*packages: str) -> Iterator[Path]:
    for package in packages:
        yield from sorted((CHECKOUT / package).rglob("*.py"))


def _module_of(path: Path) -> str:
    parts = path.relative_to(CHECKOUT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _run_python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


MODULES = [_module_of(path) for path in _files(*PACKAGES)]
PUBLIC = [m for m in MODULES if not any(p.startswith("_") for p in m.split("."))]


def test_the_import_contracts_hold() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_module_hides_a_name_that_its_package_hands_on() -> None:
    """Of a package that imports lazily: a module that is imported becomes its attribute."""
    hidden = [
        f"{init.parent.relative_to(CHECKOUT)}/{alias.name}"
        for init in sorted((CHECKOUT / "deepfake").rglob("__init__.py"))
        if "__getattr__ = lazy_exports(" in init.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(init.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if (init.parent / f"{alias.name}.py").exists() or (init.parent / alias.name).is_dir()
    ]
    assert hidden == []


def test_every_part_of_the_library_stands_in_one_layer() -> None:
    settings = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    (layers,) = [c["layers"] for c in contracts if c["type"] == "layers"]
    named = [name.strip() for layer in layers for name in layer.split("|")]
    assert len(named) == len(set(named))
    parts = {".".join(m.split(".")[:2]) for m in MODULES if m.startswith("deepfake.")}
    expected = (parts | {"flows", "tasks"}) - {"deepfake.__main__"}
    assert set(named) == expected


@pytest.mark.parametrize("path", list(_files("deepfake")), ids=_module_of)
def test_pictures_are_coded_in_media_alone(path: Path) -> None:
    if path.is_relative_to(CHECKOUT / "deepfake" / "media"):
        return
    tree = ast.parse(path.read_text(encoding="utf-8"))
    attributes = {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
    imported = {a.name for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) for a in n.names}
    assert not (attributes | imported) & _CODECS


@pytest.mark.parametrize("name", PUBLIC)
def test_all_lists_what_a_module_offers(name: str) -> None:
    path = CHECKOUT / Path(*name.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if not any(not isinstance(n, ast.Expr) for n in tree.body):
        return  # a docstring alone: nothing is offered
    listed = _literal_all(tree)
    assert listed is not None, f"{name} has no __all__"
    assert listed == sorted(listed, key=_ruff_order)
    defined = _defined(tree)
    assert set(listed) <= defined | _imported(tree)
    assert {n for n in _own(tree) if not n.startswith("_")} - _commands(tree) <= set(listed)


def _commands(tree: ast.Module) -> set[str]:
    """Return what is reached by its name on the command line, not by importing."""
    return {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and any(ast.unparse(d).startswith("app.") for d in node.decorator_list)
    }


def _ruff_order(name: str) -> tuple[int, str]:
    # SCREAMING, then Camel, then the rest.
    rank = 0 if name.isupper() else 1 if name[:1].isupper() else 2
    return rank, name


def _literal_all(tree: ast.Module) -> list[str] | None:
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            value: list[str] = ast.literal_eval(node.value)
            return value
    return None


def _own(tree: ast.Module) -> set[str]:
    """Return the functions and classes that a module defines itself."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return {node.name for node in tree.body if isinstance(node, kinds)}


def _defined(tree: ast.Module) -> set[str]:
    names = _own(tree)
    for node in tree.body:
        if isinstance(node, ast.Assign):
            names |= {t.id for t in node.targets if isinstance(t, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    return names


def _imported(tree: ast.Module) -> set[str]:
    # What is imported when it is used stands under `if TYPE_CHECKING`.
    lazy = [n for block in tree.body if isinstance(block, ast.If) for n in block.body]
    return {
        alias.asname or alias.name
        for node in (*tree.body, *lazy)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
    }


def test_the_command_line_is_light_to_import() -> None:
    heavy = ["cv2", "lightning", "mlflow", "numpy", "pandas", "prefect", "pyarrow", "torch"]
    code = "import sys, json, deepfake.cli; print(json.dumps(sorted(sys.modules)))"
    loaded = set(json.loads(_run_python(code)))
    # numpy comes with the types that errors name; it takes a tenth of a second.
    assert loaded & set(heavy) <= {"numpy"}


def test_the_entry_point_imports_no_command_line_before_it_is_called() -> None:
    """Spawned media workers run the imports of the script that started the program."""
    target = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["scripts"]
    module, _, function = target["deepfake"].partition(":")
    code = f"import sys, json; from {module} import {function}; print(json.dumps([*sys.modules]))"
    assert not set(json.loads(_run_python(code))) & {"deepfake.cli", "pydantic", "typer"}


def test_a_command_that_hands_files_to_workers_imports_no_decoder_and_no_network() -> None:
    code = "import sys, json, deepfake.cli.detect; print(json.dumps([*sys.modules]))"
    assert not set(json.loads(_run_python(code))) & {"av", "cv2", "openvino", "torch"}


def test_what_scores_files_imports_no_filters_before_there_is_sound() -> None:
    code = "import sys, json, deepfake.scoring.scorer; print(json.dumps([*sys.modules]))"
    assert "scipy.signal" not in json.loads(_run_python(code))


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys, json\n"
        "from typer.testing import CliRunner\n"
        "from deepfake.cli import app\n"
        "names = [c.name or c.callback.__name__ for c in app.registered_commands]\n"
        "for args in [[], *([name] for name in names)]:\n"
        "    assert CliRunner().invoke(app, [*args, '--help']).exit_code == 0, args\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    loaded = set(json.loads(_run_python(code)))
    assert not loaded & {"cv2", "lightning", "mlflow", "pandas", "prefect", "torch"}


@pytest.mark.parametrize("path", list(_files(*PACKAGES)), ids=_module_of)
def test_a_module_only_defines(path: Path) -> None:
    """Beside imports and definitions there are no statements, loops or calls of their own."""
    if path.name == "__main__.py":
        return
    assigned = (ast.Assign, ast.AnnAssign, ast.AugAssign)
    kinds = (ast.Import, ast.ImportFrom, *assigned, ast.ClassDef, ast.FunctionDef)
    tree = ast.parse(path.read_text(encoding="utf-8"))
    others = [ast.unparse(n) for n in tree.body[1:] if not isinstance(n, kinds)]
    if path.name == "__init__.py" and path.parent.name in ("flows", "tasks"):
        # Before Prefect is imported, which reads settings then.
        others.remove("ignore_working_folder()")
    # A text below a constant is its description.
    assert [o for o in others if not o.startswith(("'", '"', "if TYPE_CHECKING:"))] == []


@pytest.mark.slow
def test_importing_the_library_does_nothing(tmp_path: Path) -> None:
    """No seed, thread count, log handler, signal, variable or file is touched."""
    modules = [m for m in MODULES if m.startswith("deepfake") and not m.endswith("__main__")]
    code = f"""
import json, logging, os, random, signal, sys, threading
import numpy, pandas, cv2, torch, torchvision, lightning, timm, sklearn, mlflow, seaborn
import streamlit  # it sets MPLBACKEND
os.chdir({str(tmp_path)!r})
def state():
    return {{
        "seed": [hash(random.getstate()), hash(numpy.random.get_state()[1].tobytes()),
                 torch.initial_seed()],
        "threads": [cv2.getNumThreads(), torch.get_num_threads(), threading.active_count()],
        "handlers": [repr(h) for h in logging.getLogger().handlers],
        "signals": [repr(signal.getsignal(s)) for s in (signal.SIGINT, signal.SIGTERM)],
        "environment": sorted(os.environ.items()),
        "argv": sys.argv,
    }}
before = state()
import importlib
for name in {modules!r}:
    importlib.import_module(name)
after = state()
print(json.dumps([k for k in before if before[k] != after[k]]))
"""
    assert json.loads(_run_python(code)) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_every_module_has_a_docstring(package: str) -> None:
    without = [
        _module_of(path)
        for path in _files(package)
        if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert without == []
