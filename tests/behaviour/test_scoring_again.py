"""Scoring a folder that changed, or whose run was killed: each file is scored once."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from deepfake.media import write_image
from tests.command_line import Completed, product_environment, run_deepfake
from tests.sample_data import clip_frames, make_detector

pytestmark = pytest.mark.slow

_LONG_AGO = 1_600_000_000


def _still(path: Path, seed: int) -> Path:
    """Write a picture of a face whose time of change is long past."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, clip_frames(1, seed=seed)[0])
    os.utime(path, (_LONG_AGO, _LONG_AGO))
    return path


class _Inbox:
    """A folder of media and the folder of its scores."""

    def __init__(self, root: Path, detector: Path) -> None:
        self.root, self.detector = root, detector
        self.media, self.output = root / "media", root / "out"
        self.media.mkdir()

    def arguments(self, *more: str) -> list[str]:
        said = ["score", str(self.media), "--output", str(self.output), "--num-workers", "2"]
        # What these tests kill and count is scoring.
        said += ["--evidence", "0"]
        return [*said, "--weights", str(self.detector), *more]

    def run(self, *more: str, code: int = 0) -> Completed:
        done = run_deepfake(*self.arguments(*more), cwd=self.root)
        assert done.returncode == code, done.stdout + done.stderr
        return done

    def num_parts(self) -> int:
        """Return how many parts are finished."""
        return len(list(self.output.glob("versions/*/parts/*.json")))

    def owner(self) -> int | None:
        """Return the process that says that it is at work."""
        with contextlib.suppress(OSError, ValueError):
            return int(json.loads((self.output / ".owner.json").read_text())["pid"])
        return None

    def scores(self) -> pd.DataFrame:
        frame = pd.read_parquet(self.output / "scores.parquet")
        frame.index = pd.Index([Path(uri).name for uri in frame["uri"]])
        return frame


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_detector(tmp_path_factory.mktemp("detector") / "bundle")


@pytest.fixture
def inbox(tmp_path: Path, detector: Path) -> _Inbox:
    made = _Inbox(tmp_path, detector)
    for i in range(6):
        _still(made.media / f"{i}.png", seed=i)
    return made


def test_only_what_is_new_or_changed_is_scored(inbox: _Inbox) -> None:
    assert "scored 6 media of 6 files" in inbox.run().stdout
    before = inbox.scores()
    assert "nothing to score: 6 files listed, none new or changed" in inbox.run().stdout

    _still(inbox.media / "new.png", seed=100)
    _still(inbox.media / "0.png", seed=101)
    (inbox.media / "copy.png").write_bytes((inbox.media / "1.png").read_bytes())
    (inbox.media / "2.png").rename(inbox.media / "renamed.png")
    (inbox.media / "3.png").unlink()
    (inbox.media / "4.png").touch()
    os.utime(inbox.media / "0.png", (_LONG_AGO + 1, _LONG_AGO + 1))
    assert "scored 2 media of 7 files" in inbox.run(code=3).stdout

    after = inbox.scores()
    assert after["status"].drop(["2.png", "3.png"]).eq("ok").all()
    assert after["status"].loc[["2.png", "3.png"]].eq("vanished").all()
    assert after["prob_fake"].loc[["2.png", "3.png"]].isna().all()
    for old, new in (("1.png", "copy.png"), ("2.png", "renamed.png"), ("4.png", "4.png")):
        assert after.loc[new, "logit"] == before.loc[old, "logit"]
    assert after.loc["0.png", "logit"] != before.loc["0.png", "logit"]
    failures = pd.read_csv(inbox.output / "failures.csv")
    assert {Path(uri).name for uri in failures["uri"]} == {"2.png", "3.png"}
    assert failures["what_to_do"].str.len().gt(10).all()


def test_another_folder_takes_the_tables_over_and_says_so(inbox: _Inbox, tmp_path: Path) -> None:
    inbox.run()
    first = inbox.scores()
    (tmp_path / "other").mkdir()
    other = _Inbox(tmp_path / "other", inbox.detector)
    other.output = inbox.output
    (other.media / "notes.png").write_text("words, and no picture")
    output = other.run(code=3).stdout
    assert "nothing to score: 1 file listed, none with new content that can be scored" in output
    assert f"until now these tables were of {inbox.media}" in " ".join(output.split())
    assert list(inbox.scores().index) == ["notes.png"]
    assert "nothing to score" in inbox.run().stdout
    pd.testing.assert_frame_equal(inbox.scores(), first)


def test_another_configuration_scores_beside_the_first(inbox: _Inbox) -> None:
    inbox.run()
    first = inbox.scores()
    inbox.run("--prior", "0.01")
    assert (inbox.scores()["prob_fake"] < first["prob_fake"]).all()
    assert len(list((inbox.output / "versions").iterdir())) == 2
    assert "nothing to score" in inbox.run().stdout
    pd.testing.assert_frame_equal(inbox.scores(), first)


def test_filters_and_a_limit(inbox: _Inbox) -> None:
    _still(inbox.media / "raw" / "deep.png", seed=50)
    done = inbox.run("--include", "[0-3].png", "--exclude", "3.png", "--limit", "2")
    assert "scored 2 media" in done.stdout
    assert "not scored yet, for --limit or a filter: 1 file" in done.stdout
    assert len(inbox.scores()) == 2
    assert "scored 5 media of 7 files" in inbox.run().stdout
    assert len(inbox.scores()) == 7
    inbox.run("--since", "2020-12-01")
    assert inbox.scores()["status"].eq("ok").all(), "what a filter leaves out has not vanished"


def test_sampled_hashing_reads_little_and_scores_the_same(inbox: _Inbox) -> None:
    inbox.run("--hash", "sampled")
    sampled = inbox.scores()
    inbox.run()
    pd.testing.assert_frame_equal(inbox.scores(), sampled)


def test_a_second_run_at_once_is_refused_with_the_owner_named(inbox: _Inbox) -> None:
    for i in range(30):
        _still(inbox.media / f"more-{i}.png", seed=200 + i)
    with _started(inbox.arguments(), cwd=inbox.root) as first:
        _wait_for(inbox.output / ".owner.json")
        # It must not be done before the second has started, which takes long on a busy machine.
        first.send_signal(signal.SIGSTOP)
        second = inbox.run(code=1)
        assert f"another run is at work on this output: process {first.pid} of " in second.stderr
        assert "Traceback" not in second.stderr
        first.send_signal(signal.SIGCONT)
        assert first.wait(timeout=120) == 0
    assert len(inbox.scores()) == 36
    assert not (inbox.output / ".owner.json").exists()


def test_watching_scores_what_arrives_until_it_is_stopped(inbox: _Inbox) -> None:
    with _started(inbox.arguments("--watch", "1"), cwd=inbox.root) as watching:
        _wait_for(inbox.output / "scores.parquet")
        assert len(inbox.scores()) == 6
        _still(inbox.media / "late.png", seed=300)
        assert watching.stdout is not None
        # Between two passes: in the middle of one a busy machine may need to be forced, with 130.
        printed = next(line for line in watching.stdout if "files in all" in line)
        assert "1 scored, 0 vanished, 7 files in all" in printed
        assert "late.png" in inbox.scores().index
        watching.send_signal(signal.SIGINT)
        watching.communicate(timeout=60)
        assert watching.returncode == 0


def test_an_empty_folder_is_an_error_unless_it_is_watched(tmp_path: Path, detector: Path) -> None:
    inbox = _Inbox(tmp_path, detector)
    printed = inbox.run(code=1).stderr
    assert "no file to look at" in printed
    assert "Error logging to API" not in printed, "the server gets the logs before it ends"
    inbox.run("--wait-for-files")
    assert len(inbox.scores()) == 0


def test_a_file_that_crashes_its_worker_costs_itself_alone(inbox: _Inbox) -> None:
    """The decoder of this worker dies of one file, each time."""
    patch = inbox.root / "sitecustomize.py"
    patch.write_text(
        "import os, sys\n"
        "def hook(event, args):\n"
        "    if event == 'open' and str(args[0]).endswith('3.png') and 'spawn_main' in str(\n"
        "        sys.orig_argv\n"
        "    ):\n"
        "        os.kill(os.getpid(), 11)\n"
        "sys.addaudithook(hook)\n"
    )
    environment = product_environment(PYTHONPATH=f"{inbox.root}:{Path.cwd()}")
    done = run_deepfake(*inbox.arguments(), cwd=inbox.root, environment=environment)
    assert done.returncode == 3, done.stdout + done.stderr
    statuses = inbox.scores()["status"]
    assert statuses.drop("3.png").eq("ok").all()
    assert statuses["3.png"] == "crashed"
    patch.unlink()
    inbox.run()
    assert inbox.scores()["status"].eq("ok").all()


_FILES = 200
_KILLS = 20


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory, detector: Path) -> tuple[_Inbox, pd.DataFrame]:
    """Return 200 files, some of them bad or double, and the table of an undisturbed run."""
    inbox = _Inbox(tmp_path_factory.mktemp("many"), detector)
    rng = np.random.default_rng(0)
    for i in range(_FILES):
        path = _still(inbox.media / f"{i % 7}" / f"{i}.png", seed=i // 2 if i % 10 == 1 else i)
        if i % 20 == 7:
            path.write_bytes(rng.bytes(400))
    inbox.run("--batch-files", "8", code=3)
    return inbox, inbox.scores()


def test_twenty_kills_change_nothing(
    many: tuple[_Inbox, pd.DataFrame], tmp_path: Path, detector: Path
) -> None:
    undisturbed, expected = many
    inbox = _Inbox(tmp_path, detector)
    inbox.media.rmdir()
    inbox.media = undisturbed.media
    rng = random.Random(0)
    progress = []
    for kill in range(_KILLS):
        before = inbox.num_parts()
        with _started(inbox.arguments("--batch-files", "3"), cwd=inbox.root) as run:
            _wait_until(lambda run=run: inbox.owner() == run.pid)
            if kill % 2:
                _wait_until(lambda n=before, r=run: inbox.num_parts() > n or r.poll() is not None)
            with contextlib.suppress(subprocess.TimeoutExpired):
                run.wait(timeout=rng.uniform(0, 1))
            _kill_group(run)
        progress.append(inbox.num_parts())
    assert progress == sorted(progress), "finished parts stay"
    assert len(set(progress)) > 4, "kills met runs that were under way"
    inbox.run("--batch-files", "3", code=3)
    pd.testing.assert_frame_equal(
        inbox.scores().drop(columns="seconds"), expected.drop(columns="seconds")
    )
    assert not list(inbox.output.rglob("*.part*.part"))


def test_damaged_parts_are_made_again(many: tuple[_Inbox, pd.DataFrame]) -> None:
    inbox, expected = many
    parts = sorted(inbox.output.glob("versions/*/parts/*"))
    for path in (parts[1], parts[-4]):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    assert "scored 16 media of 200 files" in inbox.run(code=3).stdout
    pd.testing.assert_frame_equal(
        inbox.scores().drop(columns="seconds"), expected.drop(columns="seconds")
    )


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Yield a folder on a disk of its own that holds little."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=700k", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("this user may not mount")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_said_and_nothing_is_lost(
    many: tuple[_Inbox, pd.DataFrame], tmp_path: Path, detector: Path, small_disk: Path
) -> None:
    undisturbed, expected = many
    inbox = _Inbox(tmp_path, detector)
    inbox.media.rmdir()
    inbox.media, inbox.output = undisturbed.media, small_disk / "out"
    full = inbox.run("--batch-files", "8", code=1)
    assert "error: the disk is full" in full.stderr or "disk is full)" in full.stderr
    assert "Traceback" not in full.stderr
    assert list(inbox.output.glob("versions/*/parts/*.json")), "some parts were finished"
    grow = ["mount", "-o", "remount,size=64m", str(small_disk)]
    subprocess.run(grow, check=True)
    inbox.run("--batch-files", "8", code=3)
    pd.testing.assert_frame_equal(
        inbox.scores().drop(columns="seconds"), expected.drop(columns="seconds")
    )


@contextlib.contextmanager
def _started(arguments: Sequence[str], *, cwd: Path) -> Iterator[subprocess.Popen[str]]:
    """Run the command line in a group of its own, and leave none of it behind."""
    process = subprocess.Popen(
        [sys.executable, "-m", "deepfake", *arguments],
        cwd=cwd,
        env=product_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        _kill_group(process)
        process.communicate()


def _kill_group(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=30)


def _wait_for(path: Path) -> None:
    _wait_until(path.exists)


def _wait_until(is_so: object, seconds: float = 120) -> None:
    assert callable(is_so)
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.2)
