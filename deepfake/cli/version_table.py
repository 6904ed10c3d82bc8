"""The table of `deepfake models list`, which fits 80 columns."""

from __future__ import annotations

from collections.abc import Iterable

from rich import box
from rich.table import Table

from deepfake.errors import TrackingError
from deepfake.registry import MeasuredAuc, RegisteredVersion, VersionRun, read_version_run

__all__ = ["version_table"]

_AUC_CHARS = len("0.912 to 0.934")
"""Numbers are never folded; names are."""


def version_table(versions: Iterable[RegisteredVersion], *, uri: str) -> Table:
    """Return a table with a row a version: its run, network, AUC, data and aliases.

    Args:
        versions: Of one model.
        uri: The store.
    """
    table = Table(box=box.SIMPLE, pad_edge=False)
    table.add_column("version", no_wrap=True)
    table.add_column("alias", min_width=len("challenger"), overflow="fold")
    for column in ("run", "network"):
        table.add_column(column, overflow="fold")
    table.add_column("AUC (95 %)", min_width=_AUC_CHARS, overflow="fold")
    table.add_column("learnt from", overflow="fold")
    for version in versions:
        run = _run_of(version, uri=uri)
        table.add_row(
            str(version.version),
            "\n".join(version.aliases),
            "" if run is None else run.name,
            "" if run is None else run.architecture or "",
            "" if run is None or run.auc is None else _auc_text(run.auc),
            "\n".join(_corpora(version)),
        )
    return table


def _run_of(version: RegisteredVersion, *, uri: str) -> VersionRun | None:
    """Return the run of a version; None where it is from elsewhere, or its run was deleted."""
    if version.run_id is None:
        return None
    try:
        return read_version_run(version.run_id, uri=uri)
    except TrackingError:
        return None


def _auc_text(auc: MeasuredAuc) -> str:
    lines = [f"{auc.value:.3f}"]
    if auc.interval is not None:
        lines.append(f"{auc.interval[0]:.3f} to {auc.interval[1]:.3f}")
    return "\n".join([*lines, auc.files])


def _corpora(version: RegisteredVersion) -> list[str]:
    return sorted(key.removeprefix("data.") for key in version.tags if key.startswith("data."))
