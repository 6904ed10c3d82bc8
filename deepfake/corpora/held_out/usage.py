"""Record and count which detectors were measured on a held-out set."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd

from deepfake.config import digest_of
from deepfake.corpora.held_out.guard import held_out_sets_in
from deepfake.storage import DataRoot, Location, write_json

__all__ = ["count_uses", "record_use", "record_uses"]


def record_use(root: DataRoot, name: str, *, detectors: tuple[str, ...], command: str) -> int:
    """Record that detectors were measured on a held-out set, and return how often it was used.

    Measuring the same detectors again is not counted again: it gives nothing new.

    Args:
        root: The data root.
        name: Name of the held-out set.
        detectors: Digests: one that was measured, or two that were compared.
        command: What measured, such as `retrain`.
    """
    path = _folder(root, name) / f"{digest_of(*sorted(detectors))}.json"
    if not path.is_file():
        now = datetime.now(UTC).isoformat(timespec="seconds")
        write_json(path, {"detectors": list(detectors), "by": command, "at": now})
    return count_uses(root, name)


def record_uses(
    root: DataRoot, outcomes: pd.DataFrame, *, detectors: tuple[str, ...], command: str
) -> list[str]:
    """Record the use of each held-out set that files belong to, and say how often it was used.

    Args:
        root: The data root.
        outcomes: The files that detectors were measured on.
        detectors: Their digests.
        command: What measured, such as `evaluate`.

    Returns:
        A sentence for each set.
    """
    return [
        f"detectors were measured on the held-out set {found.name!r} "
        f"{record_use(root, found.name, detectors=detectors, command=command)} times so far"
        for found in held_out_sets_in(root, outcomes)
    ]


def count_uses(root: DataRoot, name: str) -> int:
    """Return how often detectors were measured on a held-out set."""
    return sum(1 for _ in _folder(root, name).glob("*.json"))


def _folder(root: DataRoot, name: str) -> Location:
    return root.held_out_sets / f"{name}.looks"
