"""What the commands print of a run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from deepfake.cli.app import app
from deepfake.cli.flow_runs import exit_if_files_failed
from deepfake.cli.ingest import print_ingest
from deepfake.cli.score import print_score
from deepfake.training.recipes import list_recipes
from tests.command_line import run_deepfake


def _ingested(**changes: Any) -> dict[str, Any]:
    summary = {
        "corpus": "tiny",
        "snapshot": "0" * 16,
        "folder": "/data/[/b]",
        "num_files": 2,
        "num_crops": 1,
        "records": "crops",
        "statuses": {"ok": 1, "empty": 1},
        "labels": {"real": 2},
        "splits": {},
        "split_notes": {"strategy": "grouped", "notes": []},
        "problems": [],
        "shortcuts": [],
        "num_extracted": 2,
        "shards_made": 1,
        "shards_reused": 3,
    }
    return {**summary, **changes}


def test_names_of_files_are_text_and_stay_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    uri = f"/media/[/red][bold]{'x' * 120}.mp4"
    problem = {"status": "empty", "uri": uri, "message": "the file has 0 bytes"}
    print_ingest(_ingested(problems=[problem]))
    printed = capsys.readouterr().out
    assert f"  empty: {uri}: the file has 0 bytes\n" in printed
    assert "1 crops in /data/[/b]" in printed
    assert "shards made: 1, reused: 3" in printed


def test_names_give_no_orders_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    problem = {"status": "empty", "uri": "/media/a\n\x1b[31mb\u202ec.mp4", "message": "0 bytes"}
    print_ingest(_ingested(problems=[problem]))
    assert "  empty: /media/a\\n\\x1b[31mb\\u202ec.mp4: 0 bytes\n" in capsys.readouterr().out


def test_a_folder_whose_name_is_no_text_is_wrong_usage(tmp_path: Path) -> None:
    folder = os.fsdecode(os.fsencode(tmp_path) + b"/a\xff")
    Path(folder).mkdir()
    done = run_deepfake("score", folder, "--output", "out", cwd=tmp_path)
    assert done.returncode == 2
    assert "error: folder: the name is not valid UTF-8, rename it" in done.stderr
    assert "Traceback" not in done.stderr


def test_reuse_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    print_ingest(_ingested(num_extracted=0, shards_made=0))
    assert "nothing to decode: all shards are there already (3)" in capsys.readouterr().out
    print_score(
        {
            "num_files": 1,
            "statuses": {"ok": 1},
            "verdicts": {"real": 1},
            "detector": {"name": "[/x]", "version": "2"},
            "detector_chosen_by": "named by the user",
            "num_listed": 1,
            "num_scored": 0,
            "num_probed": 0,
            "num_changes": 3,
            "num_waiting": 0,
            "output": "out",
        }
    )
    printed = capsys.readouterr().out
    assert "NO SIGN FOUND" in printed, "the words of a verdict, beside its value in the tables"
    assert "detector: [/x] version 2 (named by the user)" in printed
    assert "nothing to score: 1 file listed, none new or changed" in printed


def test_exit_code_follows_the_statuses(capsys: pytest.CaptureFixture[str]) -> None:
    exit_if_files_failed({"ok": 3, "no_face": 2, "missing": 1})
    assert capsys.readouterr().err == ""
    with pytest.raises(typer.Exit) as raised:
        exit_if_files_failed({"ok": 3, "timeout": 2, "empty": 1})
    assert raised.value.exit_code == 3
    assert "1 empty, 2 timeout" in capsys.readouterr().err


def test_the_help_of_train_names_every_recipe() -> None:
    shown = CliRunner().invoke(app, ["train", "--help"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0
    words = shown.output.replace(",", " ").split()
    assert [name for name in list_recipes() if name not in words] == []
