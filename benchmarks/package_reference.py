"""How the files look that the packaged detector was calibrated on, beside it in the package.

    python -m benchmarks.package_reference --data-root data

writes `deepfake/detectors/packaged/reference.json`, with which each scoring job compares its media.
The
corpora are those of `make detector`; nothing about the detector itself changes.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarks.package_detector import PACKAGED
from deepfake.corpora.shards import open_snapshot
from deepfake.scoring.drift import write_reference
from deepfake.storage import DataRoot
from deepfake.training.calibrate import look_at_val

__all__ = ["main"]

_CORPORA = ("openforensics", "openforensics-clips")


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the reference."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.package_reference")
    parser.add_argument("--data-root", type=Path, default=Path("data"))
    root = DataRoot(parser.parse_args(arguments).data_root)
    snapshots = [open_snapshot(root, corpus) for corpus in _CORPORA]
    looks = look_at_val(PACKAGED, snapshots=snapshots, cache=root.engine_cache)
    if looks is None:
        raise SystemExit("too few files in val")
    write_reference(PACKAGED, looks)
    for kind, features in looks.features.items():
        told = ", ".join(f"{name} of {h.num_samples}" for name, h in features.items())
        print(f"{kind}: {told} files")


if __name__ == "__main__":
    main()
