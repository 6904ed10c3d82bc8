"""How far a run is: written by the run, read by others without disturbing it."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import filelock
import pytest

from deepfake.config import WorkerLimits
from deepfake.corpora.manifest_row import ManifestRow
from deepfake.detectors.bundles import load_bundle
from deepfake.detectors.identity import DetectorIdentity
from deepfake.errors import DataError
from deepfake.scoring import (
    BatchTotals,
    Part,
    RunRecord,
    ScorerSetup,
    ScoresFolder,
    ScoringState,
    describe_setup,
    open_state,
    read_status,
    record_run,
    write_setup,
)
from deepfake.scoring.setups import StoredSetup
from deepfake.storage.event_log import event_log
from deepfake.types import Kind, Status
from tests.media_factory import as_ordinary_user, readable_folder
from tests.sample_data import make_detector


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory) -> StoredSetup:
    bundle = load_bundle(make_detector(tmp_path_factory.mktemp("detector") / "bundle"))
    scorer = ScorerSetup(DetectorIdentity(bundle.path, "tried", "3"))
    return describe_setup(scorer, bundle=bundle, limits=WorkerLimits())


@pytest.fixture
def output(tmp_path: Path) -> ScoresFolder:
    return ScoresFolder(tmp_path / "out")


@contextmanager
def _run(
    output: ScoresFolder, setup: StoredSetup, *, version: str = "v1"
) -> Iterator[tuple[ScoringState, RunRecord]]:
    with (
        output.lock(),
        event_log(output.log, run_id=f"run-{version}", mask=str),
        open_state(output.state, folder="/media", version=version) as state,
        record_run(output, state, run_id=f"run-{version}", setup=setup) as record,
    ):
        write_setup(output.version(version), setup)
        yield state, record


def _row(name: str, status: Status = Status.OK) -> ManifestRow:
    kind = Kind.IMAGE if status is Status.OK else None
    return ManifestRow(f"/media/{name}", "media", name * 64, kind, 10, 1, status=status)


def _work(state: ScoringState, record: RunRecord) -> None:
    """List five files: one is refused, one waits, two of three contents are scored."""
    rows = [_row("a"), _row("b"), _row("c"), _row("d", Status.EMPTY)]
    rows.append(replace(_row("a"), uri="/media/a-copy"))
    record.count_listed(len(rows))
    state.record_listed([replace(r, media_id=None, kind=None, status=Status.OK) for r in rows])
    record.count_probed(rows, hashing="full")
    state.record_probed(rows, began_ns=2**62)
    record.count_claimed(len(state.claim(rows)))
    part = Part("0123456789abcdef", state.run, (("a" * 64, "ok"), ("b" * 64, "timeout")))
    failed = {"uri": "/media/b", "media_id": "b" * 64, "status": "timeout"}
    account = BatchTotals(
        seconds=2.0,
        extract_seconds=1.5,
        classify_seconds=0.5,
        statuses={"ok": 1, "timeout": 1},
        verdicts={"real": 1, "not_applicable": 1},
        failed=[{**failed, "error_type": "TimeoutError", "message": "took too long"}],
    )
    record.record_part(part, account)
    state.commit(part)


def test_a_run_at_work(output: ScoresFolder, setup: StoredSetup) -> None:
    with _run(output, setup) as (state, record):
        _work(state, record)
        status = read_status(output)
        with closing(sqlite3.connect(output.state, timeout=0)) as db:
            db.execute("BEGIN IMMEDIATE")
            assert read_status(output) == status, (
                "a writer in the middle of its work stops no reader"
            )
            db.rollback()
    assert status.owner is not None
    assert {"pid", "host", "user", "since"} <= set(status.owner)
    assert (status.folder, status.version) == ("/media", "v1")
    assert (status.num_files, status.num_scored, status.num_waiting) == (5, 2, 1)
    assert status.statuses == {"ok": 2, "timeout": 1, "empty": 1}
    assert status.verdicts == {}, "there are no tables yet"
    run = status.run
    assert run is not None
    assert (run.run_id, run.outcome, run.ended_at) == ("run-v1", "at work", None)
    assert run.is_listing
    assert run.counters["num_listed"] == 5
    assert run.counters["hashed_bytes"] == 50
    assert run.last_part is not None
    assert (run.last_part["key"], run.last_part["media"]) == ("0123456789abcdef", 2)
    assert run.media_per_second == pytest.approx(1.0, rel=0.2), "two media in two seconds"
    assert run.seconds_left == pytest.approx(1.0, rel=0.2)
    (version,) = status.versions
    assert version.detector == {
        "name": "tried",
        "version": "3",
        "digest": setup.detector.digest,
    }
    assert (version.num_parts, version.num_scored, version.has_tables) == (1, 2, False)
    json.dumps(status.as_record())


def test_a_run_that_ended(output: ScoresFolder, setup: StoredSetup) -> None:
    with _run(output, setup) as (state, record):
        _work(state, record)
        record.end_listing()
    run = read_status(output).run
    assert run is not None
    assert (run.outcome, run.seconds_left, run.is_listing) == ("finished", None, False)
    assert run.ended_at is not None
    with pytest.raises(RuntimeError), _run(output, setup, version="v2"):
        raise RuntimeError("broken")
    status = read_status(output)
    assert status.run is not None
    assert (status.run.outcome, status.owner) == ("failed", None)
    assert [v.version for v in status.versions] == ["v1", "v2"]
    assert status.num_waiting == 4, "nothing has a score of this version"


def test_a_run_that_was_killed(output: ScoresFolder, setup: StoredSetup) -> None:
    with _run(output, setup) as (state, record):
        _work(state, record)
        killed = output.state.read_bytes(), output.state.with_name("state.sqlite-wal").read_bytes()
    output.state.write_bytes(killed[0])
    output.state.with_name("state.sqlite-wal").write_bytes(killed[1])
    status = read_status(output)
    assert status.run is not None
    assert (status.run.outcome, status.run.seconds_left) == ("interrupted", None)
    assert status.num_scored == 2, "what the run had committed is there"


def test_each_name_of_a_failed_content_is_logged(output: ScoresFolder, setup: StoredSetup) -> None:
    with _run(output, setup) as (state, record):
        _work(state, record)
        late = replace(_row("b"), uri="/media/late")
        state.record_listed([late])
        state.record_probed([late], began_ns=2**62)
    lines = [json.loads(line) for line in output.log.read_text().splitlines()]
    failed = [line for line in lines if line["event"] == "file failed"]
    assert sorted((line["uri"], line["status"]) for line in failed) == [
        ("/media/b", "timeout"),
        ("/media/d", "empty"),
        ("/media/late", "timeout"),
    ]
    assert all(line["media_id"] for line in failed)
    assert [line["event"] for line in lines if "failed" not in line["event"]] == [
        "run began",
        "part committed",
        "run ended",
    ]
    (part,) = (line for line in lines if line["event"] == "part committed")
    assert (part["part"], part["media"], part["seconds"]) == ("0123456789abcdef", 2, 2.0)


def test_who_may_not_write_there_reads_all_the_same(setup: StoredSetup) -> None:
    with readable_folder() as folder:
        output = ScoresFolder(folder / "out")
        with _run(output, setup) as (state, record):
            _work(state, record)
        expected = read_status(output)
        for path in folder.rglob("*"):
            path.chmod(0o555 if path.is_dir() else 0o444)
        with as_ordinary_user():
            assert read_status(output) == expected


def test_no_scores_there_is_an_error(output: ScoresFolder) -> None:
    with pytest.raises(DataError, match="no scores are kept there"):
        read_status(output)
    output.path.mkdir()
    output.state.write_bytes(b"not a database " * 100)
    with pytest.raises(DataError, match="cannot be read"):
        read_status(output)


def test_asking_for_the_owner_turns_no_run_away(output: ScoresFolder) -> None:
    output.path.mkdir()
    asked = filelock.FileLock(output.path / ".lock", timeout=0, thread_local=False)
    with asked:
        threading.Timer(0.3, asked.release).start()
        with output.lock():
            assert output.owner() is not None
