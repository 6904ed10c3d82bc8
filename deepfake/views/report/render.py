"""A report as one HTML file."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup

from deepfake import __version__
from deepfake.evidence.embedded_json import script_json
from deepfake.storage import Location, write_text
from deepfake.views.report.content import NUM_BINS, Item, Report

__all__ = ["MAX_BYTES", "render_report", "write_report"]

MAX_BYTES = 50 * 2**20
"""Of a report; evidence that has no room is left out and counted."""

_SPARE_BYTES = 2**16
_SHOWN_AT_ONCE = 20
"""Files whose evidence is shown below the table; of more it is opened one by one."""


def write_report(path: Location, report: Report) -> Location:
    """Write a report, whole or not at all."""
    return write_text(path, render_report(report))


def render_report(report: Report, *, max_bytes: int = MAX_BYTES) -> str:
    """Return a report as HTML.

    Nothing in it is taken from elsewhere, and its content security policy lets nothing be. What
    comes out of media and file names is text: escaped by the template, or set as text by the
    script.

    Args:
        report: What it holds.
        max_bytes: What it may take.
    """
    table: dict[str, Any] = {
        "columns": report.rows.columns,
        "names": report.rows.names,
        "folder": report.rows.folder,
    }
    shell = _page(report, {**table, "media_ids": [], "items": []}, num_items_left_out=0)
    room = max_bytes - len(shell.encode()) - _SPARE_BYTES
    items: list[dict[str, Any]] = []
    for item in report.items:
        told = _embedded(item)
        room -= _size(told)
        if room < 0:
            break
        items.append(told)
    data = {**table, "media_ids": [told["media_id"] for told in items], "items": items}
    data["is_open"] = len(report.rows) <= _SHOWN_AT_ONCE
    return _page(report, data, num_items_left_out=len(report.items) - len(items))


def _embedded(item: Item) -> dict[str, Any]:
    told = item.record.model_dump(mode="json", exclude={"schema_name", "schema_version"})
    return {
        **told,
        "pictures": {
            name: base64.b64encode(content).decode("ascii")
            for name, content in item.pictures.items()
        },
    }


def _size(told: Mapping[str, Any]) -> int:
    # Escapes make texts longer, pictures never.
    pictures = sum(len(text) + 40 for text in told["pictures"].values())
    return pictures + 3 * len(script_json({k: v for k, v in told.items() if k != "pictures"}))


def _page(report: Report, data: Mapping[str, Any], *, num_items_left_out: int) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_text),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script, style = _text("report.js"), _text("report.css")
    highest = max(1, *report.histogram)
    return environment.get_template("report.html.j2").render(
        report=report,
        num_files=sum(report.statuses.values()),
        num_items_left_out=num_items_left_out,
        num_items=len(data["items"]),
        bars=[
            {"x": at * 100 / NUM_BINS, "height": 100 * count / highest, "count": count}
            for at, count in enumerate(report.histogram)
        ],
        data=Markup(script_json(data)),
        script=Markup(script),
        style=Markup(style),
        script_digest=_digest(script),
        style_digest=_digest(style),
        made_at=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        version=__version__,
    )


def _text(name: str) -> str:
    place = resources.files("deepfake.views.report") / "page" / name
    return place.read_text(encoding="utf-8").replace("\r\n", "\n").strip()


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
