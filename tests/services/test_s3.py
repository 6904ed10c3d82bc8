"""Media and scores in S3 buckets: the same results as in local folders."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import pytest
import s3fs

from deepfake.media import write_image
from deepfake.storage import StorePath, location_of, take_lease
from tests.command_line import Completed, product_environment, run_deepfake
from tests.sample_data import clip_frames, make_corpus, make_detector
from tests.services.clusters import dask_cluster
from tests.services.processes import free_port, running, wait_until

pytestmark = [pytest.mark.services, pytest.mark.timeout(1800)]

_NUM_FILES = 40
_RUN_SECONDS = 900.0


@dataclass(frozen=True)
class _Bucket:
    """A bucket of a server of the test's own, and a machine that knows of it.

    Attributes:
        name: Of the bucket.
        environment: Of every process that shall find the server.
        store: The server, for the test itself.
        machine: The folder that commands run in.
        log: What the server writes.
    """

    name: str
    environment: dict[str, str]
    store: s3fs.S3FileSystem
    machine: Path
    log: Path

    def num_fetched(self, folder: str = "inbox") -> int:
        """Return how often the server was asked for bytes of media."""
        asked = f'"GET /{self.name}/{folder}/'
        lines = self.log.read_text(errors="replace").splitlines()
        return sum(asked in line and "/scores/" not in line for line in lines)

    def uri(self, name: str) -> str:
        return f"s3://{self.name}/{name}"

    def put(self, name: str, content: bytes) -> None:
        self.store.pipe_file(f"{self.name}/{name}", content)

    def names(self, folder: str) -> set[str]:
        """Return the objects below a folder."""
        return {path.removeprefix(f"{self.name}/") for path in self.store.find(self.uri(folder))}

    def on(self, machine: Path) -> _Bucket:
        """Return the same bucket as another machine finds it."""
        machine.mkdir(exist_ok=True)
        environment = {**self.environment, "DEEPFAKE_CACHE": str(machine / "cache")}
        return replace(self, environment=environment, machine=machine)

    def run(self, *arguments: str | Path, code: int = 0) -> Completed:
        """Run the command line on the machine."""
        done = run_deepfake(
            *arguments,
            cwd=self.machine,
            environment=self.environment,
            timeout_seconds=_RUN_SECONDS,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done

    def scores(self, output: str = "scores") -> pd.DataFrame:
        return _by_name(self.scores_table(output))

    def scores_table(self, output: str) -> pd.DataFrame:
        with self.store.open(f"{self.name}/{output}/scores.parquet") as stream:
            return pd.read_parquet(stream)


def _by_name(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the table by the files' names, without what differs between two places."""
    names = pd.Index([uri.rpartition("/")[2] for uri in scores["uri"]], name="name")
    return scores.set_index(names).drop(columns=["uri", "seconds"])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Yield the address of a server, and the file that it writes its requests to."""
    folder = tmp_path_factory.mktemp("s3")
    url = f"http://127.0.0.1:{(port := free_port())}"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    log = folder / "server.log"
    with running(command, log=log, environment=dict(os.environ), cwd=folder):
        wait_until(lambda: _answers(url))
        yield url, log


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except (urllib.error.URLError, OSError):
        return False


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_detector(tmp_path_factory.mktemp("detector") / "bundle")


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of pictures, some of them twice or none."""
    folder = tmp_path_factory.mktemp("media")
    for i in range(_NUM_FILES):
        (folder / f"{i % 3}").mkdir(exist_ok=True)
        path = folder / f"{i % 3}" / f"{i}.png"
        write_image(path, clip_frames(1, seed=i // 2 if i % 10 == 1 else i)[0])
    (folder / "notes.txt").write_text("no picture")
    (folder / "empty.png").write_bytes(b"")
    (folder / "a name? with #all sorts%.png").write_bytes((folder / "0" / "0.png").read_bytes())
    return folder


@pytest.fixture(scope="module")
def expected(media: Path, detector: Path, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Return the table of a run on files of this machine."""
    folder = tmp_path_factory.mktemp("local")
    said = ["--output", folder / "out", "--weights", detector, "--num-workers", "2"]
    done = run_deepfake("score", media, *said, cwd=folder)
    assert done.returncode == 3, done.stdout + done.stderr
    return _by_name(pd.read_parquet(folder / "out" / "scores.parquet"))


@pytest.fixture
def bucket(server: tuple[str, Path], media: Path, tmp_path: Path) -> _Bucket:
    """Return a bucket of its own with the media below `inbox`."""
    url, log = server
    keys = {"AWS_ACCESS_KEY_ID": "anyone", "AWS_SECRET_ACCESS_KEY": "anything"}
    environment = product_environment(
        **keys, AWS_ENDPOINT_URL=url, AWS_DEFAULT_REGION="us-east-1", TMPDIR=str(tmp_path)
    )
    store = s3fs.S3FileSystem(
        key="anyone", secret="anything", endpoint_url=url, use_listings_cache=False
    )
    name = tmp_path.name.replace("_", "-").lower()
    made = _Bucket(name, environment, store, tmp_path, log)
    store.mkdir(made.name)
    for path in media.rglob("*"):
        if path.is_file():
            made.put(f"inbox/{path.relative_to(media)}", path.read_bytes())
    made.put("inbox/.hidden/x.png", b"nobody looks")
    return made.on(tmp_path / "machine")


def _arguments(bucket: _Bucket, detector: Path, *more: str) -> list[str]:
    said = ["score", bucket.uri("inbox"), "--output", bucket.uri("inbox/scores")]
    return [*said, "--weights", str(detector), "--num-workers", "2", "--batch-files", "4", *more]


def test_scores_are_those_of_files_here_and_nothing_is_done_twice(
    bucket: _Bucket, media: Path, detector: Path, expected: pd.DataFrame, tmp_path: Path
) -> None:
    num_all = len(expected)
    first = bucket.run(*_arguments(bucket, detector), code=3)
    assert f"media of {num_all} files" in first.stdout
    assert f"scores: {bucket.uri('inbox/scores')}/scores.csv" in first.stdout
    found = bucket.scores("inbox/scores")
    pd.testing.assert_frame_equal(found.sort_index(), expected.sort_index())
    names = {
        name.rpartition("/")[2] for name in bucket.names("inbox/scores") if "/versions/" not in name
    }
    assert names >= {"scores.parquet", "scores.csv", "tracks.parquet", "frames.parquet", "run.json"}
    assert ".lease.json" not in names

    again = f"nothing to score: {num_all} files listed, none new or changed"
    assert again in bucket.run(*_arguments(bucket, detector), code=3).stdout
    other, fetched = bucket.on(tmp_path / "another-machine"), bucket.num_fetched()
    assert again in other.run(*_arguments(bucket, detector), code=3).stdout
    assert bucket.num_fetched() == fetched, "what media hold is known without reading them"
    pd.testing.assert_frame_equal(other.scores("inbox/scores"), found)

    bucket.put("inbox/0/3.png", (media / "1" / "1.png").read_bytes())
    bucket.put("inbox/new.png", (media / "1" / "4.png").read_bytes())
    bucket.put("inbox/0/6.png", (media / "0" / "9.png").read_bytes()[:-1] + b"\0")
    bucket.store.rm_file(f"{bucket.name}/inbox/0/0.png")
    assert "scored 1 medium" in bucket.run(*_arguments(bucket, detector), code=3).stdout
    after = bucket.scores("inbox/scores")
    assert after.loc["3.png", "logit"] == found.loc["1.png", "logit"]
    assert after.loc["new.png", "logit"] == found.loc["4.png", "logit"]
    assert after.loc["6.png", "media_id"] != found.loc["6.png", "media_id"]
    assert after.loc["0.png", "status"] == "vanished"
    assert [path for path in tmp_path.iterdir() if path.name.startswith("deepfake-")] == []


def test_a_killed_run_goes_on_here_and_elsewhere(
    bucket: _Bucket, detector: Path, expected: pd.DataFrame, tmp_path: Path
) -> None:
    def num_parts() -> int:
        return sum(name.endswith(".json") for name in bucket.names("inbox/scores/versions"))

    for at_least in (2, 4):
        with _started(_arguments(bucket, detector), bucket):
            wait_until(lambda at=at_least: num_parts() >= at, seconds=_RUN_SECONDS)
    finished = num_parts()
    assert finished < _NUM_FILES / 4 - 1, "it was killed in the middle"
    # The lease of a process that is gone is no lease, but only its own machine can know.
    bucket.run(*_arguments(bucket, detector), code=3)
    found = bucket.scores("inbox/scores")
    pd.testing.assert_frame_equal(found.sort_index(), expected.sort_index())
    assert num_parts() > finished


def test_a_run_is_refused_while_another_one_is_at_work(
    bucket: _Bucket, detector: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in bucket.environment.items():
        monkeypatch.setenv(name, value)
    folder = location_of(bucket.uri("inbox/scores"))
    assert isinstance(folder, StorePath)
    owner = {"pid": 7, "user": "somebody", "host": "a-machine", "since": "noon"}
    lease = take_lease(folder / ".lease.json", owner)
    assert lease is not None
    second = bucket.run(*_arguments(bucket, detector), code=1)
    assert "at work on this output: process 7 of somebody on a-machine since noon" in second.stderr
    assert "Traceback" not in second.stderr
    assert lease.is_ours
    lease.release()
    assert bucket.names("inbox/scores") == set()


def test_a_part_that_was_put_over_is_made_again(
    bucket: _Bucket, detector: Path, expected: pd.DataFrame
) -> None:
    bucket.run(*_arguments(bucket, detector), code=3)
    parts = sorted(n for n in bucket.names("inbox/scores/versions") if "/parts/" in n)
    for name in (parts[0], next(n for n in parts[8:] if n.endswith(".frames.parquet"))):
        content = bytearray(bucket.store.cat_file(f"{bucket.name}/{name}"))
        content[len(content) // 2] ^= 1
        bucket.put(name, bytes(content))
    assert "scored 8 media" in bucket.run(*_arguments(bucket, detector), code=3).stdout
    pd.testing.assert_frame_equal(bucket.scores("inbox/scores").sort_index(), expected.sort_index())


def test_a_cluster_shares_nothing_but_the_store(
    bucket: _Bucket, detector: Path, expected: pd.DataFrame, tmp_path: Path
) -> None:
    """No folder of the machine that starts the run is used by a worker, nor its detector's."""
    hidden = tmp_path / "hidden" / "detector"
    shutil.copytree(detector, hidden)
    aws = {k: v for k, v in bucket.environment.items() if k.startswith("AWS_")}
    with dask_cluster(tmp_path) as cluster:
        environment = {**bucket.environment, **cluster.server.environment, **aws}
        there = replace(bucket, environment={**environment, "DEEPFAKE_CACHE": str(tmp_path / "c")})
        with (
            cluster.worker("one", "--no-nanny", environment=aws),
            cluster.worker("two", "--no-nanny", environment=aws),
        ):
            done = there.run(*_arguments(there, hidden), *cluster.options, code=3)
        caches = {name: list((tmp_path / name / "cache").iterdir()) for name in ("one", "two")}
    assert f"media of {len(expected)} files" in done.stdout
    pd.testing.assert_frame_equal(bucket.scores("inbox/scores").sort_index(), expected.sort_index())
    for found in caches.values():
        assert {path.name for path in found} >= {"folders", "openvino"}


def test_a_corpus_is_ingested_and_measured(bucket: _Bucket, detector: Path, tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path / "corpus", clips=2, stills=2)
    for path in corpus.rglob("*.*"):
        bucket.put(f"corpus/{path.relative_to(corpus)}", path.read_bytes())
    here, there = tmp_path / "data", bucket.uri("data")
    options = ["--corpus", "tiny", "--frames", "4", "--batch-files", "2", "--edge", "mirror"]
    bucket.run("ingest", corpus, *options, "--data-root", here)
    said = ["ingest", bucket.uri("corpus"), *options, "--data-root", there]
    first = bucket.run(*said)
    assert "shards made: 4, reused: 0" in first.stdout
    other, fetched = bucket.on(tmp_path / "another-machine"), bucket.num_fetched("corpus")
    assert "nothing to decode" in other.run(*said).stdout
    assert bucket.num_fetched("corpus") == fetched
    assert "data" not in {path.name for path in tmp_path.glob("another-machine/s3*")}

    base = pd.read_parquet(next((here / "shards" / "tiny").glob("*/index.parquet")))
    (index,) = (n for n in bucket.names("data/shards") if n.endswith("/index.parquet"))
    with bucket.store.open(f"{bucket.name}/{index}") as stream:
        found = pd.read_parquet(stream)
    # Parts hold files in the order of their names, which is the same in both places.
    columns = [name for name in base.columns if name != "uri"]
    pd.testing.assert_frame_equal(found[columns], base[columns])

    for root in (here, there):
        measured = bucket.run(
            *["evaluate", "--dataset", "tiny", "--split", "all", "--weights", detector],
            *["--data-root", root],
        )
        assert "figures and tables: " in measured.stdout
    reports = [
        pd.read_parquet(path).drop(columns="uri")
        for folder in (here, bucket.machine / "data")
        for path in folder.glob("evaluations/*/files.parquet")
    ]
    pd.testing.assert_frame_equal(*reports)


def test_a_medium_is_vouched_for_and_forgotten(
    bucket: _Bucket, detector: Path, tmp_path: Path
) -> None:
    corpus = make_corpus(tmp_path / "corpus", clips=0, stills=2)
    for path in corpus.rglob("*.*"):
        bucket.put(f"corpus/{path.relative_to(corpus)}", path.read_bytes())
    root, output, own = bucket.uri("data"), bucket.uri("scores"), tmp_path / "one.png"
    bucket.run("ingest", bucket.uri("corpus"), "--corpus", "tiny", "--data-root", root)
    score = ["score", bucket.uri("corpus"), "--output", output, "--weights", str(detector)]
    bucket.run(*score)
    name = sorted(bucket.names("corpus"))[0]
    uri = bucket.uri(name)
    other = bucket.on(tmp_path / "another-machine")

    receipts = [json.loads(each.run("receipt", output, uri).stdout) for each in (bucket, other)]
    assert receipts[0] | {"made_at": ""} == receipts[1] | {"made_at": ""}
    assert receipts[0]["uri"] == uri
    own.write_bytes(bucket.store.cat_file(f"{bucket.name}/{name}"))
    (tmp_path / "receipt.json").write_text(json.dumps(receipts[0]))
    verify = ["verify", tmp_path / "receipt.json", "--weights", detector]
    assert "name it with --file" in bucket.run(*verify, code=1).stdout
    assert bucket.run(*verify, "--file", own).stdout.splitlines()[-1].startswith("reproduced: ")

    bucket.run("report", output)
    assert "scores/report.html" in bucket.names("scores")
    assert bucket.uri("corpus") in bucket.run("status", output).stdout
    printed = other.run("forget", uri, "--data-root", root, "--output", output).stdout
    assert f"media_id: {receipts[0]['sha256']}" in printed
    bucket.run("forget", uri, "--data-root", root)
    for place in (*bucket.names("data"), *bucket.names("scores")):
        content = bucket.store.cat_file(f"{bucket.name}/{place}")
        assert receipts[0]["sha256"].encode() not in content, place
    assert uri not in set(bucket.scores_table("scores")["uri"])
    assert "scores/report.html" not in bucket.names("scores")
    bucket.store.rm_file(f"{bucket.name}/{name}")
    assert "nothing to score" in bucket.run(*score).stdout
    again = bucket.run("ingest", bucket.uri("corpus"), "--corpus", "tiny", "--data-root", root)
    assert "nothing to decode" in again.stdout


def test_what_cannot_be_is_said_in_a_line(bucket: _Bucket, detector: Path) -> None:
    for uri, message in (
        ("s3://no-such-bucket/x", "s3://no-such-bucket/x"),
        (bucket.uri("nothing"), "no file to look at; found no object below it"),
    ):
        done = bucket.run("score", uri, "--output", bucket.uri("out"), code=1)
        assert message in done.stderr and "Traceback" not in done.stderr
    for arguments in (
        ["score", "s3:/bucket/x", "--output", "out"],
        ["ingest", bucket.uri("inbox"), "--corpus", "c", "--layout", "celebdf"],
        ["demo", "--data-root", bucket.uri("data")],
    ):
        done = bucket.run(*arguments, code=2)
        assert "Traceback" not in done.stderr
    assert not [path for path in bucket.machine.rglob("*") if path.name.startswith("s3:")]


@contextlib.contextmanager
def _started(arguments: list[str], bucket: _Bucket) -> Iterator[subprocess.Popen[bytes]]:
    """Run the command line in a group of its own, and kill it at the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "deepfake", *arguments],
        cwd=bucket.machine,
        env=bucket.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=30)
