"""`deepfake export`: a detector for other programs. Starts no server."""

from __future__ import annotations

from rich.console import Console

from deepfake.config.options import ExportOptions
from deepfake.detectors.bundles import load_bundle
from deepfake.detectors.inference import export_onnx
from deepfake.registry.resolve import resolve_detector
from deepfake.storage import DataRoot, local_path, location_of
from deepfake.storage.environment import configure_environment

__all__ = ["run_export"]


def run_export(options: ExportOptions) -> None:
    """Write the file and print what it takes, what it gives, and how well it agrees."""
    data_root = DataRoot(location_of(options.data_root)).here
    configure_environment(data_root)
    identity, how = resolve_detector(options.weights, data_root=data_root)
    console = Console(markup=False, highlight=False, soft_wrap=True)
    console.print(f"detector: {identity.full_name} ({how})")
    for note in load_bundle(identity.path).spec.reading_notes:
        console.print(f"  note: {note}")
    written = export_onnx(
        identity.path, local_path(str(options.output)), overwrite=options.overwrite
    )
    metadata = written.metadata
    console.print(f"input: {metadata['input']}, mean {metadata['mean']}, std {metadata['std']}")
    console.print(f"output: {metadata['output']}")
    console.print(f"opset {written.opset}; crop and calibration are in the file's metadata")
    console.print(f"largest difference to PyTorch: {written.max_difference:.1e} in the logit")
    console.print(f"written: {written.path}")
