"""Render a report as one HTML file."""

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
from deepfake.evidence import Evidence
from deepfake.evidence.embedded_json import embed_json
from deepfake.storage import Location, write_text
from deepfake.verdicts.words import SYNC_WORDS, VERDICT_WORDS
from deepfake.views.report.content import NUM_BINS, Report

__all__ = ["MAX_BYTES", "render_report", "write_report"]

MAX_BYTES = 50 * 2**20
"""Size of a report; evidence beyond it is left out and counted."""

_CLASSES = {"verdict_file": "files", "verdict_voice": "voices", "verdict_sync": "lips"}
"""Columns that the table has only where they were asked for -> the class that makes room."""

_SPARE_BYTES = 2**16
_MAX_OPEN_FILES = 20
"""Up to so many files, all evidence is shown below the table; of more, it is opened one by one."""


def write_report(path: Location, report: Report) -> Location:
    """Write a report atomically."""
    return write_text(path, render_report(report))


def render_report(report: Report, *, max_bytes: int = MAX_BYTES) -> str:
    """Return a report as HTML.

    It loads nothing, and its content security policy forbids it. Strings from media and file names
    are shown as text: escaped by the template, or set as text by the script.

    Args:
        report: Its content.
        max_bytes: Size of the HTML.
    """
    table: dict[str, Any] = {
        "columns": report.rows.columns,
        "names": report.rows.names,
        "folder": report.rows.folder,
    }
    without_evidence = _page(report, {**table, "media_ids": [], "items": []}, num_items_left_out=0)
    room = max_bytes - len(without_evidence.encode()) - _SPARE_BYTES
    items: list[dict[str, Any]] = []
    for evidence in report.evidence:
        item = _evidence_json(evidence)
        room -= _max_size(item)
        if room < 0:
            break
        items.append(item)
    data = {**table, "media_ids": [item["media_id"] for item in items], "items": items}
    data["words"] = {**VERDICT_WORDS, **SYNC_WORDS}
    data["is_open"] = len(report.rows) <= _MAX_OPEN_FILES
    return _page(report, data, num_items_left_out=len(report.evidence) - len(items))


def _evidence_json(evidence: Evidence) -> dict[str, Any]:
    pictures = {
        name: base64.b64encode(jpeg).decode("ascii") for name, jpeg in evidence.pictures.items()
    }
    record = evidence.record.model_dump(mode="json", exclude={"schema_name", "schema_version"})
    return {**record, "pictures": pictures}


def _max_size(item: Mapping[str, Any]) -> int:
    # Escaping makes strings longer, but not pictures.
    pictures = sum(len(text) + 40 for text in item["pictures"].values())
    return pictures + 3 * len(embed_json({k: v for k, v in item.items() if k != "pictures"}))


def _page(report: Report, data: Mapping[str, Any], *, num_items_left_out: int) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_read_asset),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script, style = _read_asset("report.js"), _read_asset("report.css")
    highest = max(1, *report.histogram)
    return environment.get_template("report.html.j2").render(
        report=report,
        num_files=sum(report.statuses.values()),
        num_items_left_out=num_items_left_out,
        num_items=len(data["items"]),
        bars=[
            {"x": bin_ * 100 / NUM_BINS, "height": 100 * count / highest, "count": count}
            for bin_, count in enumerate(report.histogram)
        ],
        words={**VERDICT_WORDS, **SYNC_WORDS},
        further_answers=" ".join(
            name for column, name in _CLASSES.items() if column in report.rows.names
        ),
        data=Markup(embed_json(data)),
        script=Markup(script),
        style=Markup(style),
        script_digest=_digest(script),
        style_digest=_digest(style),
        made_at=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        version=__version__,
    )


def _read_asset(name: str) -> str:
    path = resources.files("deepfake.views.report") / "page" / name
    return path.read_text(encoding="utf-8").replace("\r\n", "\n").strip()


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
