"""What MLflow takes: legal names, flat mappings, metrics read from their file."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic_core import to_jsonable_python

from deepfake.errors import TrackingError
from deepfake.storage import write_text

if TYPE_CHECKING:
    from mlflow.entities import Metric

__all__ = ["flat", "legal_name", "numbers_of", "read_metrics", "write_metrics_lines"]

_ILLEGAL = re.compile(r"[^\w\-. /]")
_MAX_NAME_CHARS = 250


def read_metrics(path: Path) -> list[Metric]:
    """Return the metrics of a file of JSON lines, without a last line that was cut off.

    Of two lines for one step, as a resumed training leaves them, the later one holds.

    Args:
        path: Lines of `epoch`, `step`, `name`, `value`, and `timestamp` in seconds where known.

    Raises:
        TrackingError: The file cannot be read, or a line is not a metric.
    """
    from mlflow.entities import Metric

    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise TrackingError(f"the metrics cannot be read ({error.strerror})", path=path) from error
    metrics: dict[tuple[str, int], Metric] = {}
    # The same lines give the same points, so writing them again after a failure adds none.
    written = path.stat().st_mtime
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
            step = row.get("step") if row.get("step") is not None else row.get("epoch") or 0
            stamp = int(float(row.get("timestamp") or written) * 1000)
            if row["value"] is not None:
                metric = Metric(legal_name(row["name"]), float(row["value"]), stamp, int(step))
                metrics[metric.key, metric.step] = metric
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            if number == len(lines):
                break  # the writer was killed in the middle of its last line
            raise TrackingError(f"line {number} is not a metric ({error})", path=path) from error
    return list(metrics.values())


def numbers_of(values: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of a nested mapping under names joined with `_`."""
    return {
        key: float(value)
        for key, value in flat(values, joint="_").items()
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    }


def flat(values: Mapping[str, Any], *, joint: str = ".") -> dict[str, Any]:
    """Return a nested mapping as one level, the names joined; what is None is not there.

    A page that compares runs takes `None` for a word, and a number beside it for another. What JSON
    has no word for becomes what it has, a tuple a list: a setting reads alike in memory and out of
    a file, and the store refuses a run's setting that is told in another way.
    """
    result: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            result |= {f"{key}{joint}{k}": v for k, v in flat(value, joint=joint).items()}
        elif value is not None:
            result[str(key)] = to_jsonable_python(value, fallback=str)
    return result


def legal_name(name: str) -> str:
    """Return a name with what MLflow does not take replaced, cut to its limit.

    Example:
        >>> legal_name("val/auc@5%")
        'val/auc_5_'
    """
    return _ILLEGAL.sub("_", name)[:_MAX_NAME_CHARS]


def write_metrics_lines(path: Path, metrics: Mapping[str, float | int | str | None]) -> None:
    """Write the numbers among metrics as a file that `read_metrics` reads.

    Args:
        path: The file.
        metrics: By name; those without a number are left out.
    """
    lines = [
        {"epoch": None, "step": 0, "name": name, "value": value, "timestamp": time.time()}
        for name, value in metrics.items()
        if isinstance(value, (int, float))
    ]
    write_text(path, "".join(json.dumps(line) + "\n" for line in lines))
