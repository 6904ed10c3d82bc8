"""The commands that run flows, and what they print."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from deepfake.cli.signals import set_on_interrupt
from deepfake.cli.text import in_one_line
from deepfake.errors import ConfigError
from deepfake.storage import DataRoot, location_of
from deepfake.types import EXPECTED_STATUSES

__all__ = [
    "exit_for",
    "prepare",
    "print_evaluate",
    "print_ingest",
    "print_score",
    "print_train",
    "run_calibrate",
    "run_evaluate",
    "run_ingest",
    "run_retrain",
    "run_robustness",
    "run_score",
    "run_sweep",
    "run_train",
]

_FAILED_FILES = 3
"""Exit code: the run is whole, and some file has an outcome that nobody wants."""


def prepare(options: dict[str, Any]) -> None:
    """Say where Prefect and MLflow keep what they know, before either is imported."""
    from flows.operations import configure_environment, describe_environment

    root = DataRoot(location_of(options["data_root"])).here
    root.mkdir(parents=True, exist_ok=True)
    configure_environment(root)
    Console(stderr=True, markup=False).print(describe_environment(), style="dim", highlight=False)


def run_ingest(options: dict[str, Any]) -> None:
    """Run the `ingest` flow."""
    prepare(options)
    from flows.ingest import ingest
    from flows.operations import run_flow

    summary = run_flow(ingest, options)
    print_ingest(summary)
    exit_for(summary["statuses"])


def print_ingest(summary: dict[str, Any]) -> None:
    """Print what an ingest did."""
    console = Console(markup=False)
    table = Table(title=f"{summary['corpus']}: {summary['num_files']} files", title_justify="left")
    table.add_column("status")
    table.add_column("files", justify="right")
    for status, files in sorted(summary["statuses"].items()):
        table.add_row(status, str(files))
    console.print(table)
    for problem in summary["problems"]:
        line = f"  {problem['status']}: {problem['uri']}: {problem['message']}"
        console.print(in_one_line(line), style="red", soft_wrap=True)
    labels = ", ".join(f"{count} {label}" for label, count in sorted(summary["labels"].items()))
    splits = ", ".join(f"{count} {name}" for name, count in sorted(summary["splits"].items()))
    notes = summary["split_notes"]
    console.print(f"labels: {labels}; split ({notes['strategy']}): {splits or 'none'}")
    for note in notes["notes"]:
        console.print(f"  note: {note}")
    _print_shortcuts(console, summary["shortcuts"])
    if summary["num_extracted"] == 0:
        console.print(
            f"nothing to decode: all shards are there already ({summary['shards_reused']})"
        )
    else:
        console.print(f"shards made: {summary['shards_made']}, reused: {summary['shards_reused']}")
    console.print(
        f"snapshot {summary['snapshot']}: {summary['num_crops']} crops in {summary['folder']}",
        soft_wrap=True,
    )


def _print_shortcuts(console: Console, shortcuts: list[dict[str, Any]]) -> None:
    """Print what else tells fakes from reals, or that nothing does."""
    known = [told for told in shortcuts if told["auc"] is not None]
    strong = [told for told in known if told["level"] == "strong"]
    for told in strong:
        console.print(
            f"  shortcut: {told['name']} alone tells fake from real "
            f"with AUC {told['auc']:.2f} ({told['direction']})",
            style="yellow",
        )
    if known and not strong:
        most = max(known, key=lambda told: float(told["auc"]))
        console.print(
            f"  no strong shortcut; {most['name']} tells most, with AUC {most['auc']:.2f}"
        )


def run_score(options: dict[str, Any]) -> None:
    """Run the `score` flow, once or until it is stopped."""
    options = dict(options)
    seconds = options.pop("watch")
    prepare(options)
    from flows.operations import held_server, run_flow
    from flows.score import score

    if seconds is None:
        summary = run_flow(score, options)
        print_score(summary)
        exit_for(summary["statuses"])
        return
    options["wait_for_files"] = True
    summary = {}
    stop = threading.Event()
    with held_server(), set_on_interrupt(stop):
        while not stop.is_set():
            try:
                before, summary = summary, run_flow(score, options)
            except Exception:
                # Ctrl-C reaches Prefect's server too; what was finished is noted all the same.
                if stop.is_set():
                    break
                raise
            if not before:
                print_score(summary)
            elif summary["num_changes"]:
                _print_pass(summary)
            stop.wait(seconds)
    exit_for(summary.get("statuses", {}))


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
    console.print(table)
    console.print(f"detector: {_named(summary['detector'])} ({summary['detector_chosen_by']})")
    for note in summary.get("notes", []):
        console.print(f"  note: {note}")
    console.print(_what_was_done(summary))
    for line in _drift_lines(summary.get("drift")):
        console.print(line, soft_wrap=True)
    if summary["num_waiting"]:
        told = f"not scored yet, for --limit or a filter: {summary['num_waiting']} files"
        console.print(told)
    console.print(f"scores: {summary['output']}/scores.csv", soft_wrap=True)
    if before := summary.get("folder_before"):
        told = f"note: until now these tables were of {before}; its scores are kept, and come back "
        told += "when it is scored again: another --output has both side by side"
        console.print(in_one_line(told), style="yellow", soft_wrap=True)
    if explained := summary.get("num_explained"):
        files = "1 file" if explained == 1 else f"{explained} files"
        told = f"evidence made for {files}; to look at it: deepfake report {summary['output']}"
        console.print(told, soft_wrap=True)
    if error := summary.get("evidence_error"):
        line = in_one_line(f"the evidence could not be made: {error}")
        console.print(line, style="yellow", soft_wrap=True)
    expected = {str(status) for status in EXPECTED_STATUSES}
    failed = sum(n for status, n in summary["statuses"].items() if status not in expected)
    if failed:
        told = (
            "1 file, and what to do about it" if failed == 1 else f"{failed} files, and what to do"
        )
        console.print(f"failures: {summary['output']}/failures.csv ({told})", soft_wrap=True)


def _drift_lines(drift: dict[str, Any] | None) -> Iterator[str]:
    if drift is None:
        return
    known = [found for found in drift["features"] if found["index"] is not None]
    if not drift["features"]:
        yield f"drift: {drift['note']}"
    elif not known:
        yield "drift: too few media to say"
    for found in known:
        if found["level"] == "moved" or (found is known[0] and not drift["is_drifted"]):
            moved = "has moved" if found["level"] == "moved" else "lies furthest away"
            yield (
                f"drift: {found['name']} of {found['kind']}s {moved}, PSI {found['index']:.2f} "
                f"(limit {drift['limit']:g}; {found['num_media']} media, {drift['note']})"
            )


def _throughput(summary: dict[str, Any]) -> Iterator[tuple[str, str]]:
    counters = summary.get("counters")
    if not counters or not summary["num_scored"]:
        return
    yield "media scored", str(counters["num_scored"])
    yield "files a second", f"{summary['files_per_second']:.2f}"
    yield "MiB hashed a second", f"{counters['hashed_bytes'] / 2**20 / summary['seconds']:.2f}"
    for name in ("extract", "classify"):
        each = counters[f"{name}_seconds"] / counters["num_scored"]
        yield f"seconds a medium to {name}", f"{each:.2f}"


def _what_was_done(summary: dict[str, Any]) -> str:
    if summary["num_scored"] == 0:
        # What another machine found out changes the state here too, and nothing is probed for it.
        is_changed = summary["num_probed"] > 0 and summary["num_changes"] > 0
        why = "none with new content that can be scored" if is_changed else "none new or changed"
        return f"nothing to score: {summary['num_listed']} files listed, {why}"
    rate = summary["files_per_second"]
    return (
        f"scored {summary['num_scored']} media of {summary['num_listed']} files "
        f"in {summary['seconds']:.0f} s, {rate:.1f} files a second"
    )


def run_train(options: dict[str, Any]) -> None:
    """Run the `train` flow."""
    options = dict(options)
    if options.pop("use_gpu"):
        if options["device"] == "cpu":
            raise ConfigError("--use-gpu and --device cpu contradict each other")
        options["device"] = "cuda"
    prepare(options)
    from flows.operations import run_flow
    from flows.train import train

    summary = run_flow(train, options)
    print_train(summary)


def print_train(summary: dict[str, Any]) -> None:
    """Print what a training run did."""
    console = Console(markup=False)
    console.print(f"weights to begin with: {summary['pretrained_source']}")
    _print_trained(console, summary)


def _print_trained(console: Console, summary: dict[str, Any]) -> None:
    """Print what a detector is worth on `val`, and where it is."""
    for note in summary["notes"]:
        console.print(f"  note: {note}")
    for name, value in sorted(summary["metrics"].items()):
        if value is not None:
            text = f"{value:.4f}" if isinstance(value, float) else str(value)
            console.print(f"  {name}: {text}")
    console.print(f"detector: {summary['bundle']}", soft_wrap=True)
    _print_run(console, summary)


def run_sweep(options: dict[str, Any]) -> None:
    """Run the `sweep` flow."""
    from deepfake.cli.sweep import print_sweep

    prepare(options)
    from flows.operations import run_flow
    from flows.sweep import sweep

    print_sweep(run_flow(sweep, options))


def run_calibrate(options: dict[str, Any]) -> None:
    """Run the `calibrate` flow."""
    prepare(options)
    from flows.calibrate import calibrate
    from flows.operations import run_flow

    summary = run_flow(calibrate, options)
    console = Console(markup=False)
    detector = _named(summary["detector"])
    console.print(f"calibrated: {detector} ({summary['detector_chosen_by']})")
    _print_trained(console, summary)


def run_evaluate(options: dict[str, Any]) -> None:
    """Run the `evaluate` flow."""
    prepare(options)
    from flows.evaluate import evaluate
    from flows.operations import run_flow

    print_evaluate(run_flow(evaluate, options))


def run_retrain(options: dict[str, Any]) -> None:
    """Run the `retrain` flow."""
    from deepfake.cli.retrain import print_retrain

    prepare(options)
    from flows.operations import run_flow
    from flows.retrain import retrain

    print_retrain(run_flow(retrain, options))


def run_robustness(options: dict[str, Any]) -> None:
    """Run the `robustness` flow."""
    from rich.markdown import Markdown

    prepare(options)
    from flows.operations import run_flow
    from flows.robustness import robustness

    summary = run_flow(robustness, options)
    console = Console(markup=False)
    console.print(f"detector: {_named(summary['detector'])} ({summary['detector_chosen_by']})")
    for note in summary["notes"]:
        console.print(f"  note: {note}")
    console.print(Markdown(summary["markdown"]))
    console.print(f"figure and tables: {summary['folder']}", soft_wrap=True)
    _print_run(console, summary)


_BRIEF = ("video_auc", "video_accuracy", "video_precision", "video_recall", "video_f1")


def print_evaluate(summary: dict[str, Any], *, is_brief: bool = False) -> None:
    """Print what an evaluation found: all of it, or the five numbers that everybody knows."""
    from rich.markdown import Markdown

    console = Console(markup=False)
    console.print(f"detector: {_named(summary['detector'])} ({summary['detector_chosen_by']})")
    for note in summary["notes"]:
        console.print(f"  note: {note}")
    if is_brief:
        known = {name: summary["metrics"].get(name) for name in _BRIEF}
        text = ", ".join(
            f"{k.removeprefix('video_')} {v:.3f}" for k, v in known.items() if v is not None
        )
        console.print(f"{summary['num_files']} files of {summary['split']}: {text}")
    else:
        console.print(Markdown(summary["markdown"]))
    console.print(f"figures and tables: {summary['folder']}", soft_wrap=True)
    _print_run(console, summary)


def _named(detector: dict[str, Any]) -> str:
    version = f" version {detector['version']}" if detector["version"] else ""
    return f"{detector['name']}{version}"


def _print_run(console: Console, summary: dict[str, Any]) -> None:
    if summary.get("run_id"):
        console.print(f"MLflow run: {summary['run_id']} in {summary['tracking_uri']}")
        console.print(f"look at it: {summary['ui_command']}", soft_wrap=True)
    if summary.get("model_version"):
        console.print(f"registered: {summary['model_name']} version {summary['model_version']}")


def exit_for(statuses: dict[str, int]) -> None:
    """Leave with exit code 3, and say why, where some file has an unexpected outcome."""
    expected = {str(status) for status in EXPECTED_STATUSES}
    unwanted = {s: n for s, n in statuses.items() if s not in expected}
    if unwanted:
        counts = ", ".join(f"{count} {status}" for status, count in sorted(unwanted.items()))
        typer.echo(f"some files could not be used: {counts}", err=True)
        raise typer.Exit(_FAILED_FILES)
