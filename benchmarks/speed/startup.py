"""Measure what commands cost that have little to do: CPU seconds of the whole process tree.

    python -m benchmarks.speed.startup CLIP --output startup.json

Each command runs once to warm the caches, then `--repeats` times; the least counts, since on a busy
machine the same work costs more. What a server costs that runs already (`PREFECT_API_URL`) is not
in it.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2

__all__ = ["cpu_seconds_of", "main", "measure_all"]

_TARGETS = {
    "help": 0.4,
    "detect_still": 1.5,
    "detect_clip": 3.0,
    "score_nothing_new": 3.0,
    "score_over_detect": 1.3,
}
"""CPU seconds, and for the last a ratio of them; from the issue that asked for this program."""


def cpu_seconds_of(arguments: Sequence[str], *, cwd: Path, repeats: int) -> float:
    """Return the least CPU seconds of a command and of all that it started and waited for.

    Args:
        arguments: After `deepfake`.
        cwd: Where.
        repeats: Runs that count, after one that does not.

    Raises:
        RuntimeError: It ended with another exit code than 0 or 3.
    """
    command = [sys.executable, "-P", "-m", "deepfake", *arguments]
    costs = []
    for _ in range(repeats + 1):
        before = _children_seconds()
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
        if done.returncode not in (0, 3):
            raise RuntimeError(f"{' '.join(arguments)} ended with {done.returncode}: {done.stderr}")
        costs.append(_children_seconds() - before)
    return min(costs[1:])


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure_all(clip: Path, *, folder: Path, num_files: int, repeats: int) -> dict[str, Any]:
    """Return the CPU seconds of each command, and the ratio of `score` to `detect`.

    Args:
        clip: A video of about ten seconds with a face; its first frame is the still.
        folder: An empty one, for media and results.
        num_files: Files of the folder that is scored: copies of the still with a changed pixel,
            and one clip in eight.
        repeats: Runs of each.
    """
    still = folder / "still.png"
    cv2.imwrite(str(still), _first_frame(clip))
    inbox = folder / "inbox"
    inbox.mkdir()
    media = [_write_medium(inbox, number, clip=clip, still=still) for number in range(num_files)]

    def cost(*arguments: str, again: int = repeats) -> float:
        return cpu_seconds_of(arguments, cwd=folder, repeats=again)

    found = {
        "help": cost("--help"),
        "detect_still": cost("detect", str(still)),
        "detect_clip": cost("detect", str(clip)),
        "detect_folder": cost("detect", *map(str, media), again=1),
        "score_folder": _first_score(folder),
        "score_nothing_new": cost("score", "inbox", "--output", "out-0"),
    }
    found["score_over_detect"] = found["score_folder"] / found["detect_folder"]
    return {
        "cpu_seconds": {name: round(value, 2) for name, value in found.items()},
        "targets": _TARGETS,
        "num_files": num_files,
        "is_server_running": "PREFECT_API_URL" in os.environ,
        "load_average": os.getloadavg(),
    }


def _first_score(folder: Path) -> float:
    """Return what scoring costs whose output is new."""
    before = _children_seconds()
    command = [sys.executable, "-P", "-m", "deepfake", "score", "inbox", "--output", "out-0"]
    subprocess.run(command, cwd=folder, capture_output=True, check=True)
    return _children_seconds() - before


def _first_frame(clip: Path) -> Any:
    capture = cv2.VideoCapture(str(clip))
    try:
        is_read, frame = capture.read()
    finally:
        capture.release()
    if not is_read:
        raise RuntimeError(f"no frame can be read of {clip}")
    return frame


def _write_medium(inbox: Path, number: int, *, clip: Path, still: Path) -> Path:
    if number % 8 == 0:
        path = inbox / f"{number:03d}{clip.suffix}"
        shutil.copy(clip, path)
        with path.open("ab") as stream:  # another content, the same pictures
            stream.write(number.to_bytes(4, "big"))
        return path
    picture = cv2.imread(str(still))
    picture[0, 0] = number % 256
    path = inbox / f"{number:03d}.png"
    cv2.imwrite(str(path), picture)
    return path


def main() -> None:
    """Measure, print, and write a JSON file where one is named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--files", type=int, default=67)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measured = measure_all(
            given.clip.resolve(), folder=Path(folder), num_files=given.files, repeats=given.repeats
        )
    text = json.dumps(measured, indent=2)
    print(text)
    if given.output is not None:
        given.output.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
