"""Time the overhead of a bulk run: listing, comparing, batching, committing.

    python -m benchmarks.speed.bulk

`entries` are empty files whose scores are made up in this process, so that only the overhead is
left. Two numbers of files are timed, each in its own process: once when all files are new, once
more when nothing has changed. `real` scores small pictures with the packaged detector, without
evidence; its overhead is the share of time in which a media worker holds no file, from its first
file to the end of the run. The results go to `benchmarks/results/bulk.json`. Run it on an idle
machine.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from benchmarks import RESULTS, ROOT
from deepfake.storage import write_json

__all__ = ["main"]

OUTPUT = RESULTS / "bulk.json"

_ENTRIES = (10_000, 100_000)
_REAL = 1_000


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and write the results; or do the work of one process."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.speed.bulk")
    parser.add_argument("--entries", type=int, nargs="*", default=_ENTRIES)
    parser.add_argument("--real", type=int, default=_REAL, help="pictures")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        kind, media, output = options.child
        print(json.dumps(_run(kind, Path(media), Path(output))))
        return
    found: dict[str, Any] = {"machine": _machine(), "date": time.strftime("%Y-%m-%d")}
    with tempfile.TemporaryDirectory(prefix="deepfake-bulk-") as folder:
        found["entries"] = [_entries(Path(folder), count) for count in options.entries]
        if options.real:
            found["real"] = _real(Path(folder), options.real)
    write_json(options.output, found)
    print(json.dumps(found, indent=2))


def _machine() -> str:
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores, {platform.machine()}, Python {platform.python_version()}"


def _entries(folder: Path, count: int) -> dict[str, Any]:
    media = folder / f"entries-{count}"
    long_ago = 1_600_000_000
    for i in range(count):
        path = media / f"{i // 1000:04}" / f"{i:07}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.utime(path, (long_ago, long_ago))
    output = folder / f"out-{count}"
    first, again = (_child("made_up", media, output) for _ in range(2))
    shutil.rmtree(media)
    return {
        "files": count,
        "seconds": first["seconds"],
        "files_per_second": count / first["seconds"],
        "peak_mb": first["peak_mb"],
        "again_seconds": again["seconds"],
        "again_peak_mb": again["peak_mb"],
        "database_mb": (output / "state.sqlite").stat().st_size / 2**20,
    }


def _real(folder: Path, count: int) -> dict[str, Any]:
    from deepfake.media import write_image
    from tests.sample_data import clip_frames

    media = folder / "real"
    media.mkdir()
    for i, frame in enumerate(clip_frames(count)):
        write_image(media / f"{i:05}.jpg", frame)
    return {"files": count, **_child("real", media, folder / "out-real")}


def _child(kind: str, media: Path, output: Path) -> dict[str, Any]:
    command = [
        sys.executable,
        "-m",
        "benchmarks.speed.bulk",
        "--child",
        kind,
        str(media),
        str(output),
    ]
    # The workers' marks lie among temporary files: those of other runs are not ours to count.
    temporary = output.parent / "tmp"
    temporary.mkdir(exist_ok=True)
    environment = {**os.environ, "TMPDIR": str(temporary)}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return measured


def _run(kind: str, media: Path, output: Path) -> dict[str, Any]:
    from deepfake.storage.environment import configure_environment
    from flows.server.run import share_server

    data_root = output.parent / "data"
    data_root.mkdir(exist_ok=True)
    configure_environment(data_root)
    from flows.score import score

    if kind == "made_up":
        _make_up()
    # Looking takes its share of the time, which only real work does not notice.
    busy = _Busy()
    with share_server(), busy if kind == "real" else nullcontext():
        began = time.perf_counter()
        summary = score(
            str(media), str(output), weights="packaged", data_root=str(data_root), evidence=0
        )
        ended = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    measured = {"seconds": ended - began, "peak_mb": peak, "num_files": summary["num_files"]}
    return measured if kind == "made_up" else {**measured, **busy.report(began, ended)}


class _Busy:
    """How many media workers hold a file, looked up a hundred times a second."""

    def __init__(self) -> None:
        self._seen: list[tuple[float, int]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> _Busy:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        folder = Path(tempfile.gettempdir())
        while not self._stop.wait(0.01):
            # Each worker marks that it holds a file.
            marks = [p for d in folder.glob("deepfake-workers-*") for p in d.iterdir()]
            self._seen.append((time.perf_counter(), len(marks)))

    def report(self, began: float, ended: float) -> dict[str, float]:
        """Return the share of the workers' time, once they work, in which they held no file."""
        first = next(at for at, count in self._seen if count)
        after = [count for at, count in self._seen if first <= at <= ended]
        workers = len(os.sched_getaffinity(0))
        busy = sum(after) / (len(after) * workers)
        return {"starting_seconds": first - began, "workers": workers, "overhead": 1 - busy}


class _MadeUp:
    """Workers that know the answer."""

    def __init__(self, setup: Any) -> None:
        self.setup = setup

    def map(
        self, function: Callable[..., Any], items: Sequence[Any], *, is_last: bool = True
    ) -> Iterator[Any]:
        answer = _probed if function.__name__ == "probe_medium" else _scored
        return (answer(item) for item in items)


def _make_up() -> None:
    import tasks.probe
    import tasks.score

    for module in (tasks.probe, tasks.score):
        module.shared_workers = _MadeUp  # type: ignore[attr-defined]


def _probed(request: Any) -> Any:
    from deepfake.corpora.probe import ProbeResult
    from deepfake.types import Kind, MediaInfo

    info = MediaInfo(Kind.IMAGE, "mjpeg", "image2", 64, 64, 0, None, 1, 0.0, None, False)
    return ProbeResult(hashlib.sha256(request.uri.encode()).hexdigest(), info)


def _scored(request: Any) -> Any:
    from deepfake.scoring import ScoredMedium
    from deepfake.types import Kind, Score, Status, Verdict

    score = Score(
        uri=request.uri,
        media_id=request.media_id,
        kind=Kind.IMAGE,
        status=Status.OK,
        verdict=Verdict.REAL,
        prob_fake=0.25,
        logit=-1.0,
        num_faces=1,
        num_tracks=1,
        num_frames=1,
        strongest_track_id=0,
        model_name="none",
        model_digest="0" * 16,
        config_digest="0" * 16,
        prior=0.5,
    )
    track = {"uri": request.uri, "media_id": request.media_id, "track_id": 0, "logit": -1.0}
    frame = {**track, "frame_index": 0, "pts_seconds": 0.0, "bbox_xyxy": [0.0, 0.0, 9.0, 9.0]}
    return ScoredMedium(score, (track,), (frame,))


if __name__ == "__main__":
    main()
