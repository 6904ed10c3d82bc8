"""Measure `deepfake webcam`: frame rate, latency, dropped frames, changes of verdict.

The command runs in its own process on a generated 720p clip of one face, played in real time; its
`--jsonl` output is evaluated.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks import RESULTS
from deepfake.media import write_video
from deepfake.storage import write_json
from tests.sample_data import face_close_up

__all__ = ["figures_of", "scene_720p"]

_TARGETS = {
    "frames_per_second": "at least 15",
    "latency_p95_ms": "under 200",
    "verdict_changes_a_minute": "at most 1",
}
_FPS = 30
_WARM_UP_SECONDS = 2.0
"""Networks are compiled when their shapes are first met."""

Pixels = NDArray[np.uint8]


def scene_720p(num_frames: int, *, seed: int = 0) -> Iterator[Pixels]:
    """Yield one person before a wall who moves a little, with a camera's noise.

    Args:
        num_frames: At 30 a second.
        seed: Of the noise.
    """
    rng = np.random.default_rng(seed)
    wall = cv2.GaussianBlur(rng.integers(60, 120, (720, 1280, 3), dtype=np.uint8), (0, 0), 8)
    head = face_close_up(520)
    # Noise of some frames, over and over: a generator would cost more than the encoder.
    noise = [rng.normal(0, 3, wall.shape).astype(np.int16) for _ in range(8)]
    for index in range(num_frames):
        left = 380 + round(14 * np.sin(index / 23))
        top = 110 + round(9 * np.cos(index / 17))
        pixels = wall.copy()
        pixels[top : top + 520, left : left + 520] = head
        yield np.asarray(cv2.add(pixels, noise[index % 8], dtype=cv2.CV_8U), np.uint8)


def figures_of(lines: Sequence[Mapping[str, Any]], *, clip_seconds: float) -> dict[str, Any]:
    """Return rates, latencies and flicker of what `--jsonl` wrote.

    Args:
        lines: One a frame that was looked at, the first two seconds included.
        clip_seconds: How long the source is.

    Returns:
        `verdict_changes_a_minute` counts every change after the first verdict of a face, and every
        face after the first: there is one person.
    """
    first = lines[0]["pts_seconds"] if lines else 0.0
    warm = [line for line in lines if line["pts_seconds"] - first >= _WARM_UP_SECONDS]
    if len(warm) < 2:
        return {**dict.fromkeys(_TARGETS), "frames": len(lines)}
    span = warm[-1]["pts_seconds"] - warm[0]["pts_seconds"]
    latencies = [line["latency_ms"] for line in warm]
    changes, num_tracks = _changes(lines)
    return {
        "frames": len(lines),
        "frames_per_second": (len(warm) - 1) / span,
        "latency_p50_ms": float(np.quantile(latencies, 0.5)),
        "latency_p95_ms": float(np.quantile(latencies, 0.95)),
        "dropped": warm[-1]["num_dropped"] - warm[0]["num_dropped"],
        "verdict_changes_a_minute": (changes + num_tracks - 1) / (clip_seconds / 60),
        "tracks": num_tracks,
        "frames_with_one_face": sum(len(line["tracks"]) == 1 for line in lines) / len(lines),
        "last_verdict": warm[-1]["tracks"][0]["verdict"] if warm[-1]["tracks"] else None,
        "last_reason": warm[-1]["tracks"][0]["reason"] if warm[-1]["tracks"] else None,
    }


def _changes(lines: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
    verdicts: dict[int, list[str]] = defaultdict(list)
    for line in lines:
        for track in line["tracks"]:
            verdicts[track["track_id"]].append(track["verdict"])
    changes = 0
    for sequence in verdicts.values():
        num = sum(a != b for a, b in pairwise(sequence))
        # All begin with uncertain, until a verdict has held.
        changes += max(0, num - (sequence[0] == "uncertain" and num > 0))
    return changes, len(verdicts)


def _watched(clip: Path, *, weights: str, data_root: Path) -> list[dict[str, Any]]:
    jsonl = clip.with_suffix(".jsonl")
    command = [sys.executable, "-m", "deepfake", "webcam", "--headless", "--overwrite"]
    options = ["--source", clip, "--jsonl", jsonl, "--weights", weights, "--data-root", data_root]
    subprocess.run([*command, *map(str, options)], check=True, stdin=subprocess.DEVNULL)
    return [json.loads(line) for line in jsonl.read_text(encoding="utf-8").splitlines()]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.speed.live")
    parser.add_argument("--seconds", type=float, default=60.0, help="of the clip")
    parser.add_argument("--weights", default="packaged")
    parser.add_argument("--data-root", type=Path, default=Path("data"))
    parser.add_argument("--output", type=Path, default=RESULTS / "live.json")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        frames = scene_720p(round(options.seconds * _FPS))
        quick = {"preset": "veryfast"}
        clip = write_video(Path(folder) / "face.mp4", frames, fps=_FPS, options=quick)
        load_before = os.getloadavg()[0]
        lines = _watched(clip, weights=options.weights, data_root=options.data_root)
    results = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "cores": len(os.sched_getaffinity(0)),
            "processor": platform.processor() or platform.machine(),
            "load_before": load_before,
            "load_after": os.getloadavg()[0],
        },
        "clip": {"seconds": options.seconds, "fps": _FPS, "size": "1280x720", "faces": 1},
        "targets": _TARGETS,
        "figures": figures_of(lines, clip_seconds=options.seconds),
    }
    write_json(options.output, results)
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
