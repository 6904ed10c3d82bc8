"""Prefect and MLflow on a PostgreSQL server."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psycopg2
import pytest

from tests.command_line import run_deepfake
from tests.sample_data import make_corpus, make_detector
from tests.services.processes import free_port, prefect_server, running, tail_of, wait_until

pytestmark = [pytest.mark.services, pytest.mark.timeout(1800)]

_NUM_TASKS = 500
_RUN_SECONDS = 600.0

_MANY_TASKS = f"""
from prefect import flow, task
from prefect.task_runners import ThreadPoolTaskRunner

@task
def nothing(number: int) -> int:
    return number

@flow(task_runner=ThreadPoolTaskRunner(max_workers=32))
def many() -> int:
    futures = nothing.map(range({_NUM_TASKS}))
    return len([f.result() for f in futures])

print("done", many())
"""


@dataclass(frozen=True)
class _Postgres:
    """A database server.

    Attributes:
        port: Of loopback.
        folder: Its data and its log.
    """

    port: int
    folder: Path

    def uri(self, database: str, *, driver: str = "postgresql") -> str:
        return f"{driver}://deepfake@127.0.0.1:{self.port}/{database}"

    def ask(self, database: str, question: str) -> list[tuple[object, ...]]:
        with closing(psycopg2.connect(self.uri(database))) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(question)
                return cursor.fetchall() if cursor.description else []

    def is_up(self) -> bool:
        try:
            return self.ask("postgres", "SELECT 1") == [(1,)]
        except psycopg2.OperationalError:
            return False


@pytest.fixture(scope="module")
def postgres() -> Iterator[_Postgres]:
    """Yield a server that runs with the rights of nobody: it refuses root's."""
    programs = [shutil.which(name) for name in ("initdb", "postgres")]
    if None in programs:
        pytest.skip("PostgreSQL's server (initdb, postgres) is not installed")
    user = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="deepfake-postgres-"))
    try:
        if user is not None:
            os.chown(folder, user, -1)
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": str(folder)}
        made = subprocess.run(
            ["initdb", "-D", folder / "data", "-U", "deepfake", "-A", "trust", "-E", "UTF8", "-N"],
            env=environment,
            cwd=folder,
            user=user,
            capture_output=True,
            text=True,
            timeout=_RUN_SECONDS,
            check=False,
        )
        assert made.returncode == 0, made.stdout + made.stderr
        server = _Postgres(free_port(), folder)
        command = ["postgres", "-D", str(folder / "data"), "-k", str(folder)]
        command += ["-h", "127.0.0.1", "-p", str(server.port)]
        log = folder / "postgres.log"
        with running(command, log=log, environment=environment, cwd=folder, user=user):
            wait_until(server.is_up)
            yield server
    finally:
        shutil.rmtree(folder)


def test_five_hundred_task_runs_and_a_measured_detector(
    postgres: _Postgres, tmp_path: Path
) -> None:
    for database in ("prefect", "mlflow"):
        postgres.ask("postgres", f"CREATE DATABASE {database}")
    settings = {
        "PREFECT_API_DATABASE_CONNECTION_URL": postgres.uri("prefect", driver="postgresql+asyncpg"),
        "MLFLOW_TRACKING_URI": postgres.uri("mlflow"),
    }
    with prefect_server(tmp_path / "prefect", **settings) as server:
        done = subprocess.run(
            [sys.executable, "-c", _MANY_TASKS],
            cwd=tmp_path,
            env=server.environment,
            capture_output=True,
            text=True,
            timeout=_RUN_SECONDS,
            check=False,
        )
        output = f"{done.stdout[-3000:]}{done.stderr[-3000:]}\n{tail_of(server.logs)}"
        assert f"done {_NUM_TASKS}" in done.stdout, output
        states = "SELECT state_type, count(*)::int FROM task_run GROUP BY 1"
        # The server takes in what became of a task a little later.
        wait_until(
            lambda: postgres.ask("prefect", states) == [("COMPLETED", _NUM_TASKS)],
            seconds=_RUN_SECONDS,
        )
        log = (server.logs / "server.log").read_text()
        assert "Error" not in log and "Traceback" not in log, log[-6000:]

        corpus = make_corpus(tmp_path / "corpus", clips=0, stills=4)
        detector = make_detector(tmp_path / "detector")
        for command in (
            ["ingest", corpus, "--corpus", "tiny", "--edge", "mirror"],
            ["evaluate", "--dataset", "tiny", "--split", "all", "--weights", detector],
            ["doctor"],
        ):
            ran = run_deepfake(
                *command,
                cwd=tmp_path,
                environment=server.environment,
                timeout_seconds=_RUN_SECONDS,
            )
            assert ran.returncode == 0, ran.stdout + ran.stderr
    flows = "SELECT f.name, r.state_type FROM flow_run r JOIN flow f ON f.id = r.flow_id"
    found = set(postgres.ask("prefect", flows))
    assert found == {(name, "COMPLETED") for name in ("many", "ingest", "evaluate")}
    assert postgres.ask("mlflow", "SELECT status FROM runs") == [("FINISHED",)]
    metrics = "SELECT count(DISTINCT key)::int > 10 FROM metrics"
    assert postgres.ask("mlflow", metrics) == [(True,)]
    assert not list(tmp_path.rglob("mlflow.db"))
    assert not list((tmp_path / "prefect" / "home").rglob("*.db"))
