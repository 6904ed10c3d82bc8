"""Exit codes of all commands; `docs/exit-codes.md` is the same table for people."""

from __future__ import annotations

from enum import IntEnum

from deepfake.errors import ConfigError, DeepfakeError, UnknownModelError

__all__ = ["ExitCode", "exit_code_of_error"]


class ExitCode(IntEnum):
    """How a command ended.

    Attributes:
        DONE: As asked; every file has an expected outcome.
        FAILED: It could not run or come to its end. Of `verify`: not reproduced.
        WRONG_USAGE: An option, a name, a device or a place is wrong; nothing was begun.
        FILES_FAILED: It came to its end, and some file could not be used.
        HUNG_UP: The terminal was closed (SIGHUP).
        INTERRUPTED: Ctrl-C (SIGINT).
        TERMINATED: SIGTERM.
    """

    DONE = 0
    FAILED = 1
    WRONG_USAGE = 2
    FILES_FAILED = 3
    # As shells have it: 128 and the number of the signal.
    HUNG_UP = 129
    INTERRUPTED = 130
    TERMINATED = 143


def exit_code_of_error(error: DeepfakeError) -> ExitCode:
    """Return the exit code of a command that ended with an error of ours."""
    is_usage = isinstance(error, (ConfigError, UnknownModelError))
    return ExitCode.WRONG_USAGE if is_usage else ExitCode.FAILED
