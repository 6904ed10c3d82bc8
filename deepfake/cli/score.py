"""`deepfake score`: a folder of media to tables of scores, once or until it is stopped."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from deepfake.cli.flow_runs import exit_if_files_failed, prepare, print_detector, run_flow
from deepfake.cli.text import count_of, in_one_line
from deepfake.cli.verdicts import style_verdict
from deepfake.compute.processes.stop import StopRequested
from deepfake.config.options import ScoreOptions
from deepfake.types import EXPECTED_STATUSES, Status, SyncVerdict, Verdict
from deepfake.verdicts.words import SYNC_WORDS, VERDICT_WORDS

__all__ = ["print_score", "run_score"]

_SYNC_ORDER = (SyncVerdict.MISMATCH, SyncVerdict.NO_MISMATCH, SyncVerdict.NOT_APPLICABLE)
_ORDER = (Verdict.FAKE, Verdict.UNCERTAIN, Verdict.REAL, Verdict.NOT_APPLICABLE)


def run_score(options: ScoreOptions) -> None:
    """Score a folder once or until stopped; without new files no flow is started."""
    prepare(options.data_root)
    if options.watch is not None:
        _watch(options, seconds=options.watch)
        return
    summary = _run_if_unchanged(options) or run_flow("score", options)
    print_score(summary)
    exit_if_files_failed(summary["statuses"])


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
    exit_if_files_failed(summary.get("statuses", {}))
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
    for line in _answer_lines(summary):
        console.print(line)
    print_detector(console, summary)
    console.print(_what_was_done(summary))
    for line in _drift_lines(summary.get("drift")):
        console.print(line, soft_wrap=True)
    if summary["num_waiting"]:
        waiting = count_of(summary["num_waiting"], "file")
        console.print(f"not scored yet, for --limit or a filter: {waiting}")
    console.print(f"scores: {summary['output']}/scores.csv", soft_wrap=True)
    for line in _warnings(summary):
        console.print(in_one_line(line), style="yellow", soft_wrap=True)
    for line in _next_steps(summary):
        console.print(line, soft_wrap=True)


def _counts(summary: dict[str, Any]) -> Table:
    """Return files by verdict, on all answers, and those without one by what came of them."""
    table = Table(title=count_of(summary["num_files"], "file"), title_justify="left")
    table.add_column("verdict")
    table.add_column("in the tables")
    table.add_column("files", justify="right")
    verdicts = summary["file_verdicts"] if _has_more_answers(summary) else summary["verdicts"]
    statuses = summary["statuses"]
    for verdict in _ORDER:
        if verdict in verdicts:
            table.add_row(style_verdict(verdict), verdict, str(verdicts[verdict]))
    for status, files in sorted(statuses.items()):
        if status != Status.OK:
            table.add_row("", f"  {status}", str(files), style="dim")
    return table


def _has_more_answers(summary: Mapping[str, Any]) -> bool:
    """Return whether voices or lips were judged too, and the files' own verdicts are known."""
    is_joined = sum((summary.get("file_verdicts") or {}).values()) == summary["num_files"]
    return is_joined and bool(summary.get("voice_verdicts") or summary.get("sync_verdicts"))


def _answer_lines(summary: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line on each kind of answer beside that on the files; none for faces alone."""
    if _has_more_answers(summary):
        yield f"faces: {_in_words(summary['verdicts'], order=_ORDER, words=VERDICT_WORDS)}"
    if voices := summary.get("voice_verdicts"):
        yield f"voices: {_in_words(voices, order=_ORDER, words=VERDICT_WORDS)}"
    if lips := summary.get("sync_verdicts"):
        yield f"lips and sound: {_in_words(lips, order=_SYNC_ORDER, words=SYNC_WORDS)}"


def _in_words(counts: Mapping[str, int], *, order: Sequence[str], words: Mapping[str, str]) -> str:
    return ", ".join(f"{counts[name]} {words[name]}" for name in order if name in counts)


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
        yield f"evidence made for {count_of(explained, 'file')}"
    if summary["statuses"].get("ok"):
        yield f"to look at them, with evidence: deepfake report {summary['output']}"
    expected = {str(status) for status in EXPECTED_STATUSES}
    failed = sum(n for status, n in summary["statuses"].items() if status not in expected)
    if failed:
        files = count_of(failed, "file")
        yield f"failures: {summary['output']}/failures.csv ({files}: why, and what to do)"


def _drift_lines(drift: dict[str, Any] | None) -> Iterator[str]:
    if drift is None:
        return
    from deepfake.scoring.drift import is_moved
    from deepfake.scoring.drift.describe import describe_drift  # NumPy is not needed before

    known = [found for found in drift["features"] if found["index"] is not None]
    if not drift["features"]:
        yield f"drift: {drift['note']}"
    elif not known:
        yield "drift: too few media to say"
    for found in known:
        if is_moved(found) or (found is known[0] and not drift["is_drifted"]):
            yield f"drift: {describe_drift(found, limit=drift['limit'], note=drift['note'])}"


def _what_was_done(summary: dict[str, Any]) -> str:
    if summary["num_scored"] == 0:
        # Results of another machine change the state here too, without a probe.
        is_changed = summary["num_probed"] > 0 and summary["num_changes"] > 0
        why = "none with new content that can be scored" if is_changed else "none new or changed"
        return f"nothing to score: {count_of(summary['num_listed'], 'file')} listed, {why}"
    return (
        f"scored {count_of(summary['num_scored'], 'medium', 'media')} of "
        f"{count_of(summary['num_listed'], 'file')} in {summary['seconds']:.0f} s, "
        f"{summary['media_per_second']:.1f} media a second, without the time to start"
    )
