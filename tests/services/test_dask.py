"""A Dask cluster gives the scores of one machine, also when a worker dies."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
import psutil
import pytest
from distributed.security import Security

from deepfake.corpora.shards import open_snapshot
from deepfake.media import write_image
from deepfake.storage import DataRoot
from tests.command_line import run_deepfake
from tests.sample_data import clip_frames, make_corpus, make_detector
from tests.services.clusters import Cluster, dask_cluster
from tests.services.processes import tail_of, wait_until

pytestmark = [pytest.mark.services, pytest.mark.timeout(1800)]

_NUM_FILES = 60
_RUN_SECONDS = 900.0


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with dask_cluster(tmp_path_factory.mktemp("dask")) as made:
        yield made


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inbox")
    for i in range(_NUM_FILES):
        write_image(folder / f"{i}.png", clip_frames(1, seed=i)[0])
    (folder / "notes.txt").write_text("no picture")
    return folder


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_detector(tmp_path_factory.mktemp("detector") / "bundle")


def _arguments(media: Path, output: Path, detector: Path) -> list[str]:
    said = ["score", str(media), "--output", str(output), "--weights", str(detector)]
    return [*said, "--batch-files", "4", "--num-workers", "1"]


@pytest.fixture(scope="module")
def expected(media: Path, detector: Path, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Return the table of a run on this machine alone."""
    folder = tmp_path_factory.mktemp("local")
    done = run_deepfake(*_arguments(media, folder / "out", detector), cwd=folder)
    assert done.returncode == 3, done.stdout + done.stderr
    return _scores(folder / "out")


def _scores(output: Path) -> pd.DataFrame:
    return pd.read_parquet(output / "scores.parquet").drop(columns="seconds")


def test_one_of_two_workers_is_killed_in_mid_run(
    cluster: Cluster, media: Path, detector: Path, expected: pd.DataFrame, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    command = [*_arguments(media, Path("out"), detector), *cluster.options]
    with cluster.worker("one", "--no-nanny") as one, cluster.worker("two", "--no-nanny"):
        with _deepfake(command, cluster, cwd=tmp_path) as run:
            wait_until(lambda: _num_parts(output) >= 3, seconds=_RUN_SECONDS)
            media_workers = psutil.Process(one.pid).children(recursive=True)
            os.kill(one.pid, signal.SIGKILL)
            left = _NUM_FILES - 4 * _num_parts(output)
            printed, _ = run.communicate(timeout=_RUN_SECONDS)
        assert run.returncode == 3, f"{printed}\n{tail_of(cluster.server.logs)}"
        assert left > 8, "it was killed in the middle"
        assert media_workers, "it had media workers"
        _, alive = psutil.wait_procs(media_workers, timeout=10)
        assert not alive, "they died with it"
    pd.testing.assert_frame_equal(_scores(output), expected)
    assert f"scored {_NUM_FILES} media of {_NUM_FILES + 1} files" in printed


def test_a_corpus_is_ingested_under_a_nanny(cluster: Cluster, tmp_path: Path) -> None:
    media = make_corpus(tmp_path / "media", clips=1, stills=2)
    options = ["ingest", media, "--corpus", "tiny", "--frames", "4", "--batch-files", "2"]
    here = run_deepfake(*options, "--data-root", tmp_path / "here", cwd=tmp_path)
    assert here.returncode == 0, here.stderr
    with cluster.worker("nannied", "--nanny"):
        there = run_deepfake(
            *options,
            # Workers run in folders of their own.
            *["--data-root", "there", *cluster.options],
            cwd=tmp_path,
            environment=cluster.server.environment,
        )
    assert there.returncode == 0, f"{there.stderr}\n{tail_of(cluster.server.logs)}"
    one, other = (open_snapshot(DataRoot(tmp_path / name), "tiny") for name in ("here", "there"))
    assert one.digest == other.digest
    pd.testing.assert_frame_equal(one.index(), other.index())


def test_a_cluster_behind_certificates(media: Path, detector: Path, tmp_path: Path) -> None:
    """As docs/scaling.md says; who has none, or another authority's, is not let in."""
    ours, others = _certificates(tmp_path / "ours"), _certificates(tmp_path / "others")
    said = [*_arguments(media, tmp_path / "out", detector), "--limit", "4"]
    with dask_cluster(tmp_path, protocol="tls", **ours) as cluster:
        plain = {k: v for k, v in cluster.server.environment.items() if k not in ours}
        plain["DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT"] = "5s"
        with cluster.worker("one", "--no-nanny"):
            done, *refused = [
                run_deepfake(
                    *said,
                    *cluster.options,
                    cwd=tmp_path,
                    environment=environment,
                    timeout_seconds=_RUN_SECONDS,
                )
                for environment in (cluster.server.environment, {**plain, **others}, plain)
            ]
    assert "scored 4 media" in done.stdout, done.stderr
    for stranger in refused:
        assert stranger.returncode == 1
        assert "does not answer" in stranger.stderr
        assert "Traceback" not in stranger.stderr


def _certificates(folder: Path) -> dict[str, str]:
    """Return the variables of a cluster whose parts know each other by one certificate."""
    folder.mkdir()
    made = Security.temporary()
    (folder / "key.pem").write_text(made.tls_client_key)
    (folder / "cert.pem").write_text(made.tls_client_cert)
    tls = "DASK_DISTRIBUTED__COMM__TLS__"
    settings = {
        "DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION": "True",
        f"{tls}CA_FILE": str(folder / "cert.pem"),
    }
    for role in ("SCHEDULER", "WORKER", "CLIENT"):
        settings[f"{tls}{role}__CERT"] = str(folder / "cert.pem")
        settings[f"{tls}{role}__KEY"] = str(folder / "key.pem")
    return settings


def test_a_scheduler_that_does_not_answer_is_said_in_a_line(
    cluster: Cluster, media: Path, detector: Path, tmp_path: Path
) -> None:
    done = run_deepfake(
        *_arguments(media, tmp_path / "out", detector),
        *["--task-runner", "dask", "--dask-address", "tcp://127.0.0.1:1"],
        cwd=tmp_path,
        environment={
            **cluster.server.environment,
            "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "5s",
        },
        timeout_seconds=_RUN_SECONDS,
    )
    assert done.returncode == 1
    assert "the Dask scheduler tcp://127.0.0.1:1 does not answer" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_cluster_needs_a_server_to_report_to(cluster: Cluster, tmp_path: Path) -> None:
    media = tmp_path / "media"
    media.mkdir()
    said = ["score", media, "--output", tmp_path / "out", *cluster.options]
    done = run_deepfake(*said, cwd=tmp_path)
    assert done.returncode == 2
    assert "PREFECT_API_URL" in done.stderr


def _num_parts(output: Path) -> int:
    return len(list(output.glob("versions/*/parts/*.json")))


@contextlib.contextmanager
def _deepfake(
    arguments: Sequence[str], cluster: Cluster, *, cwd: Path
) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "deepfake", *arguments],
        cwd=cwd,
        env=cluster.server.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
