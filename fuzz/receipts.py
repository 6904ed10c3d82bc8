"""Fuzz score receipts, up to the step that would score the file again."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris
import cv2
import numpy as np

with atheris.instrument_imports(include=["deepfake.scoring"]):
    from deepfake.detectors.identity import DetectorIdentity
    from deepfake.scoring import (
        Receipt,
        ScorerSetup,
        describe_setup,
        read_receipt,
        score_files,
        verify_receipt,
    )
    from deepfake.scoring.receipts.receipt import ScoreRow
from deepfake.config import WorkerLimits
from deepfake.corpora.layouts import scan_media
from deepfake.detectors.bundles import load_bundle, packaged_detector
from deepfake.storage import sha256_of
from fuzz.harness import fuzz

__all__ = ["check_mutated"]

_PACKAGED = packaged_detector()
assert _PACKAGED is not None
_BUNDLE = load_bundle(_PACKAGED)
_DETECTOR = DetectorIdentity(_PACKAGED, _BUNDLE.spec.name, None)
_PICTURE = cv2.imencode(".png", np.full((40, 30, 3), 99, dtype=np.uint8))[1].tobytes()


def check_mutated(folder: Path, data: bytes) -> None:
    """Read a receipt and check it against a file and the packaged detector."""
    path, file = folder / "receipt.json", folder / "grey.png"
    path.write_bytes(data)
    file.write_bytes(_PICTURE)
    receipt = read_receipt(path)
    for check in verify_receipt(receipt, detector=_DETECTOR, bundle=_BUNDLE, file=file):
        assert check.finding
        if check.name == "versions":
            return  # what follows is the media path, which has a program of its own


def _seeds() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "grey.png"
        file.write_bytes(_PICTURE)
        setup = ScorerSetup(_DETECTOR, device="cpu", prior=None)
        (score,) = score_files(scan_media([file]), setup=setup, limits=WorkerLimits())
        description = describe_setup(setup, bundle=_BUNDLE, limits=WorkerLimits())
        receipt = Receipt(
            made_at="2026-01-01T00:00:00+00:00",
            uri=score.uri,
            sha256=sha256_of(file),
            size_bytes=len(_PICTURE),
            score=ScoreRow.model_validate(score.as_row()),
            detector=description.detector,
            configuration=description.configuration,
            made_with=description.made_with,
        )
    return {"receipt.json": receipt.model_dump_json().encode()}


def main() -> None:
    """Fuzz."""
    fuzz("receipts", check_mutated, _seeds())


if __name__ == "__main__":
    sys.exit(main())
