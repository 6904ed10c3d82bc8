"""Write line numbers into the links of docs/architecture.md: python docs/write_links.py"""

from __future__ import annotations

import ast
import re
from pathlib import Path

__all__ = ["with_lines"]

_LINK = re.compile(r"\[`(\w+(?:\.\w+)?)`\]\(([^)\s#]+\.py)(?:#L\d+)?\)")
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def with_lines(text: str, *, folder: Path) -> str:
    """Return a page whose links to code lead to the line of the definition.

    Args:
        text: The page.
        folder: Where the page is.

    Raises:
        ValueError: A linked file does not define the name.
    """
    return _LINK.sub(lambda link: _with_line(link[1], link[2], folder=folder), text)


def _with_line(name: str, target: str, *, folder: Path) -> str:
    path = folder / target
    body = ast.parse(path.read_text(encoding="utf-8")).body
    line = 0
    for part in name.split("."):
        found = [node for node in body if isinstance(node, _DEFINITIONS) and node.name == part]
        if not found:
            raise ValueError(f"{path} does not define {name}")
        line, body = found[0].lineno, found[0].body
    return f"[`{name}`]({target}#L{line})"


if __name__ == "__main__":
    page = Path(__file__).with_name("architecture.md")
    page.write_text(with_lines(page.read_text("utf-8"), folder=page.parent), encoding="utf-8")
