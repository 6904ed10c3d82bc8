"""`deepfake ingest` as its user runs it: again, with a shard gone, and killed on the way."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import psutil
import pytest

from deepfake.corpora.shards import Snapshot, open_snapshot
from deepfake.storage import DataRoot
from tests.command_line import Completed, product_environment, run_deepfake
from tests.sample_data import make_corpus

pytestmark = pytest.mark.slow

_CORPUS = "tiny"
_NUM_PARTS = 6


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a corpus of eight clips and four stills: six parts of two files."""
    return make_corpus(tmp_path_factory.mktemp("media") / "corpus", clips=4, stills=2)


def _arguments(media: Path, data_root: Path) -> list[str]:
    options = ["--corpus", _CORPUS, "--frames", "8", "--batch-files", "2"]
    return ["ingest", str(media), *options, "--data-root", str(data_root)]


def _ingest(media: Path, data_root: Path, *more: str) -> Completed:
    done = run_deepfake(*_arguments(media, data_root), *more, cwd=data_root.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def _snapshot(data_root: Path) -> Snapshot:
    return open_snapshot(DataRoot(data_root), _CORPUS)


def _shards(data_root: Path) -> dict[str, int]:
    """Return the time of the last change of every finished shard."""
    folder = data_root / "shards" / _CORPUS
    return {path.name: path.stat().st_mtime_ns for path in folder.rglob("*.arrow")}


@pytest.fixture(scope="module")
def undisturbed(media: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the data root of a run that nothing disturbed. Tests leave it as it was."""
    data_root = tmp_path_factory.mktemp("undisturbed") / "data"
    done = _ingest(media, data_root)
    assert f"shards made: {_NUM_PARTS}, reused: 0" in done.stdout
    return data_root


def test_contract_files_are_there(undisturbed: Path) -> None:
    digest = (undisturbed / "shards" / _CORPUS / "latest").read_text().strip()
    for name in ("index.parquet", "outcomes.parquet"):
        assert (undisturbed / "shards" / _CORPUS / digest / name).is_file()
    assert (undisturbed / "manifests" / f"{_CORPUS}.parquet").is_file()
    assert len(_shards(undisturbed)) == _NUM_PARTS
    index = _snapshot(undisturbed).index()
    # Eight frames of each of eight clips, and four stills.
    assert len(index) == 8 * 8 + 4
    assert index.groupby("label")["media_id"].nunique().to_dict() == {"fake": 6, "real": 6}


def test_same_corpus_again_decodes_nothing_and_says_so(media: Path, undisturbed: Path) -> None:
    before, digest = _shards(undisturbed), _snapshot(undisturbed).digest
    done = _ingest(media, undisturbed)
    assert f"nothing to decode: all shards are there already ({_NUM_PARTS})" in done.stdout
    assert _shards(undisturbed) == before
    assert _snapshot(undisturbed).digest == digest


def test_lost_shard_alone_is_rebuilt(media: Path, undisturbed: Path) -> None:
    before, index = _shards(undisturbed), _snapshot(undisturbed).index()
    lost = sorted(before)[2]
    next((undisturbed / "shards" / _CORPUS).rglob(lost)).unlink()
    done = _ingest(media, undisturbed)
    assert f"shards made: 1, reused: {_NUM_PARTS - 1}" in done.stdout
    after = _shards(undisturbed)
    assert {name for name in after if after[name] != before[name]} == {lost}
    pd.testing.assert_frame_equal(_snapshot(undisturbed).index(), index)


def test_killed_runs_end_in_the_index_of_an_undisturbed_one(
    media: Path, undisturbed: Path, tmp_path: Path
) -> None:
    data_root = tmp_path / "data"
    finished: dict[str, int] = {}
    for num_parts in (1, 3, 5):
        _run_until_killed(media, data_root, num_parts=num_parts)
        now = _shards(data_root)
        assert num_parts <= len(now) <= _NUM_PARTS
        # What an earlier run had finished is not touched again.
        assert {name: now[name] for name in finished} == finished
        finished = now
        assert not (data_root / "shards" / _CORPUS / "latest").exists()
    done = _ingest(media, data_root)
    assert {name: _shards(data_root)[name] for name in finished} == finished
    made = _NUM_PARTS - len(finished)
    assert made == 0 or f"shards made: {made}, reused: {len(finished)}" in done.stdout
    assert not list(data_root.rglob("parts/*.part"))
    expected, found = _snapshot(undisturbed), _snapshot(data_root)
    assert found.digest == expected.digest
    pd.testing.assert_frame_equal(found.index(), expected.index())
    without = ["seconds"]
    pd.testing.assert_frame_equal(
        found.outcomes().drop(columns=without), expected.outcomes().drop(columns=without)
    )


def _run_until_killed(media: Path, data_root: Path, *, num_parts: int) -> None:
    """Run, and kill the whole process group once so many parts are finished."""
    with _own_processes(data_root), (data_root.parent / "log").open("a") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "deepfake", *_arguments(media, data_root), "--num-workers", "1"],
            cwd=data_root.parent,
            env=product_environment(),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            deadline = time.monotonic() + 180
            while len(_shards(data_root)) < num_parts and process.poll() is None:
                assert time.monotonic() < deadline, "no part was finished in time"
                time.sleep(0.01)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            code = process.wait()
    assert code == -signal.SIGKILL, "the run was over before it could be killed"


@contextlib.contextmanager
def _own_processes(data_root: Path) -> Iterator[None]:
    """See to it that no process of a killed run is left."""
    try:
        yield
    finally:
        home = str(data_root / ".prefect")
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get("PREFECT_HOME") == home:
                    process.kill()
                    process.wait(10)


def test_dask_runner_makes_the_same_snapshot(
    media: Path, undisturbed: Path, tmp_path: Path
) -> None:
    data_root = tmp_path / "data"
    done = _ingest(media, data_root, "--task-runner", "dask")
    assert f"shards made: {_NUM_PARTS}" in done.stdout
    pd.testing.assert_frame_equal(_snapshot(data_root).index(), _snapshot(undisturbed).index())


def test_corpus_that_does_not_exist_is_wrong_usage(tmp_path: Path) -> None:
    done = run_deepfake(*_arguments(tmp_path / "absent", tmp_path / "data"), cwd=tmp_path)
    assert done.returncode == 2
    assert "no such file or folder" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "data" / "manifests").exists()
