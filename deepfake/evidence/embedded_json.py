"""Embed JSON in an HTML page, escaped so that no string can end its element, and read it back."""

from __future__ import annotations

import json
import re
from typing import Any

__all__ = ["REPORT_NAME", "embed_json", "read_embedded_json"]

REPORT_NAME = "report.html"
"""File name of the report in a scored folder."""

_ID = "report-data"
_SCRIPT = re.compile(rf'<script type="application/json" id="{_ID}">(.*?)</script>', re.DOTALL)
_ESCAPES = {
    "<": "\\u003c",
    ">": "\\u003e",
    "&": "\\u0026",
    "\u2028": "\\u2028",
    "\u2029": "\\u2029",
}
_UNSAFE = re.compile("[<>&\u2028\u2029]")


def embed_json(value: Any) -> str:
    """Return the HTML element that holds a JSON value in a page.

    No string in the value, such as a file name, can end the element or begin a comment or another
    script.

    Args:
        value: JSON types; NaN is rejected.

    Example:
        >>> "</script><b>" in embed_json({"uri": "</script><b>"})
        False
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # A page cannot hold invalid Unicode.
    text = text.encode("utf-8", "replace").decode("utf-8")
    safe = _UNSAFE.sub(lambda found: _ESCAPES[found.group()], text)
    return f'<script type="application/json" id="{_ID}">{safe}</script>'


def read_embedded_json(page: str) -> Any:
    """Return the value that `embed_json` put into a page; None where there is none.

    Example:
        >>> read_embedded_json(f"<p>{embed_json(['</script>'])}</p>")
        ['</script>']
    """
    found = _SCRIPT.search(page)
    if found is None:
        return None
    try:
        return json.loads(found.group(1))
    except (ValueError, RecursionError):
        return None
