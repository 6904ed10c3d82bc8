"""The event log of a run: JSON lines in a file, bounded in size, without credentials.

Any code of the library may call `log_event`, or log to a logger named `deepfake...`. The code that
starts a run opens the file with `event_log`; without it nothing is written.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from pythonjsonlogger.json import JsonFormatter

from deepfake.errors import first_line

__all__ = ["event_log", "event_log_files", "log_event", "log_run"]

_ROOT = "deepfake"
_MAX_BYTES = 64 * 2**20
_OLDER_FILES = 3

_logger = logging.getLogger(__name__)


def log_event(event: str, **fields: Any) -> None:
    """Log an event, such as `file failed`, with fields of JSON types."""
    _logger.info(event, extra={"fields": fields})


@contextmanager
def log_run(**fields: Any) -> Iterator[dict[str, Any]]:
    """Log that a run began, and how it ended.

    Args:
        fields: Fields of the event `run began`.

    Yields:
        Fields of the event `run ended`; the run fills them in.
    """
    log_event("run began", **fields)
    numbers: dict[str, Any] = {}
    try:
        yield numbers
    except BaseException as error:
        message = f"{type(error).__name__}: {first_line(error)}"
        log_event("run ended", outcome="failed", **numbers, message=message)
        raise
    log_event("run ended", outcome="finished", **numbers)


def event_log_files(path: Path) -> list[Path]:
    """Return the files of an event log, the newest first."""
    older = [path.with_name(f"{path.name}.{i}") for i in range(1, _OLDER_FILES + 1)]
    return [file for file in (path, *older) if file.is_file()]


@contextmanager
def event_log(
    path: Path, *, run_id: str, mask: Callable[[str], str], max_bytes: int = _MAX_BYTES
) -> Iterator[None]:
    """Append the events and log records of the block to a file, a JSON object a line.

    A line has `time`, `level`, `logger`, `event`, `run_id`, and the fields of its event.

    Args:
        path: The file; older lines are kept in `.1` to `.3` beside it.
        run_id: Added to every line.
        mask: Removes credentials from a text.
        max_bytes: Size at which a new file is begun.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _end_cut_line(path)
    handler = _BoundedFile(
        path,
        maxBytes=max_bytes,
        backupCount=_OLDER_FILES,
        encoding="utf-8",
        errors="backslashreplace",
    )
    handler.setFormatter(_Lines(run_id, mask))
    logger = logging.getLogger(_ROOT)
    level, is_propagating = logger.level, logger.propagate
    handlers: list[logging.Handler] = [handler]
    if is_propagating:
        # Handlers of the root logger, such as a terminal's, get the same records as before.
        handlers.append(_ToRootLogger(logger.getEffectiveLevel()))
    for each in handlers:
        logger.addHandler(each)
    logger.setLevel(min(logging.INFO, logger.getEffectiveLevel()))
    logger.propagate = False
    try:
        yield
    finally:
        logger.setLevel(level)
        logger.propagate = is_propagating
        for each in handlers:
            logger.removeHandler(each)
            each.close()


def _end_cut_line(path: Path) -> None:
    """Start a new line if a run was killed in the middle of writing one."""
    if not path.is_file() or path.stat().st_size == 0:
        return
    with path.open("r+b") as stream:
        stream.seek(-1, os.SEEK_END)
        if stream.read(1) != b"\n":
            stream.write(b"\n")


class _Lines(JsonFormatter):
    def __init__(self, run_id: str, mask: Callable[[str], str]) -> None:
        super().__init__(
            ["levelname", "name", "message"],
            timestamp="time",
            rename_fields={"levelname": "level", "name": "logger", "message": "event"},
            static_fields={"run_id": run_id},
        )
        self._mask = mask

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        fields = log_data.pop("fields", {})
        ordered = {"time": log_data.pop("time"), **log_data, **fields}
        return {name: self._masked(value) for name, value in ordered.items()}

    def _masked(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._mask(value)
        if isinstance(value, Mapping):
            return {name: self._masked(inner) for name, inner in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._masked(inner) for inner in value]
        return value


class _BoundedFile(RotatingFileHandler):
    """A rotating file; on a full disk lines are lost, but the run goes on."""

    _is_first_failure = True

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        self._warn_once()

    def close(self) -> None:
        try:
            super().close()
        except OSError:
            self._warn_once()

    def _warn_once(self) -> None:
        if self._is_first_failure:
            self._is_first_failure = False
            logging.getLogger().warning("lines are missing in the event log %s", self.baseFilename)


class _ToRootLogger(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        logging.getLogger().handle(record)
