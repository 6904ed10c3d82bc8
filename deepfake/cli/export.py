"""`deepfake export`: a detector for other programs. Starts no server."""

from __future__ import annotations

from rich.console import Console

from deepfake.config.options import ExportOptions
from deepfake.detectors.inference import export_onnx
from deepfake.detectors.open_bundle import open_bundle
from deepfake.detectors.sync.export import export_sync
from deepfake.detectors.sync_bundle import SyncBundle
from deepfake.detectors.voice.export import export_voice
from deepfake.detectors.voice_bundle import VoiceBundle
from deepfake.registry.resolve import resolve_any_detector, resolve_detector
from deepfake.storage import DataRoot, local_path, location_of
from deepfake.storage.environment import configure_environment

__all__ = ["run_export"]


def run_export(options: ExportOptions) -> None:
    """Write the file and print what it takes, what it gives, and how well it agrees."""
    data_root = DataRoot(location_of(options.data_root)).here
    configure_environment(data_root)
    if options.weights is None:
        identity, how = resolve_detector(data_root=data_root)
    else:
        identity, how = resolve_any_detector(options.weights, data_root=data_root)
    console = Console(markup=False, highlight=False, soft_wrap=True)
    console.print(f"detector: {identity.full_name} ({how})")
    bundle = open_bundle(identity.path)
    for note in bundle.spec.reading_notes:
        console.print(f"  note: {note}")
    is_voice, is_sync = isinstance(bundle, VoiceBundle), isinstance(bundle, SyncBundle)
    output = local_path(str(options.output))
    export = export_voice if is_voice else export_sync if is_sync else export_onnx
    written = export(identity.path, output, overwrite=options.overwrite)
    metadata = written.metadata
    scale = "" if is_voice or is_sync else f", mean {metadata['mean']}, std {metadata['std']}"
    console.print(f"input: {metadata['input']}{scale}")
    console.print(f"output: {metadata['output']}")
    cut = "how speech is cut" if is_voice else "how mouths are cut" if is_sync else "crop"
    console.print(f"opset {written.opset}; {cut} and calibration are in the file's metadata")
    console.print(f"largest difference to PyTorch: {written.max_difference:.1e} in the logit")
    console.print(f"written: {written.path}")
