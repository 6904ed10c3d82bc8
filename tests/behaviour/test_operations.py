"""Operating a scoring job: status, log, metrics, receipts, forgetting."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import pandas as pd
import pytest
from prometheus_client.parser import text_string_to_metric_families

from deepfake.corpora.shards import open_snapshot
from deepfake.errors import DataError
from deepfake.media import write_image
from deepfake.scoring import ScoresFolder, read_receipt, read_status
from deepfake.storage import DataRoot, sha256_of
from tests.command_line import Completed, product_environment, run_deepfake
from tests.deepfake.forgetting.kept import mentions
from tests.sample_data import (
    clip_frames,
    face_close_up,
    make_corpus,
    make_detector,
    write_face_clip,
)

pytestmark = pytest.mark.slow

_LONG_AGO = 1_600_000_000


def _still(path: Path, seed: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, clip_frames(1, seed=seed)[0])
    os.utime(path, (_LONG_AGO, _LONG_AGO))
    return path


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_detector(tmp_path_factory.mktemp("detector") / "bundle")


@dataclass(frozen=True)
class _Job:
    """A folder that was scored once, and the data root of that."""

    root: Path
    detector: Path
    first: Completed

    @property
    def media(self) -> Path:
        return self.root / "media"

    @property
    def output(self) -> Path:
        return self.root / "out"

    def run(self, *arguments: str | Path, code: int = 0) -> Completed:
        done = run_deepfake(*arguments, cwd=self.root)
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    def receipt(self, name: str, target: str = "receipt.json") -> Path:
        self.run("receipt", "out", f"media/{name}", "--output", target)
        return self.root / target

    def verify(self, receipt: Path, *more: str | Path, code: int) -> list[str]:
        done = self.run("verify", receipt, "--weights", self.detector, *more, code=code)
        return done.stdout.splitlines()


def _arguments(detector: Path, *more: str) -> list[str]:
    said = ["score", "media", "--output", "out", "--weights", str(detector)]
    return [*said, "--evidence", "0", *more]


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory, detector: Path) -> _Job:
    """Score stills, one of them under two names, a clip, and two files that are no media."""
    root = tmp_path_factory.mktemp("job")
    for i in range(5):
        _still(root / "media" / f"{i}.png", seed=i)
    shutil.copy(root / "media" / "1.png", root / "media" / "copy.png")
    write_face_clip(root / "media" / "clip.mp4")
    (root / "media" / "text.mp4").write_text("no video\n" * 50)
    (root / "media" / "empty.mp4").touch()
    first = run_deepfake(*_arguments(detector), cwd=root)
    assert first.returncode == 3, first.stdout + first.stderr
    return _Job(root, detector, first)


def test_the_summary_tells_verdicts_throughput_and_where_failures_are(job: _Job) -> None:
    output = " ".join(job.first.stdout.replace("│", " ").split())
    assert "NOT JUDGED not_applicable 2 empty 1 unsupported 1" in output
    assert "scored 6 media of 9 files in" in output
    assert "media a second" in output
    assert "failures: out/failures.csv (2 files: why, and what to do)" in output


def test_the_log_tells_the_run_its_parts_and_each_failure(job: _Job) -> None:
    lines = [json.loads(line) for line in (job.output / "log.jsonl").read_text().splitlines()]
    assert {line["run_id"] for line in lines if "run_id" in line} == {lines[0]["run_id"]}
    assert [line["event"] for line in (lines[0], lines[-1])] == ["run began", "run ended"]
    failed = {Path(line["uri"]).name: line for line in lines if line["event"] == "file failed"}
    assert set(failed) == {"text.mp4", "empty.mp4"}
    text = failed["text.mp4"]
    assert text["media_id"] == sha256_of(job.media / "text.mp4")
    assert (text["status"], text["error_type"]) == ("unsupported", "UnsupportedMediaError")
    assert sum(line["media"] for line in lines if line["event"] == "part committed") == 6
    assert lines[-1]["statuses"] == {"ok": 6}


def test_the_numbers_agree_with_the_log_and_the_tables(job: _Job) -> None:
    text = (job.output / "metrics.prom").read_text()
    samples = [s for family in text_string_to_metric_families(text) for s in family.samples]
    values = {s.name.removeprefix("deepfake_score_"): s.value for s in samples}
    ended = json.loads((job.output / "log.jsonl").read_text().splitlines()[-1])
    for name, key in (
        ("run_listed_files_total", "num_listed"),
        ("run_scored_media_total", "num_scored"),
        ("run_hashed_bytes_total", "hashed_bytes"),
        ("run_parts_total", "num_parts"),
    ):
        assert values[name] == ended[key]
    assert values["run_listed_files_total"] == 9
    assert values["run_hashed_bytes_total"] == sum(
        path.stat().st_size for path in job.media.iterdir()
    )
    assert 0 < values["run_extract_seconds_total"] < 100
    assert 0 < values["run_classify_seconds_total"] < 100
    assert values["run_ended_timestamp_seconds"] > values["run_began_timestamp_seconds"] > 1.6e9
    scores = pd.read_parquet(job.output / "scores.parquet")
    for by in ("status", "verdict"):
        counts = {
            s.labels[by]: s.value for s in samples if s.name == f"deepfake_score_files_by_{by}"
        }
        assert counts == scores[by].value_counts().to_dict()


def test_status_of_a_finished_job(job: _Job) -> None:
    before = {p: p.stat().st_mtime_ns for p in job.output.rglob("*.parquet")}
    status = json.loads(job.run("status", "out", "--json").stdout)
    assert status["owner"] is None
    assert (status["num_files"], status["num_scored"], status["num_waiting"]) == (9, 6, 0)
    assert status["statuses"] == {"empty": 1, "ok": 7, "unsupported": 1}
    assert sum(status["verdicts"].values()) == 9
    assert status["run"]["outcome"] == "finished"
    lines = job.run("status", "out").stdout
    assert "at work: nobody" in lines
    assert "files: 9 known, 0 waiting for a score; 6 media scored" in lines
    assert {p: p.stat().st_mtime_ns for p in job.output.rglob("*.parquet")} == before
    nothing = job.run("status", "media", code=1)
    assert nothing.stderr.startswith("error: no scores are kept there: media\n")


@contextlib.contextmanager
def _started(arguments: list[str], *, cwd: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "deepfake", *arguments],
        cwd=cwd,
        env=product_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def _wait_for_scores(root: Path, *, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(DataError):
            if read_status(ScoresFolder(root / "out")).num_scored > 0:
                return
        time.sleep(0.1)
    raise AssertionError("it never came to a score")


def test_a_job_is_watched_while_it_works_and_cannot_be_forgotten_from(
    detector: Path, tmp_path: Path
) -> None:
    for i in range(80):
        _still(tmp_path / "media" / f"{i}.png", seed=i)
    with _started(_arguments(detector, "--batch-files", "4"), cwd=tmp_path) as run:
        _wait_for_scores(tmp_path)
        os.kill(run.pid, signal.SIGSTOP)  # it holds all that it held, and is slow to end
        status = json.loads(run_deepfake("status", "out", "--json", cwd=tmp_path).stdout)
        assert status["owner"]["pid"] == run.pid
        assert status["run"]["outcome"] == "at work"
        assert status["run"]["last_part"]["media"] == 4
        assert 0 < status["num_scored"] < 80
        assert status["run"]["media_per_second"] > 0
        refused = run_deepfake("forget", "media/0.png", cwd=tmp_path)
        assert refused.returncode == 1
        assert f"another run is at work on this output: process {run.pid}" in refused.stderr
        os.kill(run.pid, signal.SIGCONT)
        out, err = run.communicate(timeout=240)
        assert run.returncode == 0, out + err
    status = json.loads(run_deepfake("status", "out", "--json", cwd=tmp_path).stdout)
    assert (status["num_files"], status["num_scored"], status["owner"]) == (80, 80, None)


def test_a_killed_job_says_so(detector: Path, tmp_path: Path) -> None:
    for i in range(60):
        _still(tmp_path / "media" / f"{i}.png", seed=i)
    with _started(_arguments(detector, "--batch-files", "4"), cwd=tmp_path) as run:
        _wait_for_scores(tmp_path)
        os.killpg(run.pid, signal.SIGKILL)
        run.wait(timeout=30)
    status = json.loads(run_deepfake("status", "out", "--json", cwd=tmp_path).stdout)
    assert status["owner"] is None
    assert status["run"]["outcome"] == "interrupted"
    done = run_deepfake(*_arguments(detector, "--batch-files", "4"), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for line in (tmp_path / "out" / "log.jsonl").read_text().splitlines():
        json.loads(line)


def test_a_receipt_is_verified_to_the_last_bit(job: _Job) -> None:
    path = job.receipt("clip.mp4")
    receipt = read_receipt(path)
    row = pd.read_parquet(job.output / "scores.parquet").set_index("uri").loc[receipt.uri]
    assert receipt.score.logit == row["logit"]
    assert receipt.sha256 == sha256_of(job.media / "clip.mp4")
    assert receipt.configuration.sampling.num_frames == 8
    assert receipt.made_with.libraries["av"]
    lines = job.verify(path, code=0)
    assert lines[-1].startswith("reproduced: this detector gives this file the score")
    assert any(line.startswith("ok") and "logit" in line and "exactly" in line for line in lines)
    by_id = job.run("receipt", "out", receipt.sha256).stdout
    assert json.loads(by_id)["uri"] == receipt.uri


def test_a_receipt_of_a_file_that_was_not_judged_is_not_called_a_score(job: _Job) -> None:
    lines = job.verify(job.receipt("text.mp4"), code=0)
    assert lines[-1] == "reproduced: this file again gets no score"


def test_the_file_may_lie_elsewhere(job: _Job, tmp_path: Path) -> None:
    path = job.receipt("1.png")
    moved = shutil.copy(job.media / "1.png", tmp_path / "moved.png")
    lines = job.verify(path, "--file", moved, code=0)
    assert any(f"{moved} (named by you)" in line for line in lines)


def test_a_changed_score_file_or_detector_is_not_verified(
    job: _Job, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = job.receipt("2.png")
    receipt = json.loads(path.read_text())
    off = job.root / "off.json"
    off.write_text(
        json.dumps(
            {**receipt, "score": {**receipt["score"], "logit": receipt["score"]["logit"] + 0.01}}
        )
    )
    lines = job.verify(off, code=1)
    assert [line for line in lines if line.startswith("FAIL")] == [
        line for line in lines if "logit:" in line
    ]
    near = job.root / "near.json"
    near.write_text(
        json.dumps(
            {**receipt, "score": {**receipt["score"], "logit": receipt["score"]["logit"] + 5e-4}}
        )
    )
    assert any("5.0e-04 apart" in line for line in job.verify(near, code=0))
    assert job.verify(path, "--file", job.media / "3.png", code=1)[-1] == "not reproduced"
    other = make_detector(tmp_path_factory.mktemp("other") / "bundle", name="other")
    done = job.run("verify", path, "--weights", other, code=1)
    assert "another one is here: other, digest" in done.stdout
    broken = job.root / "broken.json"
    broken.write_text("{}")
    assert "FAIL  receipt: not a receipt" in job.run("verify", broken, code=1).stdout
    job.run("verify", job.root / "none.json", code=2)


def test_a_file_that_is_no_longer_what_was_scored_gets_no_receipt(job: _Job) -> None:
    path = job.media / "4.png"
    content = path.read_bytes()
    try:
        path.write_bytes(content + b"\0")
        refused = job.run("receipt", "out", "media/4.png", code=1)
        assert "the file is no longer what was scored" in refused.stderr
    finally:
        path.write_bytes(content)
    assert job.run("receipt", "out", "media/4.png").returncode == 0
    assert (
        "no score of media/none.png" in job.run("receipt", "out", "media/none.png", code=1).stderr
    )


def test_a_receipt_of_a_sampled_file_has_the_hash_of_all_its_bytes(
    detector: Path, tmp_path: Path
) -> None:
    path = tmp_path / "media" / "large.bmp"
    path.parent.mkdir()
    cv2.imwrite(str(path), face_close_up(1400))
    assert path.stat().st_size > 5 * 2**20
    os.utime(path, (_LONG_AGO, _LONG_AGO))
    done = run_deepfake(*_arguments(detector, "--hash", "sampled"), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    job = _Job(tmp_path, detector, done)
    receipt = json.loads(job.receipt("large.bmp").read_text())
    assert receipt["sha256"] == sha256_of(path) != receipt["score"]["media_id"]
    assert job.verify(tmp_path / "receipt.json", code=0)[-1].startswith("reproduced: ")
    # Between two samples: the samples say nothing of it, its time does.
    content = bytearray(path.read_bytes())
    content[300_000] ^= 255
    path.write_bytes(content)
    refused = job.run("receipt", "out", "media/large.bmp", code=1)
    assert "the file is no longer what was scored" in refused.stderr
    assert job.verify(tmp_path / "receipt.json", code=1)[-1] == "not reproduced"


def test_a_medium_is_forgotten_by_corpus_scores_and_results(detector: Path, tmp_path: Path) -> None:
    media = make_corpus(tmp_path / "media", clips=1, stills=3)
    ingest = ("ingest", "media", "--corpus", "c", "--frames", "4", "--batch-files", "3")
    for arguments in (ingest, _arguments(detector)):
        done = run_deepfake(*arguments, cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
    victim = media / "fake" / "still-1.png"
    media_id = sha256_of(victim)
    assert len(mentions(tmp_path / "data" / "shards", media_id)) >= 4
    dry = run_deepfake("forget", "media/fake/still-1.png", "--dry-run", cwd=tmp_path)
    assert dry.returncode == 0
    assert dry.stdout.count("would remove:") >= 12
    done = run_deepfake("forget", "media/fake/still-1.png", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.replace("removed:", "would remove:").startswith(
        dry.stdout.split("remains:")[0]
    )
    assert f"the file itself is still there, and the next run scores it again: {victim}" in (
        done.stderr
    )
    # What Prefect's server wrote of its runs is named as what remains, if it names the file.
    left = [n for n in mentions(tmp_path / "data", media_id, str(victim)) if "prefect.db" not in n]
    assert left == mentions(tmp_path / "out", media_id, str(victim)) == []
    victim.unlink()
    before = open_snapshot(DataRoot(tmp_path / "data"), "c").digest
    again = run_deepfake(*ingest, cwd=tmp_path)
    assert "nothing to decode: all shards are there already" in again.stdout, again.stdout
    assert open_snapshot(DataRoot(tmp_path / "data"), "c").digest == before
    again = run_deepfake(*_arguments(detector), cwd=tmp_path)
    assert "nothing to score: 7 files listed, none new or changed" in again.stdout, again.stdout
    assert len(pd.read_parquet(tmp_path / "out" / "scores.parquet")) == 7
    assert len(ScoresFolder(tmp_path / "out").versions()) == 1
