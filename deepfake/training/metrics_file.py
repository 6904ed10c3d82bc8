"""Write and read the metrics of a run, a JSON line each."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities import rank_zero_only

from deepfake.storage import read_json_lines, write_text

__all__ = ["MetricsFile", "drop_incomplete_line", "read_metrics_file"]


class MetricsFile(Logger):  # type: ignore[misc]
    """A Lightning logger that appends to a JSON-lines file, so that no metric needs a tracker.

    A line: `{"epoch", "step", "name", "value", "timestamp"}`; `value` is null where it is not
    finite, `timestamp` is seconds since 1970. A resumed run appends; of equal epochs the later line
    holds.

    Args:
        path: The file; its folder is made.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    @property
    def name(self) -> str:
        """Name of the file without its suffix."""
        return self.path.stem

    @property
    def version(self) -> None:
        """None; a version would appear in the progress bar."""
        return None

    @rank_zero_only  # type: ignore[untyped-decorator]
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Append one line a metric and hand them to the operating system at once."""
        values = dict(metrics)
        epoch = values.pop("epoch", None)
        lines = [
            {
                "epoch": None if epoch is None else int(epoch),
                "step": step,
                "name": name,
                "value": float(value) if math.isfinite(float(value)) else None,
                "timestamp": time.time(),
            }
            for name, value in sorted(values.items())
        ]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as stream:
            stream.writelines(json.dumps(line) + "\n" for line in lines)

    @rank_zero_only  # type: ignore[untyped-decorator]
    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the run's configuration is written before training starts."""


def read_metrics_file(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a metrics file, without an incomplete last line."""
    return read_json_lines(path) if path.is_file() else []


def drop_incomplete_line(path: Path) -> None:
    """Remove an incomplete last line, so that the next one starts on a new line."""
    if not path.is_file():
        return
    text = path.read_bytes()
    whole = text[: text.rfind(b"\n") + 1]
    if whole != text:
        write_text(path, whole.decode())
