"""Ctrl-C on a terminal, and SIGTERM, while the commands that run flows are at work."""

from __future__ import annotations

import re
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from deepfake.media import write_image
from tests.flows.retrain_home import POLICY, RECIPE, Home, files_of
from tests.paths import CHECKOUT
from tests.sample_data import clip_frames, make_detector
from tests.terminal import Terminal, on_terminal

pytestmark = [pytest.mark.services, pytest.mark.slow]

_LONG = RECIPE.replace("epochs = 2", "epochs = 5000").replace("patience = 100", "patience = 5000")
_SPACE = f"""\
[fixed]
{_LONG.partition("[augment]")[0]}
[settings]
weight_decay = {{ low = 1e-5, high = 5e-2, log = true }}
"""
_MOST_SECONDS = 5.0
_AT_ONCE_SECONDS = 1.5


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Return a home with pictures to score and to ingest, a corpus to train on, and a champion."""
    path = tmp_path_factory.mktemp("stopping") / "here"
    path.mkdir()
    home = Home(path, f"sqlite:///{path}/mlflow.db")
    (path / "tiny.toml").write_text(RECIPE)
    (path / "long.toml").write_text(_LONG)
    (path / "space.toml").write_text(_SPACE)
    (path / "policy.toml").write_text(POLICY.replace('held_out = "newsdesk"\n', ""))
    counts = {"train": 12, "val": 24, "test": 12}
    home.write("small", [f for s, n in counts.items() for f in files_of(s, real=n, grid=n)])
    home.crown("deepfake-detector", "small")
    make_detector(path / "detector")
    for seed in range(120):
        picture = clip_frames(1, seed=seed)[0]
        for folder in ("inbox", f"corpus/{'real' if seed % 2 else 'fake'}"):
            (path / folder).mkdir(parents=True, exist_ok=True)
            write_image(path / folder / f"{seed}.png", picture)
    return home


def _runs(home: Home) -> list[tuple[str, str]]:
    """Return name and state of each flow run."""
    database = home.root.path / ".prefect" / "prefect.db"
    if not database.is_file():
        return []
    with closing(sqlite3.connect(database)) as connection:
        found = connection.execute("SELECT name, state_name FROM flow_run").fetchall()
    return [(str(name), str(state)) for name, state in found]


def _has_metrics(home: Home, run_name: str) -> bool:
    return (home.root.runs / run_name / "metrics.jsonl").is_file()


_TRAINING = ["--dataset", "small", "--device", "cpu"]
_LIKE_THIS = ["--recipe", "long.toml", "--start", "scratch", "--policy", "policy.toml"]
_COMMANDS: dict[str, tuple[list[str], Callable[[Home, Terminal], bool]]] = {
    "score": (
        ["score", "inbox", "--output", "out", "--weights", "detector", "--num-workers", "1"],
        lambda _, terminal: re.search(r" [1-9]\d*/120\b", terminal.shown) is not None,
    ),
    "ingest": (
        ["ingest", "corpus", "--corpus", "new", "--num-workers", "1"],
        lambda _, terminal: "extract" in terminal.shown,
    ),
    "train": (
        ["train", *_TRAINING, "--recipe", "long.toml", "--run-name", "long"],
        lambda home, _: _has_metrics(home, "long"),
    ),
    "retrain": (
        ["retrain", *_TRAINING, *_LIKE_THIS],
        lambda home, _: any(home.root.runs.glob("retrain-*/metrics.jsonl")),
    ),
    "sweep": (
        ["sweep", *_TRAINING, "--space", "space.toml", "--trials", "2"],
        lambda home, _: any((home.root.path / "sweeps").rglob("metrics.jsonl")),
    ),
}
_SENTENCES = {"train": "Stopped; run the same command with --resume to go on"}


def _check(terminal: Terminal, *, code: int, most_seconds: float = _MOST_SECONDS) -> None:
    seconds = terminal.seconds_to_end()
    assert terminal.process.returncode == code, terminal.shown
    assert seconds < most_seconds, terminal.shown
    assert terminal.left_running() == [], terminal.shown
    assert "Traceback" not in terminal.shown
    assert "ERROR" not in terminal.shown


@pytest.mark.parametrize("name", _COMMANDS)
def test_ctrl_c_stops_a_command_within_seconds(home: Home, name: str) -> None:
    arguments, is_under_way = _COMMANDS[name]
    with on_terminal(*arguments, cwd=home.path, environment=home.environment) as terminal:
        terminal.wait_until(lambda: is_under_way(home, terminal))
        terminal.press_ctrl_c()
        _check(terminal, code=130)
        sentence = _SENTENCES.get(name, "Stopped; run the same command again to go on.")
        assert terminal.shown.count(sentence) == 1
    (state,) = [state for run, state in _runs(home) if run.startswith(f"{name}-")]
    assert state == "Cancelled"


def test_what_was_stopped_goes_on(home: Home) -> None:
    """After the one above; its finished parts are kept."""
    arguments, _ = _COMMANDS["score"]
    with on_terminal("status", "out", cwd=home.path, environment=home.environment) as terminal:
        terminal.process.wait(60)
        assert "interrupted" in terminal.shown
    with on_terminal(*arguments, cwd=home.path, environment=home.environment) as terminal:
        assert terminal.process.wait(600) == 0, terminal.shown
        assert "120 files" in terminal.shown


@pytest.mark.parametrize("is_begun", [False, True])
@pytest.mark.parametrize("name", ["ingest", "train"])
def test_sigterm_stops_a_command_as_ctrl_c_does(home: Home, name: str, is_begun: bool) -> None:
    """As soon as Prefect has the run, and in the middle of its work."""
    arguments, is_under_way = _COMMANDS[name]
    if name == "train":
        is_under_way = lambda home, _: _has_metrics(home, str(is_begun))  # noqa: E731
    before = len(_runs(home))
    own = {"ingest": ["--corpus", f"other-{is_begun}"], "train": ["--run-name", f"{is_begun}"]}[
        name
    ]
    with on_terminal(*arguments, *own, cwd=home.path, environment=home.environment) as terminal:
        terminal.wait_until(lambda: "Running" in [state for _, state in _runs(home)[before:]])
        if is_begun:
            terminal.wait_until(lambda: is_under_way(home, terminal))
        terminal.process.send_signal(signal.SIGTERM)
        _check(terminal, code=143)
    assert [state for _, state in _runs(home)[before:]] == ["Cancelled"]


def test_a_second_ctrl_c_leaves_at_once(home: Home) -> None:
    """Two signals at the same instant would be one: a person needs a moment."""
    arguments, is_under_way = _COMMANDS["ingest"]
    own = ["--corpus", "third"]
    with on_terminal(*arguments, *own, cwd=home.path, environment=home.environment) as terminal:
        terminal.wait_until(lambda: is_under_way(home, terminal))
        terminal.press_ctrl_c()
        terminal.wait_until(lambda: "^C" in terminal.shown)
        time.sleep(0.1)
        terminal.press_ctrl_c()
        _check(terminal, code=130, most_seconds=_AT_ONCE_SECONDS)


@pytest.mark.parametrize("is_interrupt", [True, False])
def test_all_servers_stop_within_seconds(home: Home, is_interrupt: bool) -> None:
    arguments = ["--file", CHECKOUT / "prefect.yaml", "--port", "0", "--mlflow-port", "0"]
    with on_terminal("up", *arguments, cwd=home.path, environment=home.environment) as terminal:
        terminal.wait_until(lambda: "Ctrl-C stops all" in terminal.shown, seconds=400)
        if is_interrupt:
            terminal.press_ctrl_c()
        else:
            terminal.process.send_signal(signal.SIGTERM)
        _check(terminal, code=130 if is_interrupt else 143)


def test_a_command_that_has_just_begun_stops_too(tmp_path: Path) -> None:
    """While modules are imported."""
    (tmp_path / "inbox").mkdir()
    with on_terminal("score", "inbox", "--output", "out", cwd=tmp_path) as terminal:
        terminal.wait_until(lambda: "Prefect:" in terminal.shown)
        terminal.press_ctrl_c()
        _check(terminal, code=130)
