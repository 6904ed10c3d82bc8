"""JSON inside of an HTML page, written so that no text in it can end its element, and read."""

from __future__ import annotations

import json
import re
from typing import Any

__all__ = ["REPORT_NAME", "embedded_json", "script_json"]

REPORT_NAME = "report.html"
"""Of the report in a folder of scores."""

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


def script_json(value: Any) -> str:
    """Return the element that holds a value in a page, as text of HTML.

    Whatever texts the value holds, names of files among them: none can end the element, or begin a
    comment or another script.

    Args:
        value: JSON types; NaN is refused.

    Example:
        >>> "</script><b>" in script_json({"uri": "</script><b>"})
        False
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # What is no valid Unicode cannot be written into a page.
    text = text.encode("utf-8", "replace").decode("utf-8")
    safe = _UNSAFE.sub(lambda found: _ESCAPES[found.group()], text)
    return f'<script type="application/json" id="{_ID}">{safe}</script>'


def embedded_json(page: str) -> Any:
    """Return the value that `script_json` put into a page; None where there is none.

    Example:
        >>> embedded_json(f"<p>{script_json(['</script>'])}</p>")
        ['</script>']
    """
    found = _SCRIPT.search(page)
    if found is None:
        return None
    try:
        return json.loads(found.group(1))
    except (ValueError, RecursionError):
        return None
