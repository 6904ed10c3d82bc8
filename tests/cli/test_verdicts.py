"""Verdict lines: words for people, colour for terminals, plain text for everybody else."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from deepfake.cli.verdicts import style_verdict, verdict_line

_ROW: dict[str, Any] = {
    "verdict": "fake",
    "status": "ok",
    "prob_fake": 0.981,
    "uri": "/srv/[bold]a.mp4",
    "reason": "looks blended",
}


def _printed(row: dict[str, Any], **settings: Any) -> str:
    stream = io.StringIO()
    Console(file=stream, highlight=False, **settings).print(verdict_line(row), soft_wrap=True)
    return stream.getvalue()


def test_a_line_says_what_was_found_how_likely_and_of_what() -> None:
    line = _printed(_ROW)
    assert line == "FAKE           98.1% probability of fake  /srv/[bold]a.mp4  (looks blended)\n"


def test_a_terminal_gets_colour_and_a_pipe_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    colored = _printed(_ROW, force_terminal=True, color_system="standard")
    assert "\x1b[1;37;41mFAKE\x1b[0m" in colored
    monkeypatch.setenv("NO_COLOR", "1")
    without = _printed(_ROW, force_terminal=True, color_system="standard")
    assert "37;41m" not in without
    assert "\x1b" not in _printed(_ROW)


@pytest.mark.parametrize("verdict", ["real", "fake", "uncertain", "not_applicable"])
def test_every_verdict_has_a_word_of_one_width(verdict: str) -> None:
    word = style_verdict(verdict).plain
    assert len(word) == len(style_verdict("fake").plain)
    assert word.strip().isupper()


def test_what_was_not_judged_says_why_and_no_probability() -> None:
    row = {**_ROW, "verdict": "not_applicable", "status": "no_face", "prob_fake": None}
    line = _printed({**row, "reason": "no face was found in 8 frames"})
    assert line.startswith("NOT JUDGED ")
    assert line.endswith("(no_face: no face was found in 8 frames)\n")
    assert "likely" not in line


def test_a_name_cannot_order_the_terminal_about() -> None:
    line = _printed({**_ROW, "uri": "a\x1b[2Jb\nc.mp4", "reason": "two\nlines"})
    assert "\x1b" not in line
    assert line.count("\n") == 1
    assert "a\\x1b[2Jb\\nc.mp4" in line


def test_a_file_without_a_sign_is_not_called_real() -> None:
    line = _printed({**_ROW, "verdict": "real", "prob_fake": 0.042, "reason": None})
    assert line.startswith("NO SIGN FOUND ")
    assert "REAL" not in line


def test_what_is_not_calibrated_is_no_likelihood() -> None:
    line = verdict_line(_ROW, is_calibrated=False).plain
    assert "likely" not in line
    assert "rank 0.98 of 0 to 1" in line
