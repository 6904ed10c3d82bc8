"""How often a benchmark was looked at."""

from __future__ import annotations

from datetime import UTC, datetime

from deepfake.config import digest_of
from deepfake.storage import DataRoot, Location, write_json

__all__ = ["count_looks", "note_look"]


def note_look(root: DataRoot, name: str, *, detectors: tuple[str, ...], by: str) -> int:
    """Note that detectors were measured on a benchmark, and return how often that was done.

    The same detectors again tell nothing new, and are not counted again.

    Args:
        root: The data root.
        name: Of the benchmark.
        detectors: Digests: one that was measured, or two that were compared.
        by: What measured, such as `retrain`.
    """
    path = _folder(root, name) / f"{digest_of(*sorted(detectors))}.json"
    if not path.is_file():
        now = datetime.now(UTC).isoformat(timespec="seconds")
        write_json(path, {"detectors": list(detectors), "by": by, "at": now})
    return count_looks(root, name)


def count_looks(root: DataRoot, name: str) -> int:
    """Return how often detectors were measured on a benchmark."""
    return sum(1 for _ in _folder(root, name).glob("*.json"))


def _folder(root: DataRoot, name: str) -> Location:
    return root.benchmarks / f"{name}.looks"
