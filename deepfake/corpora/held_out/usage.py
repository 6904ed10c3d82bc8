"""Record and count which detectors were measured on a held-out set."""

from __future__ import annotations

from datetime import UTC, datetime

from deepfake.config import digest_of
from deepfake.storage import DataRoot, Location, write_json

__all__ = ["count_uses", "record_use"]


def record_use(root: DataRoot, name: str, *, detectors: tuple[str, ...], by: str) -> int:
    """Record that detectors were measured on a held-out set, and return how often it was used.

    Measuring the same detectors again is not counted again: it gives nothing new.

    Args:
        root: The data root.
        name: Name of the held-out set.
        detectors: Digests: one that was measured, or two that were compared.
        by: What measured, such as `retrain`.
    """
    path = _folder(root, name) / f"{digest_of(*sorted(detectors))}.json"
    if not path.is_file():
        now = datetime.now(UTC).isoformat(timespec="seconds")
        write_json(path, {"detectors": list(detectors), "by": by, "at": now})
    return count_uses(root, name)


def count_uses(root: DataRoot, name: str) -> int:
    """Return how often detectors were measured on a held-out set."""
    return sum(1 for _ in _folder(root, name).glob("*.json"))


def _folder(root: DataRoot, name: str) -> Location:
    return root.held_out_sets / f"{name}.looks"
