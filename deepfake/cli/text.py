"""Text on a terminal: names from files, and counts."""

from __future__ import annotations

__all__ = ["count_of", "in_one_line"]


def count_of(number: int, singular: str, plural: str | None = None) -> str:
    """Return a number with what it counts.

    Args:
        number: How many.
        singular: What they are, if there is one.
        plural: What they are otherwise; None for `singular` with an s.

    Example:
        >>> count_of(1, "file"), count_of(1200, "medium", "media")
        ('1 file', '1,200 media')
    """
    return f"{number:,} {singular if number == 1 else plural or f'{singular}s'}"


def in_one_line(text: str) -> str:
    """Return a name or a message on one line, with control characters escaped.

    A file's name may hold line ends, or orders to the terminal.

    Example:
        >>> print(in_one_line("two\\nlines.png"))
        two\\nlines.png
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
