"""Copy a calibrated bundle into the package, with its scope and licence.

    python -m benchmarks.detectors.package_detector data/runs/packaged/bundle

writes `deepfake/detectors/packaged/` and `tests/golden/packaged.json`, the logits of fixed pictures
that a test compares with.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks import ROOT
from deepfake.detectors.bundles import load_bundle, save_bundle
from deepfake.detectors.inference import load_detector
from deepfake.scoring.drift import load_reference, write_reference
from deepfake.storage import write_json
from tests.golden.pictures import golden_crops, golden_scores

__all__ = ["main"]

PACKAGED = ROOT / "deepfake" / "detectors" / "packaged"
GOLDEN = ROOT / "tests" / "golden" / "packaged.json"

_MAX_BYTES = 25 * 10**6

_SCOPE = (
    "Learnt: faces blended into other faces (self-blended images of real faces, and real faces "
    "blended into each other) and the generated, blended-in faces of OpenForensics. Not learnt: "
    "wholly generated pictures (StyleGAN, diffusion), talking heads made of a still, lip-sync, "
    "voices: do not rely on it for these."
)
_LICENCE = (
    "MIT for the weights as far as this project can give it. Trained on a subset of the public "
    "'deepfake and real images' set, cut out of OpenForensics (Le et al., ICCV 2021), published as "
    "CC BY 4.0, which was not verified; begun with ImageNet weights of EfficientNet-Lite0 (Google, "
    "Apache-2.0); faces found by MTCNN (trained on WIDER FACE and CelebA)."
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the package's detector and its golden logits."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detectors.package_detector")
    parser.add_argument("bundle", type=Path)
    bundle = load_bundle(parser.parse_args(arguments).bundle)
    spec = bundle.spec.model_copy(
        update={"name": "deepfake-packaged", "scope": _SCOPE, "licence": _LICENCE}
    )
    save_bundle(PACKAGED, state_dict=bundle.state_dict(), spec=spec, overwrite=True)
    reference = load_reference(bundle.path)
    if reference is not None:
        write_reference(PACKAGED, reference)
    size = sum(path.stat().st_size for path in PACKAGED.iterdir())
    if size > _MAX_BYTES:
        raise SystemExit(f"{size} bytes are more than the package holds, {_MAX_BYTES}")
    outputs = load_detector(PACKAGED, device="cpu", backend="torch").head_outputs(golden_crops())
    golden = {name: [float(v) for v in values] for name, values in outputs.items()}
    with tempfile.TemporaryDirectory() as folder:
        golden["scored"] = golden_scores(PACKAGED, Path(folder))
    write_json(GOLDEN, golden)
    print(f"{PACKAGED}: {size / 1e6:.1f} MB, digest {load_bundle(PACKAGED).digest}; {GOLDEN}")


if __name__ == "__main__":
    main()
