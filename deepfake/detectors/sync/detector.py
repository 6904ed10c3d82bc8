"""A bundle's networks of lips and sound, ready to compare: OpenVINO on the CPU, else PyTorch."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from deepfake.compute.devices import resolve_device
from deepfake.compute.openvino import Engine, Graph, compile_engine, load_graph
from deepfake.config import digest_of
from deepfake.detectors.sync.bundle_conversion import convert_sync_bundle
from deepfake.detectors.sync.windows import (
    FPS,
    MAX_OFFSET,
    NUM_MOUTHS,
    SIZE_PX,
    log_mel,
    mouth_windows,
    shifted_pairs,
    sound_windows,
    sound_windows_known,
)
from deepfake.detectors.sync_bundle import SyncBundle, SyncSpec, load_sync_bundle
from deepfake.errors import DataError, ModelError
from deepfake.media.sound import SAMPLE_RATE
from deepfake.types import MouthRun

__all__ = ["EmbeddedRun", "SyncDetector", "SyncNetworks", "load_sync_detector"]

_GRAPH_VERSION = "1"
"""Raised whenever the same bundle would be converted to other graphs."""


class SyncNetworks(Protocol):
    """Runs a detector's two networks."""

    def embed_mouths(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return embeddings (N, D) of windows (N, 5, S, S); N at least 1."""
        ...

    def embed_sounds(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return embeddings (N, D) of windows (N, 1, B, F); N at least 1."""
        ...


class _EngineNetworks:
    """Runs in OpenVINO, one window at a time, so that no window affects another."""

    def __init__(self, mouth: Engine, sound: Engine) -> None:
        self._mouth, self._sound = mouth, sound

    def embed_mouths(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        (outputs,) = self._mouth.run_each(windows)
        return outputs

    def embed_sounds(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        (outputs,) = self._sound.run_each(windows)
        return outputs


@dataclass(frozen=True, slots=True)
class EmbeddedRun:
    """The embeddings of a run.

    Attributes:
        mouths: Shape (W, D).
        sounds: Shape (W + 30, D), from `MAX_OFFSET` mouths before the first on.
        known: Which windows of sound the file has, shape (W + 30,).
    """

    mouths: NDArray[np.float32]
    sounds: NDArray[np.float32]
    known: NDArray[np.bool_]

    def similarities(self, sound: EmbeddedRun | None = None) -> NDArray[np.float32]:
        """Return the cosines (W, 31) at each offset, NaN where there is no sound.

        Args:
            sound: A run whose sound is compared; None for the own. Of runs of different lengths
                the shorter one counts.
        """
        other = self if sound is None else sound
        num = min(len(self.mouths), len(other.mouths))
        last = num + 2 * MAX_OFFSET
        return shifted_pairs(self.mouths[:num], other.sounds[:last], known=other.known[:last])


@dataclass(frozen=True, slots=True)
class SyncDetector:
    """A bundle's networks, ready to compare. One thread at a time may use it.

    Attributes:
        bundle: Where they came from.
        networks: What computes.
        device: Where it computes, as PyTorch names it.
    """

    bundle: SyncBundle
    networks: SyncNetworks
    device: str

    @property
    def spec(self) -> SyncSpec:
        """The bundle's description."""
        return self.bundle.spec

    def similarities(self, run: MouthRun) -> NDArray[np.float32]:
        """Return how well each window of mouths goes with the sound around its moment.

        Args:
            run: T mouths, with sound from 0.6 s before the first to 0.6 s behind the last.

        Returns:
            Cosines, shape (T - 4, 31), float32, by offset of the sound from -15 to 15 mouths;
            column 15 is the sound of the mouths' own moment, later columns are later sound. NaN
            where the file has no sound.

        Raises:
            DataError: The run was cut otherwise than the detector takes it, or is shorter than a
                window.
            ModelError: An output is not finite.
        """
        return self.embed(run).similarities()

    def embed(self, run: MouthRun) -> EmbeddedRun:
        """Return the embeddings of a run, which `similarities` compares.

        Raises:
            DataError: As of `similarities`.
            ModelError: An output is not finite.
        """
        _check_run(run)
        windows = sound_windows(log_mel(run.samples, sound_span=run.sound_span))
        embedded = EmbeddedRun(
            mouths=self.networks.embed_mouths(mouth_windows(run.mouths)),
            sounds=self.networks.embed_sounds(windows),
            known=sound_windows_known(len(windows), sound_span=run.sound_span),
        )
        if not (np.isfinite(embedded.mouths).all() and np.isfinite(embedded.sounds).all()):
            raise ModelError(
                "the network gives an output that is not a finite number", path=self.bundle.path
            )
        return embedded


def _check_run(run: MouthRun) -> None:
    num, *sides = run.mouths.shape
    if num < NUM_MOUTHS or sides != [SIZE_PX, SIZE_PX]:
        raise DataError(
            f"the detector takes {NUM_MOUTHS} mouths or more of {SIZE_PX} pixels, got a run of "
            f"the shape {run.mouths.shape}"
        )
    expected = round((num + 2 * MAX_OFFSET) / FPS * SAMPLE_RATE)
    if len(run.samples) != expected:
        raise DataError(
            f"a run of {num} mouths has {expected} samples of sound, got {len(run.samples)}"
        )


def load_sync_detector(
    folder: Path,
    *,
    cache: Path | None = None,
    num_threads: int | None = None,
    device: str = "cpu",
) -> SyncDetector:
    """Load a bundle and make its networks ready.

    Args:
        folder: The bundle.
        cache: A folder in which networks converted for the CPU are kept; None converts again, in
            this process.
        num_threads: On the CPU; None for all cores.
        device: `auto`, `cpu` or `cuda`.

    Raises:
        BundleError: The bundle is incomplete, altered, or its weights do not fit.
        ConfigError: The device is missing.
        ModelError: OpenVINO cannot convert a network.
    """
    chosen = resolve_device(device)
    bundle = load_sync_bundle(folder)
    if chosen == "cpu":
        networks = _load_on_cpu(bundle, cache=cache, num_threads=num_threads)
    else:
        networks = _load_torch(bundle, device=chosen)
    return SyncDetector(bundle=bundle, networks=networks, device=chosen)


def _load_torch(bundle: SyncBundle, *, device: str) -> SyncNetworks:
    from deepfake.detectors.sync.torch_networks import TorchSyncNetworks

    return TorchSyncNetworks(bundle, device=device)


def _load_on_cpu(
    bundle: SyncBundle, *, cache: Path | None, num_threads: int | None
) -> SyncNetworks:
    threads = num_threads or len(os.sched_getaffinity(0))
    # Each core has its own window.
    mouth, sound = (
        compile_engine(
            _load_graph(bundle, tower, cache=cache), num_threads=threads, num_streams=threads
        )
        for tower in ("mouth", "sound")
    )
    return _EngineNetworks(mouth, sound)


def _load_graph(bundle: SyncBundle, tower: str, *, cache: Path | None) -> Graph:
    if cache is None:
        from deepfake.detectors.sync.torch_networks import build_tower_graph

        return build_tower_graph(bundle, tower)
    name = digest_of("sync graph", _GRAPH_VERSION, tower, bundle.digest)
    return load_graph(cache, name, write=partial(convert_sync_bundle, tower, bundle.path))
