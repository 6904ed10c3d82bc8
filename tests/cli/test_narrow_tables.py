"""Tables of 80 columns: words are folded, numbers stay whole."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from deepfake.cli.markdown import print_markdown

_NUMBERS = re.compile(r"[-+]?\d+\.\d+")


def _printed(markdown: str, *, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, markup=False)
    print_markdown(console, markdown)
    return str(console.file.getvalue())  # type: ignore[attr-defined]


def _table(*, columns: int, name: str = "a corpus with a name of many words") -> str:
    heads = " | ".join(["corpus", *(f"average precision {n}" for n in range(columns))])
    cells = " | ".join([name, *(f"0.{n}2345 (0.{n}1111 to 0.{n}9999)" for n in range(columns))])
    return f"| {heads} |\n|{'---|' * (columns + 1)}\n| {cells} |\n"


@pytest.mark.parametrize("columns", [1, 3, 5, 9])
@pytest.mark.parametrize("width", [40, 80])
def test_every_number_of_a_table_is_printed_whole(columns: int, width: int) -> None:
    markdown = _table(columns=columns)
    printed = _printed(markdown, width=width)
    assert sorted(_NUMBERS.findall(printed)) == sorted(_NUMBERS.findall(markdown))
    assert "…" not in printed
    assert max(map(len, printed.splitlines())) <= width


def test_a_long_name_is_folded() -> None:
    printed = _printed(_table(columns=2, name="c" * 120))
    assert printed.count("c") - printed.count("recision") >= 120
    assert max(map(len, printed.splitlines())) <= 80


def test_an_empty_table_is_no_error() -> None:
    assert "corpus" in _printed("| corpus | n |\n|---|---|\n")
