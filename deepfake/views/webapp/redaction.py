"""What visitors read in place of where things lie on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from deepfake.views.report import Report
from deepfake.views.webapp.settings import AppSettings

__all__ = ["shown_names", "without_folder"]


def shown_names(places: Sequence[str], *, settings: AppSettings) -> dict[str, str]:
    """Return what visitors read for each place: it itself, or as few of its last parts as tell.

    Args:
        places: Paths or addresses in a store.
        settings: Of the page.

    Example:
        >>> shown_names(["/a/x/r", "/b/y/r", "/b/z"], settings=AppSettings(is_showing_places=False))
        {'/a/x/r': 'x/r', '/b/y/r': 'y/r', '/b/z': 'z'}
    """
    if settings.is_showing_places:
        return {place: place for place in places}
    return {place: _shortest(place, [p for p in places if p != place]) for place in places}


def _shortest(place: str, others: Sequence[str]) -> str:
    parts = [part for part in place.split("/") if part]
    for count in range(1, len(parts)):
        name = "/".join(parts[-count:])
        if not any(other.rstrip("/").endswith(f"/{name}") for other in others):
            return name
    return "/".join(parts)


def without_folder(report: Report) -> Report:
    """Return a report in which files are named below the folder that all of them lie in."""
    folder = report.rows.folder

    def shown(text: Any) -> Any:
        return text.replace(folder, "") if folder and isinstance(text, str) else text

    columns = {**report.rows.columns, "uri": [*map(shown, report.rows.columns["uri"])]}
    names = {column: [*map(shown, values)] for column, values in report.rows.names.items()}
    failures = [{name: shown(told) for name, told in row.items()} for row in report.failures]
    return replace(
        report, rows=replace(report.rows, columns=columns, names=names), failures=failures
    )
