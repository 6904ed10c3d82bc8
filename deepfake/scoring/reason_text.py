"""Explain a row of the scores table to a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deepfake.types import Status

__all__ = ["advice_on", "describe_reason"]

_ADVICE = {
    Status.EMPTY: "Nothing is in it: ask for the file again.",
    Status.UNSUPPORTED: "Not a picture or video that is looked into: convert it, or leave it out.",
    Status.DECODE_ERROR: "Damaged or cut short: ask for the file again, or convert it.",
    Status.TOO_LARGE: "Over a limit: make it smaller, or raise the limit that the reason names.",
    Status.TIMEOUT: "Raise --cpu-seconds or --timeout-seconds, as the reason says, and run again "
    "with --retry-failed.",
    Status.CRASHED: "It kills the decoder: convert it; keep it away from other programs.",
    Status.OUT_OF_MEMORY: "Raise --memory-mb and run again with --retry-failed.",
    Status.UNREADABLE: "Give this user the right to read it, or check the disk; then run again.",
    Status.MISSING: "Repair or remove the link.",
    Status.VANISHED: "It was moved or deleted; its scores went with it.",
    Status.ERROR: "Run again with --retry-failed; if it stays, report it with the reason.",
}
"""What a person can do about a file without a score."""


def advice_on(status: Status) -> str | None:
    """Return what a person can do about a file of this status; None where nothing is wrong."""
    return _ADVICE.get(status)


def describe_reason(row: Mapping[str, Any]) -> str | None:
    """Return why a row's verdict is what it is, or why it has none; None where no reason is given.

    Args:
        row: Columns `status` and `reason` of the scores table.

    Example:
        >>> describe_reason({"status": "no_face", "reason": "no face was found in 1 frame"})
        'no_face: no face was found in 1 frame'
    """
    reason = row["reason"] or None
    return reason if row["status"] == Status.OK else f"{row['status']}: {reason}"
