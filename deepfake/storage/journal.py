"""What a run tells of itself: JSON lines in a file, bounded in size, without credentials.

Anything in the library may `tell` an event, or log to a logger named `deepfake...`; where a run
starts, `journal` says which file that goes to. Without one nothing is written anywhere.
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

__all__ = ["journal", "journal_files", "tell", "telling"]

_ROOT = "deepfake"
_MAX_BYTES = 64 * 2**20
_OLDER_FILES = 3

_logger = logging.getLogger(__name__)


def tell(event: str, **fields: Any) -> None:
    """Tell an event, such as `file failed`, with fields of JSON types."""
    _logger.info(event, extra={"told": fields})


@contextmanager
def telling(**fields: Any) -> Iterator[dict[str, Any]]:
    """Tell that a run begins and how it ends.

    Args:
        fields: Of its beginning.

    Yields:
        What is told at its end; the run fills it in.
    """
    tell("run began", **fields)
    numbers: dict[str, Any] = {}
    try:
        yield numbers
    except BaseException as error:
        said = next(iter(str(error).splitlines()), "")
        told = f"{type(error).__name__}: {said}"
        tell("run ended", outcome="failed", **numbers, message=told)
        raise
    tell("run ended", outcome="finished", **numbers)


def journal_files(path: Path) -> list[Path]:
    """Return the files that hold a journal's lines, the newest first."""
    older = [path.with_name(f"{path.name}.{i}") for i in range(1, _OLDER_FILES + 1)]
    return [file for file in (path, *older) if file.is_file()]


@contextmanager
def journal(
    path: Path, *, run_id: str, mask: Callable[[str], str], max_bytes: int = _MAX_BYTES
) -> Iterator[None]:
    """Append what is told and logged inside the block to a file, a JSON object a line.

    A line has `time`, `level`, `logger`, `event`, `run_id`, and the fields of its event.

    Args:
        path: The file; older lines are kept in `.1` to `.3` beside it.
        run_id: Stands in every line.
        mask: Takes the credentials out of a text.
        max_bytes: Of one file.
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
        # Terminals and others who listen at the root hear what they heard before, and no more.
        handlers.append(_Outward(logger.getEffectiveLevel()))
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
    """Begin a new line where a run was killed in the middle of one."""
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
        told = log_data.pop("told", {})
        ordered = {"time": log_data.pop("time"), **log_data, **told}
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
    """A file of lines whose loss, on a full disk, does not end the run."""

    _is_complaining = True

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        self._complain()

    def close(self) -> None:
        try:
            super().close()
        except OSError:
            self._complain()

    def _complain(self) -> None:
        if self._is_complaining:
            self._is_complaining = False
            logging.getLogger().warning("lines are missing in the log %s", self.baseFilename)


class _Outward(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        logging.getLogger().handle(record)
