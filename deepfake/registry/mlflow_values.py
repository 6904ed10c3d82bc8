"""Convert names, parameters and metrics to what MLflow accepts."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic_core import to_jsonable_python

from deepfake.errors import DataError, TrackingError
from deepfake.storage import read_json_lines, write_text

if TYPE_CHECKING:
    from mlflow.entities import Metric

__all__ = [
    "flatten",
    "legal_name",
    "metric_points",
    "numeric_values",
    "read_metrics_lines",
    "write_metrics_lines",
]

_ILLEGAL = re.compile(r"[^\w\-. /]")
_MAX_NAME_CHARS = 250


def read_metrics_lines(path: Path) -> list[Metric]:
    """Return the metrics of a JSON-lines file, without an incomplete last line.

    Of two lines for one step, as a resumed training leaves them, the later one holds.

    Args:
        path: Lines of `epoch`, `step`, `name`, `value`, and `timestamp` in seconds where known.

    Raises:
        TrackingError: The file cannot be read, or a line is not a metric.
    """
    from mlflow.entities import Metric

    try:
        rows = read_json_lines(path)
    except DataError as error:
        raise TrackingError(error.message, path=path) from error
    except OSError as error:
        raise TrackingError(f"the metrics cannot be read ({error.strerror})", path=path) from error
    metrics: dict[tuple[str, int], Metric] = {}
    # The same lines give the same points, so writing them again after a failure adds none.
    written = path.stat().st_mtime
    for number, row in enumerate(rows, start=1):
        try:
            step = row.get("step") if row.get("step") is not None else row.get("epoch") or 0
            stamp = int(float(row.get("timestamp") or written) * 1000)
            if row["value"] is not None:
                metric = Metric(legal_name(row["name"]), float(row["value"]), stamp, int(step))
                metrics[metric.key, metric.step] = metric
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise TrackingError(f"line {number} is not a metric ({error})", path=path) from error
    return list(metrics.values())


def metric_points(values: Mapping[str, Any], *, prefix: str = "") -> list[Metric]:
    """Return the numeric values of a nested mapping as metrics of this moment, at step 0."""
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    return [
        Metric(legal_name(prefix + name), value, now, 0)
        for name, value in numeric_values(values).items()
    ]


def numeric_values(values: Mapping[str, Any]) -> dict[str, float]:
    """Return the numeric values of a nested mapping, under names joined with `_`."""
    return {
        key: float(value)
        for key, value in flatten(values, joint="_").items()
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    }


def flatten(values: Mapping[str, Any], *, joint: str = ".") -> dict[str, Any]:
    """Flatten a nested mapping, joining the names; None is left out.

    MLflow's comparison page takes `None` for a text. Values become what JSON holds, a tuple a list:
    a setting is then the same from memory and from a file, as MLflow refuses a changed parameter.
    """
    result: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            result |= {f"{key}{joint}{k}": v for k, v in flatten(value, joint=joint).items()}
        elif value is not None:
            result[str(key)] = to_jsonable_python(value, fallback=str)
    return result


def legal_name(name: str) -> str:
    """Replace characters that MLflow does not accept, and cut a name to its limit.

    Example:
        >>> legal_name("val/auc@5%")
        'val/auc_5_'
    """
    return _ILLEGAL.sub("_", name)[:_MAX_NAME_CHARS]


def write_metrics_lines(path: Path, metrics: Mapping[str, float | int | str | None]) -> None:
    """Write the numbers among metrics as a file that `read_metrics_lines` reads.

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
