"""Links of docs/architecture.md to lines of code lead to the definition that they name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.paths import CHECKOUT

_PAGE = CHECKOUT / "docs" / "architecture.md"
_LINK = re.compile(r"\[`([\w.]+)`\]\(([^)\s#]+\.py)(?:#L(\d+))?\)")
_LINKS = sorted(set(_LINK.findall(_PAGE.read_text(encoding="utf-8"))))


def _is_defined_at(name: str, path: Path, line: str) -> bool:
    lines = path.read_text(encoding="utf-8").splitlines()
    text = lines[int(line) - 1] if line and 0 < int(line) <= len(lines) else ""
    last = re.escape(name.rpartition(".")[2])
    return re.match(rf"\s*(?:async\s+)?(?:def|class)\s+{last}\b", text) is not None


@pytest.mark.parametrize(("name", "target", "line"), _LINKS)
def test_a_link_leads_to_the_line_of_the_definition(name: str, target: str, line: str) -> None:
    assert _is_defined_at(name, _PAGE.parent / target, line), "run: python docs/write_links.py"


def test_the_page_links_to_code() -> None:
    assert len(_LINKS) > 40


@pytest.mark.parametrize("line", ["", "1", "99999"])
def test_a_line_that_defines_something_else_is_noticed(line: str) -> None:
    name, target, _ = _LINKS[0]
    assert not _is_defined_at(name, _PAGE.parent / target, line)
