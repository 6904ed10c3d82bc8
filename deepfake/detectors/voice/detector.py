"""A bundle's voice network, ready to score windows of speech: OpenVINO on the CPU, else PyTorch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from deepfake.compute.devices import resolve_device
from deepfake.compute.openvino import Engine, Graph, compile_engine, load_graph
from deepfake.config import digest_of
from deepfake.detectors.voice.bundle_conversion import convert_voice_bundle
from deepfake.detectors.voice_bundle import VoiceBundle, VoiceSpec, load_voice_bundle
from deepfake.errors import DataError, ModelError

__all__ = ["VoiceDetector", "WindowNetwork", "load_voice_detector"]

_GRAPH_VERSION = "1"
"""Raised whenever the same bundle would be converted to another graph."""


class WindowNetwork(Protocol):
    """Runs a voice detector's network."""

    def outputs(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return outputs (N, K) of windows (N, T); N at least 1."""
        ...


class _EngineNetwork:
    """Runs in OpenVINO, one window at a time, so that no window affects another."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def outputs(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        (outputs,) = self._engine.run_each(windows)
        return outputs


@dataclass(frozen=True, slots=True)
class VoiceDetector:
    """A bundle's network, ready to score windows of speech. One thread at a time may use it.

    Attributes:
        bundle: Where it came from.
        network: What computes.
        device: Where it computes, as PyTorch names it.
    """

    bundle: VoiceBundle
    network: WindowNetwork
    device: str

    @property
    def spec(self) -> VoiceSpec:
        """The bundle's description."""
        return self.bundle.spec

    def head_outputs(
        self, windows: Sequence[NDArray[np.float32]]
    ) -> dict[str, NDArray[np.float32]]:
        """Return the network's outputs for each window; they do not depend on other windows.

        Args:
            windows: Samples of speech at 16 kHz, each of shape (T,), as long as the description
                says.

        Returns:
            By the names of `VoiceSpec.outputs`, shape (N,) each, float32. `logit` is positive for
            fake.

        Raises:
            DataError: A window has another length.
            ModelError: An output is not finite.
        """
        size, names = self.spec.num_samples, self.spec.outputs
        if any(window.shape != (size,) for window in windows):
            raise DataError(f"the detector takes windows of {size} samples")
        stacked = np.array(windows, dtype=np.float32).reshape(len(windows), size)
        rows = self.network.outputs(stacked) if len(windows) else np.empty((0, len(names)))
        if not np.isfinite(rows).all():
            raise ModelError(
                "the network gives a logit that is not a finite number", path=self.bundle.path
            )
        return dict(zip(names, rows.astype(np.float32, copy=False).T, strict=True))


def load_voice_detector(
    folder: Path,
    *,
    cache: Path | None = None,
    num_threads: int | None = None,
    device: str = "cpu",
) -> VoiceDetector:
    """Load a bundle and make its network ready.

    Args:
        folder: The bundle.
        cache: A folder in which networks converted for the CPU are kept; None converts again, in
            this process.
        num_threads: On the CPU; None for all cores.
        device: `auto`, `cpu` or `cuda`.

    Raises:
        BundleError: The bundle is incomplete, altered, or its weights do not fit its architecture.
        ConfigError: The device is missing.
        ModelError: OpenVINO cannot convert the network.
    """
    chosen = resolve_device(device)
    bundle = load_voice_bundle(folder)
    if chosen == "cpu":
        network = _load_on_cpu(bundle, cache=cache, num_threads=num_threads)
    else:
        network = _load_torch(bundle, device=chosen)
    return VoiceDetector(bundle=bundle, network=network, device=chosen)


def _load_torch(bundle: VoiceBundle, *, device: str) -> WindowNetwork:
    from deepfake.detectors.voice.torch_networks import TorchVoiceNetwork

    return TorchVoiceNetwork(bundle, device=device)


def _load_on_cpu(
    bundle: VoiceBundle, *, cache: Path | None, num_threads: int | None
) -> WindowNetwork:
    threads = num_threads or len(os.sched_getaffinity(0))
    # Each core has its own window.
    engine = compile_engine(
        _load_graph(bundle, cache=cache), num_threads=threads, num_streams=threads
    )
    return _EngineNetwork(engine)


def _load_graph(bundle: VoiceBundle, *, cache: Path | None) -> Graph:
    if cache is None:
        from deepfake.detectors.voice.torch_networks import build_voice_graph

        return build_voice_graph(bundle)
    name = digest_of("voice graph", _GRAPH_VERSION, bundle.digest)
    return load_graph(cache, name, write=partial(convert_voice_bundle, bundle.path))
