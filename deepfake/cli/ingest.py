"""`deepfake ingest`: a labelled corpus to face-crop shards."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from deepfake.cli.flow_runs import exit_if_files_failed, prepare, run_flow
from deepfake.cli.text import in_one_line
from deepfake.config.options import IngestOptions
from deepfake.corpora.ingest import reject_another_corpus
from deepfake.corpora.layouts import check_modality, recognise_layout, scan_corpus
from deepfake.storage import DataRoot, location_of

__all__ = ["print_ingest", "run_ingest"]


def run_ingest(options: IngestOptions) -> None:
    """Run the `ingest` flow."""
    _check_corpus(options)
    prepare(options.data_root)
    summary = run_flow("ingest", options)
    print_ingest(summary)
    exit_if_files_failed(summary["statuses"])


def _check_corpus(options: IngestOptions) -> None:
    """Reject, before a server is started, what the flow would reject."""
    check_modality(options.modality, layout=options.layout)
    place = location_of(options.input_path)
    if not options.replace:
        root = DataRoot(location_of(options.data_root))
        reject_another_corpus(
            root, options.corpus, place, layout=options.layout, modality=options.modality
        )
    if recognise_layout(place) not in (None, options.layout):
        scan_corpus(place, corpus=options.corpus, layout=options.layout, modality=options.modality)


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
    if hint := summary.get("label_hint"):
        console.print(in_one_line(f"hint: {hint}"), style="yellow", soft_wrap=True)
    if summary["num_extracted"] == 0 and summary["shards_reused"] == 0:
        console.print("nothing to decode: no file could be used", style="yellow")
    elif summary["num_extracted"] == 0:
        console.print(
            f"nothing to decode: all shards are there already ({summary['shards_reused']})"
        )
    else:
        console.print(f"shards made: {summary['shards_made']}, reused: {summary['shards_reused']}")
    console.print(
        f"snapshot {summary['snapshot']}: {summary['num_crops']} {summary['records']} "
        f"in {summary['folder']}",
        soft_wrap=True,
    )


def _print_shortcuts(console: Console, shortcuts: list[dict[str, Any]]) -> None:
    """Print which other properties separate fakes from reals, or that none does."""
    known = [found for found in shortcuts if found["auc"] is not None]
    strong = [found for found in known if found["level"] == "strong"]
    for found in strong:
        console.print(
            f"  shortcut: {found['name']} alone tells fake from real "
            f"with AUC {found['auc']:.2f} ({found['direction']})",
            style="yellow",
        )
    if known and not strong:
        most = max(known, key=lambda found: float(found["auc"]))
        console.print(
            f"  no strong shortcut; the strongest is {most['name']}, with AUC {most['auc']:.2f}"
        )
