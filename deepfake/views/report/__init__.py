"""Scores and their evidence as one HTML file that opens anywhere and asks nobody for anything."""

from deepfake.views.report.content import MAX_ROWS, Item, Report, Rows, false_alarms
from deepfake.views.report.render import MAX_BYTES, render_report, write_report
from deepfake.views.report.tables import read_report, report_of_rows

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
