"""`deepfake clips`: clips of labelled stills or videos, without Prefect and without a server."""

from __future__ import annotations

from rich.console import Console
from rich.progress import Progress

from deepfake.config.options import ClipsOptions
from deepfake.corpora.shards import open_snapshot
from deepfake.storage import DataRoot, local_path, location_of
from deepfake.training.calibrate.synthetic_clips import make_clips, plan_clips

__all__ = ["run_clips"]


def run_clips(options: ClipsOptions) -> None:
    """Make the clips, and print how to ingest them."""
    snapshot = open_snapshot(DataRoot(location_of(options.data_root)), options.dataset)
    plans = plan_clips(
        snapshot, split=options.split, max_clips=options.max_clips, seed=options.seed
    )
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("clips", total=len(plans))
        table = make_clips(
            plans,
            local_path(str(options.output)),
            on_done=lambda done: bar.update(task, completed=done),
        )
    corpus = f"{options.dataset}-clips"
    out = Console(markup=False, highlight=False, soft_wrap=True)
    out.print(f"{len(plans)} clips out of {snapshot.corpus}'s {options.split}: {table}")
    out.print(f"next: deepfake ingest {table} --corpus {corpus} --layout csv")
