"""Commands out of models of options."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import pytest
import typer
from pydantic import Field
from typer.testing import CliRunner

from deepfake.cli.checks import reject_missing
from deepfake.cli.options import add_command
from deepfake.config.options import Options
from deepfake.config.options.fields import Argument, OptionName
from deepfake.errors import ConfigError

TAKEN: list[Options] = []


class Sketch(Options):
    """Draw a sketch."""

    folder: Annotated[str, Argument("FOLDER")] = Field(description="Where.")
    share: float | None = Field(None, gt=0, lt=1, description="Of the paper.")
    lines: int = Field(3, ge=1, le=9, description="Lines.")
    is_bold: Annotated[bool, OptionName("--bold")] = Field(False, description="Thick lines.")
    frame: bool | None = Field(None, description="With a frame.")
    pens: list[str] | None = Field(None, description="Pens; repeatable.")


def draw(options: Sketch) -> None:
    """Keep the options."""
    TAKEN.append(options)


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    TAKEN.clear()
    monkeypatch.setitem(__import__("sys").modules, "sketching", __import__("sys").modules[__name__])
    app = typer.Typer()
    add_command(app, "draw", Sketch, "sketching:draw")
    return app


def test_what_is_typed_becomes_the_options(program: typer.Typer) -> None:
    typed = [
        "here",
        "--share",
        "0.5",
        "--lines",
        "4",
        "--bold",
        "--no-frame",
        "--pens",
        "a",
        "--pens",
        "b",
    ]
    done = CliRunner().invoke(program, typed)
    assert done.exit_code == 0, done.output
    assert [
        Sketch(folder="here", share=0.5, lines=4, is_bold=True, frame=False, pens=["a", "b"])
    ] == TAKEN


def test_what_is_not_typed_has_its_default(program: typer.Typer) -> None:
    assert CliRunner().invoke(program, ["here"]).exit_code == 0
    assert [Sketch(folder="here")] == TAKEN


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["here", "--lines", "10"], "--lines"),
        (["here", "--share", "1"], "--share"),
        ([], "FOLDER"),
    ],
)
def test_what_is_out_of_range_or_lacking_is_wrong_usage(
    program: typer.Typer, typed: list[str], said: str
) -> None:
    done = CliRunner().invoke(program, typed)
    assert done.exit_code == 2
    assert said in done.output
    assert TAKEN == []


def test_the_help_is_the_model(program: typer.Typer) -> None:
    shown = CliRunner().invoke(program, ["--help"], env={"COLUMNS": "120"}).output
    for text in ("Draw a sketch.", "--no-frame", "1<=x<=9", "Thick lines.", "default: 3"):
        assert text in shown
    assert "--no-bold" not in shown


def test_a_name_that_is_no_text_is_refused(program: typer.Typer) -> None:
    done = CliRunner().invoke(program, [os.fsdecode(b"a\xff")])
    assert isinstance(done.exception, ConfigError)
    assert "folder: the name is not valid UTF-8" in str(done.exception)


def test_paths_that_do_not_exist_are_rejected(tmp_path: Path) -> None:
    reject_missing(tmp_path, "s3://bucket/never-asked")
    with pytest.raises(ConfigError, match="no such file or folder"):
        reject_missing(tmp_path, tmp_path / "gone")
