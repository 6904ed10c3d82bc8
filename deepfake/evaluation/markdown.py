"""Write numbers and tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

__all__ = ["format_metric", "markdown_table"]


def format_metric(value: float | None) -> str:
    """Return a metric as people read it; None is undefined.

    Example:
        >>> format_metric(0.98765), format_metric(None)
        ('0.988', 'undefined')
    """
    return "undefined" if value is None else f"{value:.3f}"


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table; a bar in a cell stays one.

    Args:
        head: Of its columns.
        rows: Its cells.
    """
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |"
