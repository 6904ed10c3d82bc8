"""Fuzz `state.sqlite`, in which scoring keeps what it knows."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["deepfake"]):
    from deepfake.config import MediaLimits
    from deepfake.corpora.manifest_row import ManifestRow
    from deepfake.scoring import ChangedFile, Part, open_state
    from deepfake.types import Kind
from fuzz.harness import fuzz
from fuzz.seeds import files_of

__all__ = ["use_state"]

_ROWS = [ManifestRow(f"/m/{i}.png", "media", size_bytes=9, mtime_ns=10**18) for i in range(3)]
_PROBED = [replace(row, media_id=row.uri, kind=Kind.IMAGE) for row in _ROWS]


def use_state(folder: Path, data: bytes) -> None:
    """Use a mutated state file as a scoring run does."""
    path = folder / "state.sqlite"
    path.write_bytes(data)
    _run(path)


def _run(path: Path) -> None:
    with open_state(path, folder="/m", version="v") as state:
        state.reconcile([Part("old", 1, (("/m/2.png", "ok"),))])
        state.apply_limits(MediaLimits())
        _, unknown = state.record_listed(_ROWS)
        state.record_probed(
            [row for row in _PROBED if row.uri in {u.uri for u in unknown}], began_ns=0
        )
        claimed = state.claim(_PROBED, limit=2)
        state.commit(Part("new", state.run, tuple((str(r.media_id), "ok") for r in claimed)))
        state.release([ChangedFile("/m/0.png", "/m/0.png", "error", "changed")])
        state.mark_vanished()
        finished = state.finished
        named = [name for rows in finished.named_contents(size=2) for name in rows]
        assert {part for _, _, part in named} == set(finished.used_parts())
        list(finished.refused_files())
        state.small_parts(below=2)
        assert state.num_files >= 0 and state.num_waiting >= 0 and state.num_changes is not None
        assert state.is_dirty in (True, False)
        state.unused_parts()
        state.forget_part("old")
        state.mark_written()


def main() -> None:
    """Fuzz."""
    fuzz("states", use_state, files_of(lambda folder: _run(folder / "state.sqlite")))


if __name__ == "__main__":
    sys.exit(main())
