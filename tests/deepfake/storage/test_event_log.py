"""The event log: lines of JSON, bounded, without credentials, and not on the terminal."""

from __future__ import annotations

import json
import logging
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from deepfake.registry import mask_credentials
from deepfake.storage.event_log import event_log, event_log_files, log_event, log_run


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_lines_have_time_level_event_run_and_fields(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "log.jsonl"
    with event_log(path, run_id="r1", mask=mask_credentials):
        log_event(
            "file failed", media_id="ab", uri="/m/ü\n.mp4", status="timeout", message="too slow"
        )
        logging.getLogger("deepfake.media").warning("odd %s", "file")
    log_event("file failed", uri="/after")
    failed, warned = _lines(path)
    assert failed["event"] == "file failed"
    assert failed["run_id"] == warned["run_id"] == "r1"
    assert (failed["uri"], failed["message"]) == ("/m/ü\n.mp4", "too slow")
    assert datetime.fromisoformat(failed["time"]).tzinfo is not None
    assert (warned["level"], warned["event"]) == ("WARNING", "odd file")
    assert warned["logger"] == "deepfake.media"


def test_no_credentials_at_any_depth(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    with event_log(path, run_id="r", mask=mask_credentials):
        secret = "s3://me:hunter2@store/bucket?token=abc123"
        log_event("x", uri=secret, deep={"list": [secret], "number": 1})
        logging.getLogger("deepfake.storage").error("cannot read %s", secret)
        try:
            raise ValueError(secret)
        except ValueError:
            logging.getLogger("deepfake.storage").exception("failed")
    text = path.read_text()
    assert "hunter2" not in text
    assert "abc123" not in text
    assert "***@store/bucket" in text
    assert _lines(path)[0]["deep"]["number"] == 1


def test_who_listens_at_the_root_hears_what_they_heard_before(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with event_log(tmp_path / "log.jsonl", run_id="r", mask=mask_credentials):
        log_event("chatter")
        logging.getLogger("deepfake.x").info("more chatter")
        logging.getLogger("deepfake.x").warning("heard")
    assert [record.getMessage() for record in caplog.records] == ["heard"]
    assert [line["event"] for line in _lines(tmp_path / "log.jsonl")] == [
        "chatter",
        "more chatter",
        "heard",
    ]


def test_logging_is_left_as_it_was(tmp_path: Path) -> None:
    logger = logging.getLogger("deepfake")
    before = (logger.level, logger.propagate, list(logger.handlers))
    with (
        pytest.raises(RuntimeError),
        event_log(tmp_path / "a.jsonl", run_id="a", mask=mask_credentials),
        event_log(tmp_path / "b.jsonl", run_id="b", mask=mask_credentials),
    ):
        raise RuntimeError
    assert (logger.level, logger.propagate, list(logger.handlers)) == before


def test_a_run_inside_another_is_heard_once_outside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        event_log(tmp_path / "a.jsonl", run_id="a", mask=mask_credentials),
        event_log(tmp_path / "b.jsonl", run_id="b", mask=mask_credentials),
    ):
        logging.getLogger("deepfake.x").warning("once")
    assert len(caplog.records) == 1
    assert [len(_lines(tmp_path / f"{n}.jsonl")) for n in "ab"] == [1, 1]


def test_a_line_that_a_kill_cut_short_does_not_swallow_the_next(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('{"event": "whole"}\n{"event": "cut sho')
    with event_log(path, run_id="r", mask=mask_credentials):
        log_event("next")
    lines = path.read_text().splitlines()
    assert lines[1] == '{"event": "cut sho'
    assert json.loads(lines[2])["event"] == "next"


def test_its_size_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    with event_log(path, run_id="r", mask=mask_credentials, max_bytes=2000):
        for i in range(500):
            log_event("line", number=i)
    files = event_log_files(path)
    assert len(files) == 4
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 4 * 2000
    kept = [line["number"] for file in reversed(files) for line in _lines(file)]
    assert kept == list(range(500 - len(kept), 500))


def test_a_full_disk_does_not_end_the_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full here")
    link = tmp_path / "log.jsonl"
    link.symlink_to(full)
    with event_log(link, run_id="r", mask=mask_credentials):
        log_event("lost")
        log_event("lost too")
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "Traceback" not in capsys.readouterr().err


def test_the_end_of_a_run_is_logged(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    with event_log(path, run_id="r", mask=mask_credentials):
        with log_run(folder="/m") as ending:
            ending["num_files"] = 3
        with pytest.raises(OSError, match="gone"), log_run(folder="/m"):
            raise OSError("gone\nand more")
    _, finished, _, failed = _lines(path)
    assert (finished["event"], finished["outcome"], finished["num_files"]) == (
        "run ended",
        "finished",
        3,
    )
    assert (failed["outcome"], failed["message"]) == ("failed", "OSError: gone")
