"""`deepfake score`: a folder of media to tables of scores, once or until it is stopped."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from deepfake.cli.flow_runs import exit_for, prepare, print_detector, run_flow
from deepfake.cli.text import in_one_line
from deepfake.compute.processes.stop import StopRequested
from deepfake.config.options import ScoreOptions
from deepfake.types import EXPECTED_STATUSES

__all__ = ["print_score", "run_score"]


def run_score(options: ScoreOptions) -> None:
    """Score a folder once or until stopped; without new files no flow is started."""
    prepare(options.data_root)
    if options.watch is not None:
        _watch(options, seconds=options.watch)
        return
    summary = _run_if_unchanged(options) or run_flow("score", options)
    print_score(summary)
    exit_for(summary["statuses"])


def _run_if_unchanged(options: ScoreOptions) -> dict[str, Any] | None:
    """Return the summary of a folder without new files; None if a flow has to run.

    This check takes less time than the start of a temporary Prefect server. With a server that
    is named, every run is a flow run, so that it is recorded there.
    """
    from flows.server.temporary import is_server_named

    if is_server_named():
        return None
    from deepfake.scoring import RejectingRunner, UnexpectedWorkError, resolve_scoring

    with suppress(UnexpectedWorkError):
        scoring = resolve_scoring(options)
        if scoring.is_unchanged():
            return scoring.run(RejectingRunner(), run_id=str(uuid.uuid4()))
    return None


def _watch(options: ScoreOptions, *, seconds: float) -> None:
    """Score repeatedly until a signal stops it, which is not a failure."""
    from flows.server.run import share_server

    options = options.model_copy(update={"wait_for_files": True})
    summary: dict[str, Any] = {}
    with suppress(StopRequested), share_server():
        while True:
            before, summary = summary, run_flow("score", options)
            if not before:
                print_score(summary)
            elif summary["num_changes"]:
                _print_pass(summary)
            time.sleep(seconds)
    exit_for(summary.get("statuses", {}))
    raise typer.Exit


def _print_pass(summary: dict[str, Any]) -> None:
    console = Console(markup=False)
    now = datetime.now().astimezone().strftime("%H:%M:%S")
    console.print(
        f"{now}  {summary['num_scored']} scored, {summary['num_vanished']} vanished, "
        f"{summary['num_files']} files in all",
        highlight=False,
    )


def print_score(summary: dict[str, Any]) -> None:
    """Print what a scoring run did."""
    console = Console(markup=False)
    console.print(_counts(summary))
    print_detector(console, summary)
    console.print(_what_was_done(summary))
    for line in _drift_lines(summary.get("drift")):
        console.print(line, soft_wrap=True)
    if summary["num_waiting"]:
        console.print(f"not scored yet, for --limit or a filter: {summary['num_waiting']} files")
    console.print(f"scores: {summary['output']}/scores.csv", soft_wrap=True)
    for line in _warnings(summary):
        console.print(in_one_line(line), style="yellow", soft_wrap=True)
    for line in _next_steps(summary):
        console.print(line, soft_wrap=True)


def _counts(summary: dict[str, Any]) -> Table:
    table = Table(title=f"{summary['num_files']} files", title_justify="left")
    table.add_column("counted by")
    table.add_column("value")
    table.add_column("number", justify="right")
    for kind, label in (("statuses", "status"), ("verdicts", "verdict")):
        for value, files in sorted(summary[kind].items()):
            table.add_row(label, value, str(files))
        table.add_section()
    for value, number in _throughput(summary):
        table.add_row("this run", value, number)
    return table


def _warnings(summary: dict[str, Any]) -> Iterator[str]:
    if before := summary.get("folder_before"):
        yield (
            f"note: until now these tables were of {before}; its scores are kept, and "
            "are shown again when it is scored again; another --output gives you both"
        )
    if error := summary.get("evidence_error"):
        yield f"the evidence could not be made: {error}"


def _next_steps(summary: dict[str, Any]) -> Iterator[str]:
    if explained := summary.get("num_explained"):
        files = "1 file" if explained == 1 else f"{explained} files"
        yield f"evidence made for {files}"
    if summary["statuses"].get("ok"):
        yield f"to look at them, with evidence: deepfake report {summary['output']}"
    expected = {str(status) for status in EXPECTED_STATUSES}
    failed = sum(n for status, n in summary["statuses"].items() if status not in expected)
    if failed:
        files = (
            "1 file, and what to do about it" if failed == 1 else f"{failed} files, and what to do"
        )
        yield f"failures: {summary['output']}/failures.csv ({files})"


def _drift_lines(drift: dict[str, Any] | None) -> Iterator[str]:
    if drift is None:
        return
    from deepfake.scoring.drift.describe import describe_drift  # NumPy is not needed before

    known = [found for found in drift["features"] if found["index"] is not None]
    if not drift["features"]:
        yield f"drift: {drift['note']}"
    elif not known:
        yield "drift: too few media to say"
    for found in known:
        if found["level"] == "moved" or (found is known[0] and not drift["is_drifted"]):
            yield f"drift: {describe_drift(found, limit=drift['limit'], note=drift['note'])}"


def _throughput(summary: dict[str, Any]) -> Iterator[tuple[str, str]]:
    counters = summary.get("counters")
    if not counters or not summary["num_scored"]:
        return
    yield "media scored", str(counters["num_scored"])
    yield "media a second", f"{summary['media_per_second']:.2f}"
    yield "MiB hashed a second", f"{counters['hashed_bytes'] / 2**20 / summary['seconds']:.2f}"
    for name in ("extract", "classify"):
        seconds = counters[f"{name}_seconds"] / counters["num_scored"]
        yield f"seconds a medium to {name}", f"{seconds:.2f}"


def _what_was_done(summary: dict[str, Any]) -> str:
    if summary["num_scored"] == 0:
        # Results of another machine change the state here too, without a probe.
        is_changed = summary["num_probed"] > 0 and summary["num_changes"] > 0
        why = "none with new content that can be scored" if is_changed else "none new or changed"
        return f"nothing to score: {summary['num_listed']} files listed, {why}"
    rate = summary["media_per_second"]
    return (
        f"scored {summary['num_scored']} media of {summary['num_listed']} files "
        f"in {summary['seconds']:.0f} s, {rate:.1f} media a second"
    )
