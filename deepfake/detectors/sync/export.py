"""Export the two networks of a detector of lips against sound as ONNX files for other programs."""

from __future__ import annotations

import json
from pathlib import Path

from deepfake.compute.onnx_files import ONNX_OPSET
from deepfake.detectors.inference.onnx_export import OnnxExport, reject_existing_file
from deepfake.detectors.sync.windows import FPS, NUM_BANDS, NUM_FRAMES, NUM_MOUTHS, SIZE_PX
from deepfake.detectors.sync_bundle import SyncBundle, load_sync_bundle
from deepfake.media.sound import SAMPLE_RATE

__all__ = ["export_sync", "tower_paths"]


def export_sync(folder: Path, output: Path, *, overwrite: bool = False) -> OnnxExport:
    """Write a bundle's networks as ONNX, and compare the files' outputs with PyTorch's.

    Of each file the input `input` is float32, (N, ...), and the output `embedding` (N, 128), of
    length 1; the product of two is their cosine. The metadata say how runs are cut and how a logit
    becomes a probability.

    Args:
        folder: The bundle.
        output: `NAME.onnx`; `NAME.mouth.onnx` and `NAME.sound.onnx` are written beside one another,
            and their parents are made.
        overwrite: Replace files that are there.

    Returns:
        What was written; its path is that of the network of mouths.

    Raises:
        BundleError: It is no bundle of lips and sound, or its weights do not fit.
        ConfigError: A file exists already.
        ModelError: A network cannot be written, or its outputs change.
    """
    paths = tower_paths(output)
    for path in paths.values():
        reject_existing_file(path, overwrite=overwrite)
    from deepfake.detectors.sync.conversion import export_tower_onnx
    from deepfake.detectors.sync.torch_networks import load_sync_module

    bundle = load_sync_bundle(folder)
    network, metadata = load_sync_module(bundle), _metadata(bundle)
    mouth = export_tower_onnx(network, paths["mouth"], tower="mouth", metadata=metadata)
    sound = export_tower_onnx(network, paths["sound"], tower="sound", metadata=metadata)
    return OnnxExport(paths["mouth"], ONNX_OPSET, metadata, max(mouth, sound))


def tower_paths(output: Path) -> dict[str, Path]:
    """Return the file of each network.

    Example:
        >>> str(tower_paths(Path("sync.onnx"))["sound"])
        'sync.sound.onnx'
    """
    return {tower: output.with_suffix(f".{tower}.onnx") for tower in ("mouth", "sound")}


def _metadata(bundle: SyncBundle) -> dict[str, str]:
    spec = bundle.spec
    as_json = {
        "mouths": spec.mouths.model_dump(mode="json"),
        "faces": spec.faces.model_dump(mode="json"),
        "speech": spec.speech.model_dump(mode="json"),
        "calibration": spec.judgement.calibration.model_dump(mode="json"),
        "thresholds": spec.judgement.thresholds.model_dump(mode="json"),
    }
    return {
        "name": spec.name,
        "architecture": spec.architecture,
        "bundle_digest": bundle.digest,
        "opset": str(ONNX_OPSET),
        "input": f"float32 (N, {NUM_MOUTHS}, {SIZE_PX}, {SIZE_PX}), grey mouths at {FPS:g} a "
        f"second, and (N, 1, {NUM_BANDS}, {NUM_FRAMES}), logarithms of power in mel bands, 10 ms "
        f"apart, of sound at {SAMPLE_RATE} Hz; each of a mean of 0 and a deviation of 1 in a run",
        "output": "embedding (N, 128) of length 1; the cosine of two is high where lips and sound "
        "belong together",
        "prior": str(spec.prior),
        "licence": spec.licence,
        "scope": spec.scope,
        **{name: json.dumps(value) for name, value in as_json.items()},
    }
