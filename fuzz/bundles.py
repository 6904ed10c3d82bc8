"""Fuzz detector bundles, whose digests an attacker can compute too."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["deepfake"]):
    from deepfake.config import (
        AggregationConfig,
        CropConfig,
        FaceConfig,
        SamplingConfig,
        TrainConfig,
    )
    from deepfake.detectors.bundles import DetectorSpec, load_bundle, save_bundle
    from deepfake.verdicts.judgement import JudgementSettings
import safetensors.torch
import torch

from fuzz.harness import fuzz
from fuzz.seeds import chosen, files_of, sha256

__all__ = ["read_bundle"]

_NAMES = ("detector.json", "weights.safetensors")


@cache
def _whole() -> dict[str, bytes]:
    spec = DetectorSpec(
        name="fuzzed",
        architecture="test_efficientnet",
        input_size=64,
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
        crop=CropConfig(),
        faces=FaceConfig(),
        sampling=SamplingConfig(),
        aggregation=AggregationConfig(),
        judgement={"still": JudgementSettings(), "video": JudgementSettings()},
        data_digests={"corpus": "0" * 16},
        pretrained_source="scratch",
        seed=0,
        code_version="0",
        created_at="2026-01-01T00:00:00+00:00",
        train_config=TrainConfig(),
    )
    state = {"a": torch.zeros(2, 3), "b": torch.ones(4, dtype=torch.float16)}
    found = files_of(lambda folder: save_bundle(folder / "b", state_dict=state, spec=spec))
    return {name: found[f"b/{name}"] for name in _NAMES}


def read_bundle(folder: Path, data: bytes) -> None:
    """Open a bundle with one mutated file, and read its weights."""
    whole = _whole()
    name, content = chosen(_NAMES, data)
    files = {**whole, name: content}
    if name == "weights.safetensors":
        signed = sha256(content).encode()
        files["detector.json"] = whole["detector.json"].replace(
            sha256(whole["weights.safetensors"]).encode(), signed
        )
    for own, own_content in files.items():
        (folder / own).write_bytes(own_content)
    bundle = load_bundle(folder)
    assert bundle.spec.reading_notes is not None
    assert bundle.spec.outputs
    if name == "weights.safetensors":
        bundle.state_dict()


def main() -> None:
    """Fuzz."""
    assert safetensors.torch
    fuzz("bundles", read_bundle, {n: bytes([i]) + _whole()[n] for i, n in enumerate(_NAMES)})


if __name__ == "__main__":
    sys.exit(main())
