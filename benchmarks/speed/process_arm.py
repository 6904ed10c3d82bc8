"""Run an arm in its own process, to measure its memory.

The process takes one JSON object a line on its standard input and answers each with one:
`{"arm": ...}` sets an arm up, `{"run": [files]}` runs it on files one after another.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from benchmarks import ROOT
from benchmarks.speed.arms import Arm, ArmName, ArmSetup, create_arm
from benchmarks.speed.clips import Clip, plan_clip
from benchmarks.speed.timer import Work, measure, peak_rss_mb, reset_peak_rss, rss_mb

__all__ = ["IsolatedArm", "serve"]

_STOP_SECONDS = 20.0


class IsolatedArm:
    """A process that runs one arm; use it in a `with` block.

    Args:
        name: The arm.
        setup: What it is made of.

    Raises:
        RuntimeError: The arm cannot be set up there.
    """

    def __init__(self, name: ArmName, *, setup: ArmSetup) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.speed.process_arm"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            self._ask({"arm": name, **asdict(setup)})
        except BaseException:
            self.close()
            raise

    def run(self, paths: Sequence[Path], *, is_planned: bool = False) -> dict[str, float]:
        """Run the arm on files, one after another.

        Args:
            paths: The files.
            is_planned: Whether the frames are chosen beforehand, as the plain readers need.

        Returns:
            `cpu_seconds`, `wall_seconds`, `frames`, `faces`, `rss_mb` (resident afterwards) and
            `peak_rss_mb` (the highest while it ran).

        Raises:
            RuntimeError: The arm failed on a file, or the process ended.
        """
        return self._ask({"run": list(paths), "is_planned": is_planned})

    def _ask(self, command: dict[str, Any]) -> dict[str, float]:
        sender, receiver = self._process.stdin, self._process.stdout
        assert sender is not None and receiver is not None
        try:
            sender.write(json.dumps(command, default=os.path.abspath) + "\n")
            sender.flush()
            line = receiver.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise RuntimeError(f"its process ended, exit code {self._process.wait(_STOP_SECONDS)}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def __enter__(self) -> IsolatedArm:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def serve(commands: TextIO, answers: TextIO) -> None:
    """Answer commands until there are no more."""
    arm: Any = None
    for line in commands:
        command = json.loads(line)
        try:
            if "arm" in command:
                answer: dict[str, Any] = {}
                arm = _set_up(command)
            else:
                answer = _run(arm, command["run"], is_planned=command["is_planned"])
        except Exception as error:
            # The other side has to hear of whatever goes wrong here.
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _set_up(command: dict[str, Any]) -> Arm:
    setup = ArmSetup(
        bundle=Path(command["bundle"]),
        cache=Path(command["cache"]),
        num_frames=command["num_frames"],
        is_hashed=command["is_hashed"],
    )
    return create_arm(command["arm"], setup)


def _run(arm: Arm, files: Sequence[str], *, is_planned: bool) -> dict[str, float]:
    paths = [Path(file) for file in files]
    clips = [plan_clip(p, name=p.name) if is_planned else Clip(p, p.name) for p in paths]

    def run_all() -> Work:
        frames = faces = 0
        for clip in clips:
            work = arm(clip)
            frames, faces = frames + work.frames, faces + (work.faces or 0)
        return Work(frames=frames, faces=faces)

    reset_peak_rss()
    measured = measure(run_all)
    return {
        "cpu_seconds": measured.cpu_seconds,
        "wall_seconds": measured.wall_seconds,
        "frames": measured.work.frames,
        "faces": measured.work.faces or 0,
        "peak_rss_mb": peak_rss_mb(),
        "rss_mb": rss_mb(),
    }


if __name__ == "__main__":
    # What a library prints must not stand among the answers.
    answers_handle = os.dup(1)
    os.dup2(2, 1)
    with os.fdopen(answers_handle, "w", encoding="utf-8") as stream:
        serve(sys.stdin, stream)
