"""Names that visitors see instead of paths on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from deepfake.views.report import Report
from deepfake.views.webapp.settings import AppSettings

__all__ = ["display_names", "without_folder"]


def display_names(places: Sequence[str], *, settings: AppSettings) -> dict[str, str]:
    """Return the name of each place: the place itself, or as few of its last parts as are unique.

    Args:
        places: Paths or URIs.
        settings: Settings of the page.

    Example:
        >>> settings = AppSettings(is_showing_paths=False)
        >>> display_names(["/a/x/r", "/b/y/r", "/b/z"], settings=settings)
        {'/a/x/r': 'x/r', '/b/y/r': 'y/r', '/b/z': 'z'}
    """
    if settings.is_showing_paths:
        return {place: place for place in places}
    return {place: _shortest_name(place, [p for p in places if p != place]) for place in places}


def _shortest_name(place: str, others: Sequence[str]) -> str:
    parts = [part for part in place.split("/") if part]
    for count in range(1, len(parts)):
        name = "/".join(parts[-count:])
        if not any(other.rstrip("/").endswith(f"/{name}") for other in others):
            return name
    return "/".join(parts)


def without_folder(report: Report) -> Report:
    """Return a report whose files are named relative to the folder that contains all of them."""
    folder = report.rows.folder

    def shorten(value: Any) -> Any:
        return value.replace(folder, "") if folder and isinstance(value, str) else value

    columns = {**report.rows.columns, "uri": [*map(shorten, report.rows.columns["uri"])]}
    names = {column: [*map(shorten, values)] for column, values in report.rows.names.items()}
    failures = [{name: shorten(value) for name, value in row.items()} for row in report.failures]
    return replace(
        report, rows=replace(report.rows, columns=columns, names=names), failures=failures
    )
