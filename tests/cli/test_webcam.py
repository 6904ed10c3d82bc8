"""What `deepfake webcam` says of sources and files that it cannot use."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from deepfake.cli.app import main
from tests.media_factory import write_clip


@pytest.fixture(autouse=True)
def what_main_sets_is_undone() -> Iterator[None]:
    """Restore what the command changes in its own process: the environment and signal handlers."""
    environment = dict(os.environ)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    os.environ.clear()
    os.environ.update(environment)
    for number, handler in handlers.items():
        signal.signal(number, handler)


def _run(
    arguments: Sequence[str | Path],
    *,
    patch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> tuple[int, str]:
    """Run the command in this process; return its exit code and all that it printed."""
    patch.setattr(sys, "argv", ["deepfake", "webcam", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    printed = capfd.readouterr()
    return int(ended.value.code or 0), printed.out + printed.err


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("absent.mp4", "error: no such file: absent.mp4\n"),
        ("99", "error: no such camera, or it is in use: camera 99\n"),
        ("rtsp://me:secretword@127.0.0.1:9/live", "Connection refused"),
        ("http://me:secretword@127.0.0.1:9/live?key=secretword", "Connection refused"),
        ("me:secretword@127.0.0.1/live", "error: no such file: ***@127.0.0.1/live\n"),
    ],
)
@pytest.mark.parametrize("more", [[], ["--debug"]])
def test_a_source_that_is_not_there_is_one_line_and_exit_code_1(
    source: str,
    expected: str,
    more: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ["--headless", "--source", source]
    code, printed = _run(arguments, patch=monkeypatch, capfd=capfd)
    assert code == 1
    assert expected in printed
    assert [line.split(":")[0] for line in printed.splitlines()][:1] == ["error"]
    assert len(printed.splitlines()) <= 2
    if more:
        # A traceback quotes errors of libraries, and these quote the address.
        monkeypatch.setattr(sys, "argv", ["deepfake", *more, "webcam", *arguments])
        with pytest.raises(SystemExit):
            main()
        printed += "".join(capfd.readouterr())
        assert "Traceback" in printed
    assert "secretword" not in printed
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--source", "ftp://me:secretword@host/a"], "sources of the scheme 'ftp' are not read"),
        (["--record", "out.gif"], "recordings end in .mp4, .mkv, .mov"),
        (["--record", "there.mp4"], "already exists: there.mp4"),
        (["--jsonl", "there.mp4"], "already exists: there.mp4"),
        (["--record", "clip.mp4", "--overwrite"], "this is the file that is watched: clip.mp4"),
        (["--record", "absent/out.mp4"], "the folder of the recording does not exist"),
        (["--every", "0"], "--every"),
        (["--source", "0", "--no-realtime"], "--no-realtime is for files: camera 0 does not wait"),
    ],
)
def test_wrong_usage_is_reported_before_anything_is_loaded(
    arguments: list[str],
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    write_clip(tmp_path / "clip.mp4")
    (tmp_path / "there.mp4").write_bytes(b"kept")
    code, printed = _run(
        ["--headless", "--source", "clip.mp4", *arguments], patch=monkeypatch, capfd=capfd
    )
    assert code == 2
    assert expected in " ".join(printed.split())
    assert "secretword" not in printed
    assert (tmp_path / "there.mp4").read_bytes() == b"kept"


def test_without_a_display_it_says_so_and_names_headless(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    clip = write_clip(tmp_path / "clip.mp4")
    code, printed = _run(["--source", clip], patch=monkeypatch, capfd=capfd)
    assert code == 2
    assert "error: there is no display to open a window on\n" in printed
    assert "--headless" in printed
