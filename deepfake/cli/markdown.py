"""Markdown on a terminal: tables whose numbers are never cut, however narrow it is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import ClassVar

from rich import box
from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import Markdown, MarkdownElement, TableElement
from rich.table import Table
from rich.text import Text

__all__ = ["print_markdown"]

_NUMBER = re.compile(r"\S*\d\S*")
_GAP_CHARS = 2


def print_markdown(console: Console, markdown: str) -> None:
    """Print a page of Markdown.

    Where a table is too wide for its numbers, each row becomes a paragraph of `column: value`.
    """
    console.print(_Page(markdown))


class _Table(TableElement):
    """A table that folds words and keeps numbers whole."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        header = self.header.row if self.header is not None else None
        heads = [cell.content for cell in header.cells] if header is not None else []
        body = self.body.rows if self.body is not None else []
        rows = [[cell.content for cell in row.cells] for row in body]
        widths = [_least_chars(column) for column in zip(heads, *rows, strict=True)]
        if sum(widths) + _GAP_CHARS * (len(widths) + 1) > options.max_width:
            yield from _as_paragraphs(heads, rows)
            return
        table = Table(box=box.SIMPLE, pad_edge=False, collapse_padding=True)
        for head, width in zip(heads, widths, strict=True):
            table.add_column(head, min_width=width, overflow="fold")
        for row in rows:
            table.add_row(*row)
        yield table


class _Page(Markdown):
    elements: ClassVar[dict[str, type[MarkdownElement]]] = {
        **Markdown.elements,
        "table_open": _Table,
    }


def _least_chars(column: Sequence[Text]) -> int:
    """Return how wide a column has to be for its longest number."""
    numbers = [len(word) for cell in column for word in _NUMBER.findall(cell.plain)]
    return max(numbers, default=1)


def _as_paragraphs(heads: Sequence[Text], rows: Sequence[Sequence[Text]]) -> Iterator[Text]:
    for row in rows:
        named = zip(heads, row, strict=True)
        lines = [
            Text(": ").join([head, cell]) if head.plain else cell.copy() for head, cell in named
        ]
        yield Text("\n  ").join(lines)
        yield Text()
