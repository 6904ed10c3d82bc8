"""`deepfake held-out`: sets of files that decide about detectors. Starts no server."""

from __future__ import annotations

import typer
from rich.console import Console
from rich.table import Table

from deepfake.config.options import FreezeOptions, ListHeldOutSetsOptions
from deepfake.corpora.held_out import (
    HeldOutSet,
    count_uses,
    freeze_held_out_set,
    list_held_out_sets,
)
from deepfake.corpora.shards import open_snapshot
from deepfake.evaluation.metrics import MIN_GROUPS
from deepfake.storage import DataRoot, location_of

__all__ = ["run_freeze", "run_list"]


def run_freeze(options: FreezeOptions) -> None:
    """Freeze a held-out set, and print its size."""
    root = DataRoot(location_of(options.data_root))
    snapshot = open_snapshot(root, options.dataset)
    frozen = freeze_held_out_set(root, options.name, snapshot=snapshot, split=options.split)
    typer.echo(
        f"held-out set {frozen.name}: {frozen.num_media} media of {_groups(frozen)} groups, "
        f"{frozen.split} of {frozen.corpus} at {frozen.snapshot}"
    )
    if _groups(frozen) < MIN_GROUPS:
        typer.echo(
            f"note: with fewer than {MIN_GROUPS} groups no interval can be estimated, and nothing "
            "is promoted",
            err=True,
        )


def run_list(options: ListHeldOutSetsOptions) -> None:
    """Print the held-out sets of a data root."""
    root = DataRoot(location_of(options.data_root))
    found = list_held_out_sets(root)
    if not found:
        typer.echo("no held-out set; `deepfake held-out freeze NAME --dataset CORPUS` makes one")
        return
    table = Table()
    for column in (
        "name",
        "corpus",
        "split",
        "snapshot",
        "media",
        "groups",
        "measurements",
        "frozen at",
    ):
        table.add_column(column, overflow="fold")
    for frozen in found:
        table.add_row(
            frozen.name,
            frozen.corpus,
            frozen.split,
            frozen.snapshot,
            str(len(frozen.media_ids)),
            str(_groups(frozen)),
            str(count_uses(root, frozen.name)),
            frozen.created_at,
        )
    Console(markup=False).print(table)


def _groups(frozen: HeldOutSet) -> int:
    # A medium without a group is one of its own.
    return len(frozen.groups) or len(frozen.media_ids)
