"""A bundle's network, ready to score crops."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from deepfake.compute.devices import BackendName, check_precision, resolve_device
from deepfake.compute.openvino import Engine, Graph, compile_engine, load_graph
from deepfake.config import Precision, digest_of
from deepfake.detectors.bundles import Bundle, DetectorSpec, load_bundle
from deepfake.detectors.inference.conversion import convert_bundle
from deepfake.detectors.inference.inputs import stack_squares
from deepfake.errors import BundleError, ConfigError, ModelError

__all__ = ["BackendName", "Detector", "HeadOutputModel", "Network", "load_detector"]

logger = logging.getLogger(__name__)

_GRAPH_VERSION = "2"
"""Raised whenever the same bundle would be converted to another graph."""

_CHUNK = 64
"""Crops in the network's size at a time: 10 MB at 224 pixels."""


InputT = TypeVar("InputT", contravariant=True)


class Network(Protocol):
    """Runs a detector's network."""

    def outputs(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return outputs (N, K) of pictures (N, S, S, 3), RGB; N at least 1."""
        ...


class HeadOutputModel(Protocol[InputT]):
    """Interface of a detector of any kind of evidence: head outputs for inputs.

    An input is a crop for `Detector`; it may as well be a run of crops or a window of sound.
    """

    @property
    def spec(self) -> DetectorSpec:
        """The bundle's description."""
        ...

    def head_outputs(self, inputs: Sequence[InputT], /) -> dict[str, NDArray[np.float32]]:
        """Return by the names of `DetectorSpec.outputs` a value an input, shape (N,) each."""
        ...


class _EngineNetwork:
    """Runs in OpenVINO, one picture at a time: fastest, and no picture affects another."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def outputs(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        (outputs,) = self._engine.run_each(pictures)
        return outputs


@dataclass(frozen=True, slots=True)
class Detector:
    """A bundle's network, ready to score crops. One thread at a time may use it.

    Attributes:
        bundle: Where it came from.
        network: What computes.
        device: Where it computes, as PyTorch names it.
        precision: What it computes in on the CPU.
    """

    bundle: Bundle
    network: Network
    device: str
    precision: Precision = "f32"

    @property
    def spec(self) -> DetectorSpec:
        """The bundle's description."""
        return self.bundle.spec

    def head_outputs(self, crops: Sequence[NDArray[np.uint8]]) -> dict[str, NDArray[np.float32]]:
        """Return the network's outputs for each crop; they do not depend on the other crops.

        Args:
            crops: RGB squares from the crop function, each (S, S, 3) uint8.

        Returns:
            By the names of `DetectorSpec.outputs`, shape (N,) each, float32. `logit` is positive
            for fake.

        Raises:
            ModelError: An output is not finite, as after an overflow in half precision.
        """
        size, names = self.spec.input_size, self.spec.outputs
        parts = [
            self.network.outputs(stack_squares(crops[at : at + _CHUNK], size=size))
            for at in range(0, len(crops), _CHUNK)
        ]
        rows = np.concatenate(parts) if parts else np.empty((0, len(names)), dtype=np.float32)
        if not np.isfinite(rows).all():
            raise ModelError(
                "the network gives a logit that is not a finite number", path=self.bundle.path
            )
        return dict(zip(names, rows.T, strict=True))

    def logits(self, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Return the logit of each crop, shape (N,), as `head_outputs` does."""
        return self.head_outputs(crops)["logit"]


def load_detector(
    folder: Path,
    *,
    device: str = "auto",
    precision: Precision = "f32",
    backend: BackendName = "auto",
    cache: Path | None = None,
    num_threads: int | None = None,
) -> Detector:
    """Load a bundle and make its network ready.

    Args:
        folder: The bundle.
        device: `auto`, `cpu` or `cuda`.
        precision: What it computes in on the CPU; on CUDA it is half precision.
        backend: What computes. `auto` is OpenVINO on the CPU, and PyTorch on CUDA and where
            OpenVINO cannot convert the network.
        cache: A folder in which networks converted for the CPU are kept; None converts again, in
            this process.
        num_threads: On the CPU; None for all cores.

    Raises:
        BundleError: The bundle is incomplete, altered, or its weights do not fit its architecture.
        ConfigError: The device is missing, or the options contradict each other.
        ModelError: `backend` is `openvino` and it cannot convert the network.
    """
    chosen = resolve_device(device)
    check_precision(precision, device=chosen)
    _check_backend(backend, device=chosen, precision=precision)
    bundle = load_bundle(folder)
    network = (
        _load_torch(bundle, device=chosen, num_threads=num_threads)
        if chosen != "cpu" or backend == "torch"
        else _load_on_cpu(
            bundle, precision=precision, backend=backend, cache=cache, num_threads=num_threads
        )
    )
    return Detector(bundle=bundle, network=network, device=chosen, precision=precision)


def _check_backend(backend: BackendName, *, device: str, precision: Precision) -> None:
    if backend == "openvino" and device != "cpu":
        raise ConfigError(f"OpenVINO computes on the CPU, not on {device}")
    if backend == "torch" and precision != "f32":
        raise ConfigError(f"PyTorch computes in f32 on the CPU, not in {precision}")


def _load_torch(bundle: Bundle, *, device: str, num_threads: int | None) -> Network:
    import torch

    from deepfake.detectors.inference.torch_networks import TorchNetwork

    if num_threads is not None:
        torch.set_num_threads(num_threads)
    return TorchNetwork(bundle, device=device)


def _load_on_cpu(
    bundle: Bundle,
    *,
    precision: Precision,
    backend: BackendName,
    cache: Path | None,
    num_threads: int | None,
) -> Network:
    threads = num_threads or len(os.sched_getaffinity(0))
    try:
        graph = _load_graph(bundle, cache=cache)
        # Each core has its own picture: one picture over two cores costs a tenth more.
        engine = compile_engine(
            graph, precision=precision, num_threads=threads, num_streams=threads
        )
    except ModelError as error:
        if isinstance(error, BundleError) or backend == "openvino" or precision != "f32":
            raise
        logger.warning("PyTorch computes on the CPU, several times slower: %s", error)
        return _load_torch(bundle, device="cpu", num_threads=num_threads)
    return _EngineNetwork(engine)


def _load_graph(bundle: Bundle, *, cache: Path | None) -> Graph:
    if cache is None:
        from deepfake.detectors.inference.torch_networks import build_graph

        return build_graph(bundle)
    name = digest_of("graph", _GRAPH_VERSION, bundle.digest, str(bundle.spec.input_size))
    return load_graph(cache, name, write=partial(convert_bundle, bundle.path))
