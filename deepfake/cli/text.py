"""Text from files, on a terminal."""

from __future__ import annotations

__all__ = ["in_one_line"]


def in_one_line(text: str) -> str:
    """Return a name or a message on one line, with control characters escaped.

    A file's name may hold line ends, or orders to the terminal.

    Example:
        >>> print(in_one_line("two\\nlines.png"))
        two\\nlines.png
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
