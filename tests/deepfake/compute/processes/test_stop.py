"""Ctrl-C and SIGTERM: what is put right, what is not waited for."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

_BEGIN = """\
import os, signal, sys, threading, time
from deepfake.compute.processes import stop
# As in a terminal, also where the tests run under nohup or in the background of a script.
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_DFL)
stop.stop_on_signals(sentence="the sentence")
"""


_PAUSE_SECONDS = 0.3


def _run(code: str, *numbers: int) -> tuple[float, int, str]:
    """Run a program, send it signals once it says that it is ready; seconds, exit code, output."""
    process = subprocess.Popen(
        [sys.executable, "-c", _BEGIN + code],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(_PAUSE_SECONDS)
    began = time.monotonic()
    for number in numbers:
        process.send_signal(number)
        time.sleep(_PAUSE_SECONDS)
    with process.stdout:
        output = process.stdout.read()
    return time.monotonic() - began, process.wait(60), output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_main_thread_puts_right_what_it_holds(number: signal.Signals) -> None:
    code = """\
try:
    print("ready", flush=True)
    threading.Event().wait()
except stop.StopRequested:
    print("put right", stop.stop_signal())
    stop.end_process(stop.exit_code_of(stop.stop_signal()))
"""
    seconds, status, output = _run(code, number)
    assert status == 128 + number
    assert output == f"put right {int(number)}\n"
    assert seconds < 3


def test_who_waits_in_another_thread_is_released() -> None:
    code = """\
done = threading.Event()
thread = threading.Thread(target=done.wait)
thread.start()
with stop.call_when_stopping(done.set):
    try:
        print("ready", flush=True)
        threading.Event().wait()
    finally:
        thread.join()
        print("joined", flush=True)
        os._exit(9)
"""
    seconds, status, output = _run(code, signal.SIGINT)
    assert (status, output) == (9, "joined\n")
    assert seconds < 3


_STUBBORN = """\
import subprocess
child = subprocess.Popen([sys.executable, "-c", "import signal, time\\n"
    "for n in (2, 15): signal.signal(n, signal.SIG_IGN)\\n"
    "print(1, flush=True)\\ntime.sleep(60)"], stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, file=open("child", "w"), flush=True)
with stop.call_before_forced_exit(lambda: print("last call", flush=True)):
    print("ready", flush=True)
    while True:
        try:
            time.sleep(60)
        except stop.StopRequested:
            pass
"""


def test_what_does_not_end_by_itself_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    seconds, status, output = _run(_STUBBORN, signal.SIGINT)
    assert (status, output) == (130, "last call\nthe sentence\n")
    assert seconds < 5
    with contextlib.suppress(psutil.NoSuchProcess):  # or nobody has taken note of its end yet
        child = psutil.Process(int((tmp_path / "child").read_text()))
        deadline = time.monotonic() + 2  # a killed process needs a moment to be gone
        while child.status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_a_second_signal_ends_it_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    seconds, status, output = _run(_STUBBORN, signal.SIGINT, signal.SIGTERM)
    assert (status, output) == (143, "")
    assert seconds < 2


def test_a_fork_dies_of_the_signal_as_any_process() -> None:
    code = """\
pid = os.fork()
if pid == 0:
    signal.pause()
time.sleep(0.3)
os.kill(pid, signal.SIGTERM)
print("ready", flush=True)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
    assert _run(code)[2] == "-15\n"


def test_ctrl_c_does_not_reach_spawned_processes() -> None:
    code = """\
from deepfake.compute.processes.spawn import SPAWN
process = SPAWN.Process(target=time.sleep, args=(60,))
process.start()
for line in open(f"/proc/{process.pid}/status"):
    if line.startswith("SigBlk"):
        is_blocked = bool(int(line.split()[1], 16) >> (signal.SIGINT - 1) & 1)
process.kill()
print("ready", flush=True)
print(is_blocked, signal.pthread_sigmask(signal.SIG_BLOCK, []))
"""
    assert _run(code)[2] == "True set()\n"


def test_processes_started_from_many_threads_leave_the_environment_as_it_was() -> None:
    code = """\
from concurrent.futures import ThreadPoolExecutor
from deepfake.compute.processes.spawn import SPAWN

def start_and_end(_):
    process = SPAWN.Process(target=time.sleep, args=(60,))
    process.start()
    process.kill()
    process.join()

os.environ.pop("PYTHONSAFEPATH", None)
with ThreadPoolExecutor(8) as threads:
    list(threads.map(start_and_end, range(64)))
print("ready", flush=True)
print(os.environ.get("PYTHONSAFEPATH"))
"""
    assert _run(code)[2] == "None\n"
