"""Scores and their evidence as one HTML file that opens anywhere and asks nobody for anything."""

from deepfake.reporting.content import MAX_ROWS, Item, Report, Rows, false_alarms
from deepfake.reporting.rendering import MAX_BYTES, render_report, write_report
from deepfake.reporting.tables import read_report, report_of_rows

__all__ = [
    "MAX_BYTES",
    "MAX_ROWS",
    "Item",
    "Report",
    "Rows",
    "false_alarms",
    "read_report",
    "render_report",
    "report_of_rows",
    "write_report",
]
