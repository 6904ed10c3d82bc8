"""One table of exit codes: in the code, in the docs, and over all commands."""

from __future__ import annotations

import re
import signal

import pytest
from typer.testing import CliRunner

from deepfake.cli.app import COMMANDS, GROUPS, app
from deepfake.cli.exit_codes import ExitCode, exit_code_of_error
from deepfake.errors import ConfigError, CorpusError, DeepfakeError, UnknownModelError
from tests.paths import CHECKOUT

_ALL = [[n] for n in COMMANDS] + [[group, n] for group, (_, own) in GROUPS.items() for n in own]


@pytest.mark.parametrize("command", _ALL, ids=" ".join)
def test_help_is_no_error_and_an_unknown_option_is_wrong_usage(command: list[str]) -> None:
    runner = CliRunner()
    assert runner.invoke(app, [*command, "--help"]).exit_code == ExitCode.DONE
    refused = runner.invoke(app, [*command, "--no-such-option"])
    assert refused.exit_code == ExitCode.WRONG_USAGE


def test_the_docs_have_the_same_table() -> None:
    text = (CHECKOUT / "docs" / "exit-codes.md").read_text(encoding="utf-8")
    assert [int(code) for code in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)] == list(ExitCode)


def test_signals_have_the_codes_that_shells_give_them() -> None:
    assert ExitCode.HUNG_UP == 128 + signal.SIGHUP
    assert ExitCode.INTERRUPTED == 128 + signal.SIGINT
    assert ExitCode.TERMINATED == 128 + signal.SIGTERM


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("x"), ExitCode.WRONG_USAGE),
        (UnknownModelError("x"), ExitCode.WRONG_USAGE),
        (CorpusError("x"), ExitCode.FAILED),
    ],
)
def test_errors_have_their_codes(error: DeepfakeError, code: ExitCode) -> None:
    assert exit_code_of_error(error) is code
