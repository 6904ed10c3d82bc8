"""Every kind of broken media in one folder: each gets a row, and none is read from outside."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
import sys
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import psutil
import pytest

from deepfake.media import write_image
from deepfake.types import Status
from tests.access_monitor import Listener, OpenedFiles, listening, watching_files
from tests.command_line import Completed, drop_root_rights, product_environment, run_deepfake
from tests.paths import CHECKOUT
from tests.sample_data import face_close_up
from tests.torture import Outside, fill_with_torture
from tests.torture.names import NOT_UTF8

pytestmark = pytest.mark.slow

_LIMITS = ("--cpu-seconds", "30", "--timeout-seconds", "400")
_MARK = "TORTURED_RUN"


@dataclass(frozen=True)
class _Chamber:
    """The folder, and what no file of it may touch."""

    media: Path
    expected: dict[str, frozenset[str]]
    canaries: OpenedFiles
    listener: Listener

    def assert_nothing_outside_was_touched(self) -> None:
        assert not self.canaries.was_any_opened()
        assert self.listener.callers == []

    def names_of(self, uris: pd.Series[str]) -> list[str]:
        """Return names in the folder."""
        return [uri.removeprefix(f"{self.media}/") for uri in uris]


@pytest.fixture(scope="module")
def chamber(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Chamber]:
    folder = tmp_path_factory.mktemp("chamber")
    canary = write_image(folder / "canary.jpg", face_close_up())
    with listening() as listener:
        outside = Outside(listener.url, canary)
        expected = fill_with_torture(folder / "media", outside)
        hidden = write_image(folder / "media" / outside.hidden, face_close_up())
        with watching_files([canary, hidden]) as canaries:
            yield _Chamber(folder / "media", expected, canaries, listener)
    (folder / "media" / "closed-folder").chmod(0o700)


@dataclass(frozen=True)
class _Run:
    """One command, and what it left."""

    done: Completed
    cwd: Path
    leftover_processes: list[str]
    leftover_files: list[str]


def _run(cwd: Path, *arguments: str | Path) -> _Run:
    """Run a command as a user without root's rights, and look for what it leaves."""
    temporary, mark = cwd / "tmp", uuid.uuid4().hex
    temporary.mkdir()
    done = run_deepfake(
        *arguments,
        cwd=cwd,
        environment=product_environment(TMPDIR=str(temporary), **{_MARK: mark}),
        before=drop_root_rights,
        timeout_seconds=1200,
    )
    left = [p for p in psutil.process_iter() if _has_mark(p, mark)]
    psutil.wait_procs(left, timeout=10)
    processes = [" ".join(p.cmdline()) for p in left if p.is_running()]
    return _Run(done, cwd, processes, [p.name for p in temporary.iterdir()])


def _has_mark(process: psutil.Process, mark: str) -> bool:
    try:
        return process.environ().get(_MARK) == mark
    except psutil.Error:
        return False


def test_the_watch_sees_what_it_should(chamber: _Chamber) -> None:
    """Or else all that follows would prove nothing."""
    (chamber.media / ".canary.jpg").read_bytes()
    assert chamber.canaries.was_any_opened()
    with pytest.raises(OSError):
        urllib.request.urlopen(chamber.listener.url, timeout=5)
    assert chamber.listener.callers.pop().startswith(b"GET /")


@pytest.fixture(scope="module")
def scored(
    chamber: _Chamber,
    detector: Path,
    voice_detector: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[_Run]:
    cwd = tmp_path_factory.mktemp("score")
    named = ("--weights", detector, "--voice-weights", voice_detector)
    yield _run(cwd, "score", chamber.media, "--output", "out", *named, *_LIMITS)


def _assert_statuses(chamber: _Chamber, table: pd.DataFrame) -> None:
    statuses = dict(zip(chamber.names_of(table["uri"]), table["status"], strict=True))
    assert len(statuses) == len(table), "a file has two rows"
    assert set(statuses.values()) <= set(Status)
    wrong = {
        name: (statuses.get(name), sorted(allowed))
        for name, allowed in chamber.expected.items()
        if statuses.get(name) not in allowed
    }
    assert not wrong
    others = statuses.keys() - chamber.expected.keys()
    nameless = [name for name in others if name.startswith("names/./")]
    assert len(nameless) == len(NOT_UTF8)
    assert {statuses[name] for name in nameless} == {"unsupported"}
    # `ingest` lists what a link to a folder leads to a second time.
    assert all(name.startswith("round/") for name in others - set(nameless))


def test_every_file_has_one_row_and_a_status_that_a_user_would_expect(
    chamber: _Chamber, scored: _Run
) -> None:
    assert scored.done.returncode == 3, scored.done.stderr
    table = pd.read_parquet(scored.cwd / "out" / "scores.parquet")
    _assert_statuses(chamber, table)
    assert len(table) == len(chamber.expected) + len(NOT_UTF8)
    assert (table["prob_fake"].notna() == (table["status"] == "ok")).all()
    (bomb,) = table.loc[table["uri"].str.endswith("/scan-bomb.jpg"), "message"]
    assert bomb == "needed more than 30 CPU seconds and was stopped"
    refused = table[~table["status"].isin(["ok", "no_face"])]
    assert refused["message"].str.len().gt(5).all(), "each says why"


def test_no_worker_died_of_any_file(scored: _Run) -> None:
    table = pd.read_parquet(scored.cwd / "out" / "scores.parquet")
    assert not set(table["status"]) & {"crashed", "error", "out_of_memory", "vanished"}


def test_every_file_has_a_verdict_on_its_voice(chamber: _Chamber, scored: _Run) -> None:
    table = pd.read_parquet(scored.cwd / "out" / "scores.parquet")
    assert table["verdict_voice"].notna().all()
    is_judged = table["verdict_voice"] != "not_applicable"
    assert (table["logit_voice"].notna() == is_judged).all()
    assert table["logit_voice"].dropna().map(math.isfinite).all()
    assert table.loc[~is_judged, "reason_voice"].str.len().gt(5).all(), "each says why"
    judged = set(chamber.names_of(table.loc[is_judged, "uri"]))
    # A tone is taken for speech; silence, what cannot be decoded, and a picture are not.
    assert {"sounds/a.opus", "sounds/channels6.wav", "sounds/rate0-declared.flac"} <= judged
    quiet = {"sounds/zeros.flac", "sounds/nan.wav", "sounds/no-samples.wav", "sounds/short.wav"}
    assert not (quiet | {"sounds/text.wav", "sounds/picture.flac"}) & judged
    windows = pd.read_parquet(scored.cwd / "out" / "windows.parquet")
    assert set(chamber.names_of(windows["uri"])) == judged
    assert windows["pts_seconds"].ge(0).all()


def test_nothing_is_left_of_the_run(scored: _Run) -> None:
    assert scored.leftover_processes == []
    assert scored.leftover_files == []
    assert "Traceback" not in scored.done.stderr
    made = {path.name for path in scored.cwd.iterdir()}
    assert made <= {"data", "mlruns", "out", "tmp"}, "a name of a file was taken for an order"


def test_scoring_touches_nothing_outside(chamber: _Chamber, scored: _Run) -> None:
    assert scored.done.returncode == 3
    chamber.assert_nothing_outside_was_touched()


def test_what_is_printed_gives_no_orders_to_the_terminal(scored: _Run) -> None:
    assert "\x1b[31m" not in scored.done.stdout + scored.done.stderr


def test_ingesting_accounts_for_every_file_and_touches_nothing_outside(
    chamber: _Chamber, tmp_path: Path
) -> None:
    run = _run(tmp_path, "ingest", chamber.media, "--corpus", "tortured", *_LIMITS)
    assert run.done.returncode == 3, run.done.stderr
    (outcomes,) = (tmp_path / "data" / "shards" / "tortured").glob("*/outcomes.parquet")
    _assert_statuses(chamber, pd.read_parquet(outcomes))
    assert (run.leftover_processes, run.leftover_files) == ([], [])
    assert "\x1b[31m" not in run.done.stdout
    chamber.assert_nothing_outside_was_touched()


def test_ingesting_speech_accounts_for_every_file_and_touches_nothing_outside(
    chamber: _Chamber, tmp_path: Path
) -> None:
    options = ("--corpus", "tortured", "--modality", "voice")
    run = _run(tmp_path, "ingest", chamber.media, *options, *_LIMITS)
    assert run.done.returncode == 3, run.done.stderr
    (path,) = (tmp_path / "data" / "shards" / "tortured").glob("*/outcomes.parquet")
    outcomes = pd.read_parquet(path)
    names = chamber.names_of(outcomes["uri"])
    assert chamber.expected.keys() <= set(names)
    assert len(set(names)) == len(names)
    assert set(outcomes["status"]) <= set(Status) - {"crashed", "error", "out_of_memory"}
    assert (run.leftover_processes, run.leftover_files) == ([], [])
    chamber.assert_nothing_outside_was_touched()


def _strace_works() -> bool:
    tool = shutil.which("strace")
    if tool is None:
        return False
    tried = [tool, "-f", "--seccomp-bpf", "-e", "trace=openat", "true"]
    return subprocess.run(tried, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not _strace_works(), reason="strace is not installed, or may not trace")
def test_the_system_saw_no_other_file_opened_and_no_connection_made(
    chamber: _Chamber, detector: Path, voice_detector: Path, tmp_path: Path
) -> None:
    """`detect` starts no server: whatever it opens or connects to is there for it to see."""
    log, temporary = tmp_path / "calls", tmp_path / "tmp"
    temporary.mkdir()
    files = sorted(p for p in chamber.media.rglob("*") if _is_asked_for(p))
    calls = "trace=connect,openat,open,openat2,creat"
    traced = ["strace", "-f", "--seccomp-bpf", "-qq", "-xx", "-s", "4096", "-e", calls]
    command = [sys.executable, "-m", "deepfake", "detect", "--weights", detector, "--json"]
    command += ["--voice-weights", voice_detector]
    done = subprocess.run(
        [*traced, "-o", log, *command, *_LIMITS, "--", *files],
        cwd=tmp_path,
        env=product_environment(TMPDIR=str(temporary)),
        capture_output=True,
        timeout=1200,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert len(json.loads(done.stdout)) == len(files)
    opened, addresses = _read_calls(log.read_text(encoding="ascii"))
    media = {path for path in opened if path.startswith(f"{chamber.media}/")}
    assert len(media) > 200, "the trace holds what the workers did"
    assert media <= {str(path) for path in files}, "a file that nobody asked for was opened"
    cache = os.environ["DEEPFAKE_CACHE"]
    named = (str(tmp_path), str(detector), str(voice_detector), str(chamber.media))
    allowed = (*_own_folders(), cache, *named)
    assert sorted(p for p in opened if not p.startswith(allowed)) == []
    assert addresses == set()


def _is_asked_for(path: Path) -> bool:
    """Return whether it can be named on the command line, as a file that nobody hides."""
    is_dangling = path.is_symlink() and not path.exists()
    if path.name.startswith(".") or path.is_dir() or is_dangling:
        return False
    return not re.search("[\udc80-\udcff]", str(path)) and "up" not in path.parts


def _own_folders() -> tuple[str, ...]:
    """Return where a program's own code, the system's libraries and its knowledge of it lie."""
    here = CHECKOUT
    prefixes = {sys.prefix, sys.base_prefix}
    homes = {*prefixes, *map(os.path.realpath, prefixes), str(here)}
    return (*homes, "/usr/", "/lib", "/etc/", "/proc/", "/sys/", "/dev/")


_CALL = re.compile(r"^\d+ +(\w+)\((.*)\) = (-?\d+)", re.MULTILINE)
_QUOTED = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')


def _read_calls(text: str) -> tuple[set[str], set[str]]:
    """Return the paths that were opened, and what was connected to but sockets of this machine."""
    opened, addresses = set(), set()
    for name, arguments, result in _CALL.findall(text):
        if name == "connect" and "AF_UNIX" not in arguments:
            addresses.add(arguments)
        elif name != "connect" and int(result) >= 0:
            quoted = _QUOTED.search(arguments)
            assert quoted is not None, arguments
            path = bytes.fromhex(quoted[1].replace("\\x", ""))
            opened.add(os.path.normpath(os.fsdecode(path)))
    return {path for path in opened if path.startswith("/")}, addresses


def test_a_connection_would_be_seen_in_the_trace(tmp_path: Path) -> None:
    if not _strace_works():
        pytest.skip("strace is not installed, or may not trace")
    with listening() as listener:
        code = f"import socket; socket.create_connection(('127.0.0.1', {listener.port}))"
        log = tmp_path / "calls"
        options = ["-f", "-qq", "-xx", "-e", "trace=connect,openat", "-o", log]
        subprocess.run(["strace", *options, sys.executable, "-c", code], check=True)
    opened, addresses = _read_calls(log.read_text(encoding="ascii"))
    assert len(addresses) == 1
    assert any(path.startswith(sys.base_prefix) for path in opened)
