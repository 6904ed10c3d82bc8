"""Export a voice detector's network as an ONNX file for other programs."""

from __future__ import annotations

import json
from pathlib import Path

from deepfake.compute.onnx_files import ONNX_OPSET
from deepfake.detectors.inference.onnx_export import OnnxExport, reject_existing_file
from deepfake.detectors.voice_bundle import VoiceBundle, load_voice_bundle
from deepfake.media.sound import SAMPLE_RATE

__all__ = ["export_voice"]


def export_voice(folder: Path, output: Path, *, overwrite: bool = False) -> OnnxExport:
    """Write a bundle's network as ONNX, and compare the file's outputs with PyTorch's.

    The input `input` is float32, (N, T), windows of speech; the output `logit` is (N, K), its first
    column the logit, positive for fake. The file's metadata say how speech is cut and how a logit
    becomes a probability.

    Args:
        folder: The bundle.
        output: The file; its parents are made.
        overwrite: Replace a file that is there.

    Raises:
        BundleError: It is no bundle of voices, or its weights do not fit its architecture.
        ConfigError: The file exists already.
        ModelError: The network cannot be written, or its logits change.
    """
    reject_existing_file(output, overwrite=overwrite)
    from deepfake.detectors.voice.conversion import export_voice_onnx
    from deepfake.detectors.voice.torch_networks import load_voice_module

    bundle = load_voice_bundle(folder)
    metadata = _metadata(bundle)
    difference = export_voice_onnx(
        load_voice_module(bundle), output, num_samples=bundle.spec.num_samples, metadata=metadata
    )
    return OnnxExport(output, ONNX_OPSET, metadata, difference)


def _metadata(bundle: VoiceBundle) -> dict[str, str]:
    spec = bundle.spec
    as_json = {
        "speech": spec.speech.model_dump(mode="json"),
        "calibration": spec.judgement.calibration.model_dump(mode="json"),
        "thresholds": spec.judgement.thresholds.model_dump(mode="json"),
    }
    return {
        "name": spec.name,
        "architecture": spec.architecture,
        "bundle_digest": bundle.digest,
        "opset": str(ONNX_OPSET),
        "input": f"float32 (N, {spec.num_samples}), speech without pauses, -1 to 1, "
        f"{SAMPLE_RATE} Hz",
        "output": f"logit (N, {len(spec.outputs)}): {', '.join(spec.outputs)}; a logit is positive "
        "for fake, and a probability only once calibrated",
        "prior": str(spec.prior),
        "licence": spec.licence,
        "scope": spec.scope,
        **{name: json.dumps(value) for name, value in as_json.items()},
    }
