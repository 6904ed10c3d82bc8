"""The docs name commands, options, files and functions that exist."""

from __future__ import annotations

import ast
import importlib
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import typer

from deepfake.cli.app import app
from tests.paths import CHECKOUT

_README = CHECKOUT / "README.md"
_PAGES = sorted(
    [
        *CHECKOUT.glob("*.md"),
        *(CHECKOUT / "docs").rglob("*.md"),
        *(CHECKOUT / name / "README.md" for name in ("benchmarks", "data", "mlruns")),
    ]
)
_LINK = re.compile(r"\[([^\]]*)\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z_-]+")
_IDENTIFIER = re.compile(r"`(\w+(?:\.\w+)?)`")


def _name_of(path: Path) -> str:
    return str(path.relative_to(CHECKOUT))


def _without_fences(text: str) -> str:
    return _FENCE.sub("", text)


def _anchors(path: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", _without_fences(path.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", name.lower()).replace(" ", "-") for name in headings}


def _commands(group: click.Command, *names: str) -> Iterator[tuple[tuple[str, ...], set[str]]]:
    shown = [p for p in group.params if not getattr(p, "hidden", False)]
    yield names, {o for p in shown for o in (*p.opts, *p.secondary_opts)} | {"--help"}
    yield from (
        found
        for name, command in getattr(group, "commands", {}).items()
        if not command.hidden
        for found in _commands(command, *names, name)
    )


# Names of a command, and its options, those that switch off among them.
_OPTIONS = dict(_commands(typer.main.get_command(app)))
_ALL_OPTIONS = {option for options in _OPTIONS.values() for option in options}


def _command_lines(text: str) -> Iterator[str]:
    """Yield every `deepfake ...` of a page: in consoles and inline."""
    for language, block in _FENCE.findall(text):
        if language in ("console", "text", "bash", "sh"):
            lines = block.replace("\\\n", " ").splitlines()
            yield from (
                match[1] for line in lines if (match := re.match(r".*?[$>] (deepfake .+)", line))
            )
    for code in re.findall(r"`([^`\n]+)`", _without_fences(text)):
        if code.startswith("deepfake "):
            yield code


def _command_of(line: str) -> tuple[str, ...]:
    words = line.partition(" #")[0].split()[1:]
    names: tuple[str, ...] = ()
    while words and (*names, words[0]) in _OPTIONS:
        names = (*names, words.pop(0))
    return names


def test_the_readme_is_short_and_names_the_two_commands() -> None:
    text = _README.read_bytes()
    assert len(text) <= 10_240
    assert b"make demo" in text
    assert b"make test" in text


@pytest.mark.parametrize("path", _PAGES, ids=_name_of)
def test_relative_links_resolve(path: Path) -> None:
    for _, target in _LINK.findall(_without_fences(path.read_text("utf-8"))):
        if re.match(r"\w+:", target):
            continue
        name, _, anchor = target.partition("#")
        linked = (path.parent / name).resolve() if name else path
        assert linked.exists(), target
        assert linked.is_relative_to(CHECKOUT), target
        is_line = linked.suffix == ".py" and re.fullmatch(r"L\d+", anchor)
        assert not anchor or is_line or anchor in _anchors(linked), target


@pytest.mark.parametrize("path", _PAGES, ids=_name_of)
def test_links_named_like_code_lead_to_its_definition(path: Path) -> None:
    for text, target in _LINK.findall(path.read_text("utf-8")):
        identifier = _IDENTIFIER.fullmatch(text)
        name = target.partition("#")[0]
        if identifier and name.endswith(".py"):
            linked = (path.parent / name).resolve()
            assert identifier[1] in _definitions(linked), f"{identifier[1]} in {target}"


def _definitions(path: Path) -> set[str]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    top = [n for n in ast.parse(path.read_text("utf-8")).body if isinstance(n, kinds)]
    members = [
        f"{outer.name}.{inner.name}"
        for outer in top
        if isinstance(outer, ast.ClassDef)
        for inner in outer.body
        if isinstance(inner, kinds)
    ]
    return {node.name for node in top} | set(members)


@pytest.mark.parametrize("path", _PAGES, ids=_name_of)
def test_commands_and_their_options_exist(path: Path) -> None:
    for line in _command_lines(path.read_text("utf-8")):
        names = _command_of(line)
        word = line.partition(" #")[0].split()[1]
        assert names or word.isupper() or word in ("...", "--version", "--help"), line
        for option in _OPTION.findall(line.partition(" #")[0]) if names else ():
            assert option.replace("_", "-") in _OPTIONS[names], f"{option} of: {line}"


@pytest.mark.parametrize(
    "path", sorted((CHECKOUT / "docs" / "commands").glob("*.md")), ids=_name_of
)
def test_options_on_the_page_of_a_command_exist(path: Path) -> None:
    text = _without_fences(path.read_text("utf-8"))
    for code in re.findall(r"`(--[^`\n]+)`", text):
        for option in _OPTION.findall(code):
            assert option in _ALL_OPTIONS | {"--batch_size"}, option


def test_every_command_has_a_page() -> None:
    index = (CHECKOUT / "docs" / "README.md").read_text("utf-8")
    for names in [names for names in _OPTIONS if len(names) == 1]:
        assert f"](commands/{names[0]}.md)" in index
        page = (CHECKOUT / "docs" / "commands" / f"{names[0]}.md").read_text("utf-8")
        assert page.startswith(f"# deepfake {names[0]}\n")


@pytest.mark.parametrize("path", _PAGES, ids=_name_of)
def test_deployments_have_the_parameters_that_are_named(path: Path) -> None:
    line = re.compile(r"prefect deployment run (\w+)/local(.*)")
    for name, options in line.findall(path.read_text("utf-8")):
        flow = getattr(importlib.import_module(f"flows.{name}"), name)
        assert set(re.findall(r"-p (\w+)=", options)) <= set(flow.parameters.properties), name


@pytest.mark.parametrize("path", _PAGES, ids=_name_of)
def test_programs_that_are_named_exist(path: Path) -> None:
    for name in re.findall(r"python -m ((?:benchmarks|fuzz)\.[\w.]+)", path.read_text("utf-8")):
        assert (CHECKOUT / name.rstrip(".").replace(".", "/")).with_suffix(".py").is_file(), name


def test_the_picture_of_the_layers_names_every_package() -> None:
    contracts = tomllib.loads((CHECKOUT / "pyproject.toml").read_text("utf-8"))
    contracts = contracts["tool"]["importlinter"]["contracts"]
    (layers,) = [c["layers"] for c in contracts if c["type"] == "layers"]
    picture = (CHECKOUT / "docs" / "images" / "architecture.svg").read_text("utf-8")
    drawn = re.findall(r'font-weight="600"[^>]*>(\w+)<', picture)
    names = [name.strip().removeprefix("deepfake.") for row in layers for name in row.split("|")]
    assert sorted(drawn) == sorted(names)


def test_every_target_of_make_exists() -> None:
    makefile = (CHECKOUT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    for path in _PAGES:
        assert set(re.findall(r"(?:`|\$ )make ([a-z-]+)", path.read_text("utf-8"))) <= targets, path
