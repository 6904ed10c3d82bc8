"""The report: scores and their evidence as one HTML file that needs nothing else."""

from deepfake.views.report.content import FAKE_SHARES, MAX_ROWS, Report, Rows, false_alarms
from deepfake.views.report.read import create_report, read_report
from deepfake.views.report.render import MAX_BYTES, render_report, write_report

__all__ = [
    "FAKE_SHARES",
    "MAX_BYTES",
    "MAX_ROWS",
    "Report",
    "Rows",
    "create_report",
    "false_alarms",
    "read_report",
    "render_report",
    "write_report",
]
