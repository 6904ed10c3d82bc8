"""Run networks on the CPU: the only module that imports OpenVINO.

A graph is a network in OpenVINO's form, an engine a graph compiled for this processor.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
import warnings
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from deepfake.config import Precision
from deepfake.errors import ConfigError, DataError, ModelError, UnreadableMediaError, first_line
from deepfake.storage import read_json, sha256_of, write_json

if TYPE_CHECKING:
    import torch

__all__ = [
    "Engine",
    "Graph",
    "call_in_child",
    "compile_engine",
    "convert_module",
    "has_bf16",
    "has_graph",
    "import_openvino",
    "load_graph",
    "read_graph",
    "reject_without_bf16",
    "save_graph",
]

logger = logging.getLogger(__name__)

Graph: TypeAlias = Any
"""An `openvino.Model`; the package has no types that mypy could read."""

Outputs: TypeAlias = tuple[NDArray[np.float32], ...]

_LOCK_SECONDS = 300.0
"""For another process that converts the same network; the largest take a minute."""

_CHILD = (
    "import importlib, sys, torch; module, name, *arguments = sys.argv[1:]; "
    "getattr(importlib.import_module(module), name)(*arguments)"
)

_CONVERTER = "openvino.tools.ovc"

_FILES = ("graph.xml", "graph.bin")
_DIGESTS = "digests.json"


def import_openvino() -> Any:
    """Return the package `openvino`, imported without its telemetry and its converter.

    The converter takes a third of the time to import, and `convert_module` alone needs it. It sends
    an event to its makers unless a file in the user's home forbids it; no environment variable
    does. Where its telemetry package is missing, it uses a stub.
    """
    if "openvino" not in sys.modules:
        sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
        sys.modules.setdefault(_CONVERTER, None)  # type: ignore[arg-type]
    import openvino

    return openvino


@cache
def _core() -> Any:
    # One for the life of the process. Each gives its thread a stack for signals, and takes away
    # that of the one before: once both are gone, the next signal finds none and kills the process.
    return import_openvino().Core()


def has_bf16() -> bool:
    """Return whether this processor computes in bfloat16."""
    capabilities = _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return "BF16" in capabilities


def reject_without_bf16() -> None:
    """Reject bfloat16 where this processor does not have it.

    Raises:
        ConfigError: It does not.
    """
    if not has_bf16():
        raise ConfigError(
            "this processor does not compute in bfloat16",
            hint="Leave --precision out, or use f32.",
        )


class Engine:
    """A compiled network. One thread at a time may use it.

    Args:
        compiled: An `openvino.CompiledModel`.
        num_streams: Pictures that are worked on side by side by `run_each`.
    """

    def __init__(self, compiled: Any, *, num_streams: int = 1) -> None:
        self._request = compiled.create_infer_request()
        self._queue = (
            import_openvino().AsyncInferQueue(compiled, num_streams) if num_streams > 1 else None
        )
        if self._queue is not None:
            self._queue.set_callback(_keep_outputs)

    def run(self, batch: NDArray[Any]) -> Outputs:
        """Return the network's outputs, in its order.

        Args:
            batch: The only input, of the shape and type that the engine was compiled for.
        """
        self._request.infer([np.ascontiguousarray(batch)], share_inputs=True)
        return _copies(self._request)

    def run_each(self, rows: NDArray[Any]) -> Outputs:
        """Return the outputs of each row on its own, put together: no row sees another.

        Args:
            rows: Shape (N, ...), N at least 1; the engine takes (1, ...).
        """
        rows = np.ascontiguousarray(rows)
        if self._queue is None:
            found = [self.run(rows[at : at + 1]) for at in range(len(rows))]
        else:
            found = [()] * len(rows)
            for at in range(len(rows)):
                self._queue.start_async([rows[at : at + 1]], (found, at), share_inputs=True)
            self._queue.wait_all()
        return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))


def _keep_outputs(request: Any, place: tuple[list[Outputs], int]) -> None:
    found, at = place
    found[at] = _copies(request)


def _copies(request: Any) -> Outputs:
    # The next call writes over the request's own tensors.
    return tuple(np.array(tensor.data, dtype=np.float32) for tensor in request.output_tensors)


def compile_engine(
    graph: Graph,
    *,
    input_shape: Sequence[int] | None = None,
    precision: Precision = "f32",
    num_threads: int = 1,
    num_streams: int = 1,
) -> Engine:
    """Compile a graph for this processor.

    Args:
        graph: The network; it is not changed.
        input_shape: A fixed shape of its input, which is up to half as dear as an open one; None
            for the graph's own.
        precision: What it computes in. OpenVINO would take bfloat16 where it can.
        num_threads: All streams together.
        num_streams: Pictures worked on side by side by `run_each`.

    Raises:
        ConfigError: The processor has no bfloat16.
        ModelError: OpenVINO refuses the network.
    """
    if precision == "bf16":
        reject_without_bf16()
    settings = {
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": num_threads,
        "NUM_STREAMS": num_streams,
        "PERFORMANCE_HINT": "LATENCY" if num_streams == 1 else "THROUGHPUT",
        # Each process would be bound to the first cores, and all workers share one of them.
        "ENABLE_CPU_PINNING": False,
    }
    try:
        if input_shape is not None:
            graph = graph.clone()
            graph.reshape(list(input_shape))
        compiled = _core().compile_model(graph, "CPU", settings)
    except RuntimeError as error:
        raise ModelError(f"the network cannot be compiled ({first_line(error)})") from error
    return Engine(compiled, num_streams=num_streams)


def convert_module(module: torch.nn.Module, *, example: torch.Tensor) -> Graph:
    """Return a PyTorch network as a graph of the example's shape.

    Args:
        module: In evaluation mode, on the CPU.
        example: An input.

    Raises:
        ModelError: The network does something that cannot be converted.
    """
    import torch

    import_openvino()
    if sys.modules.get(_CONVERTER) is None:
        sys.modules.pop(_CONVERTER, None)
    converter = importlib.import_module(_CONVERTER)
    try:
        # Both libraries warn about their own inside.
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            graph = converter.convert_model(torch.export.export(module, (example,)))
        graph.reshape(list(example.shape))
    except Exception as error:  # torch.export passes on whatever the network's code raises
        raise ModelError(f"the network cannot be converted ({first_line(error)})") from error
    return graph


def read_graph(path: Path) -> Graph:
    """Read a network from a file of ONNX, TensorFlow Lite or OpenVINO.

    Raises:
        ModelError: The file is missing or is no network.
    """
    try:
        return _core().read_model(path)
    except RuntimeError as error:
        raise ModelError(f"not a readable network ({first_line(error)})", path=path) from error


def save_graph(graph: Graph, path: Path) -> None:
    """Write a graph in OpenVINO's own form, its weights as they are.

    Args:
        graph: The network.
        path: `NAME.xml`; the weights go to `NAME.bin` beside it.

    Raises:
        ModelError: It cannot be written.
    """
    try:
        import_openvino().save_model(graph, path, compress_to_fp16=False)
    except RuntimeError as error:
        raise ModelError(f"cannot be written ({first_line(error)})", path=path) from error


def call_in_child(function: Callable[..., None], *arguments: str | Path) -> bool:
    """Call a function that needs PyTorch in a child process, unless this one has it already.

    A media worker that imports PyTorch keeps its 600 MB for the rest of its life.

    Args:
        function: Of a module; in the child PyTorch is imported before it is called.
        arguments: It gets them as text.

    Returns:
        Whether the child did it. Where not, call it here: that will say why.
    """
    if _has_torch():
        return False
    places = os.pathsep.join(filter(None, sys.path))
    child = subprocess.run(
        [
            sys.executable,
            "-P",
            "-c",
            _CHILD,
            function.__module__,
            function.__name__,
            *map(str, arguments),
        ],
        env={**os.environ, "PYTHONPATH": places, "OMP_NUM_THREADS": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if child.returncode:
        logger.debug("%s failed in a child: %s", function.__name__, child.stderr)
    return child.returncode == 0


def _has_torch() -> bool:
    return "torch" in sys.modules


def has_graph(root: Path, name: str) -> bool:
    """Return whether a graph is cached under a name; `load_graph` checks whether it is sound."""
    return (_folder_of(root, name) / _DIGESTS).is_file()


def load_graph(root: Path, name: str, *, write: Callable[[Path], None]) -> Graph:
    """Return the graph that is cached under a name; it is written first where there is none.

    Processes that ask at the same time wait for the one that writes. The files are compared with
    their digests, and written again if they were changed. Without a writable folder nothing is
    cached.

    Args:
        root: The folder of cached graphs.
        name: Says everything that can change the graph; OpenVINO's version is added.
        write: Writes the graph to the path that it gets, as `save_graph` does.
    """
    folder = _folder_of(root, name)
    cached = _read_cached(folder)
    if cached is not None:
        return cached
    lock = FileLock(f"{folder}.lock", timeout=_LOCK_SECONDS)
    try:
        root.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:  # its time-out is one too
        logger.warning("a converted network is not cached (%s)", error)
        with tempfile.TemporaryDirectory() as scratch:
            return _written(Path(scratch), write)
    try:
        cached = _read_cached(folder)
        return _write_again(folder, write) if cached is None else cached
    finally:
        lock.release()


def _folder_of(root: Path, name: str) -> Path:
    return root / f"{name}-{importlib.metadata.version('openvino')}"


def _read_cached(folder: Path) -> Graph | None:
    try:
        digests = read_json(folder / _DIGESTS)
        if digests != {name: sha256_of(folder / name) for name in _FILES}:
            return None
        return read_graph(folder / _FILES[0])
    except (DataError, UnreadableMediaError, ModelError):
        return None


def _write_again(folder: Path, write: Callable[[Path], None]) -> Graph:
    temporary = folder.with_name(f"{folder.name}.{os.getpid()}-{uuid.uuid4().hex[:8]}.part")
    temporary.mkdir()
    try:
        _written(temporary, write)
        write_json(temporary / _DIGESTS, {name: sha256_of(temporary / name) for name in _FILES})
        # The files were changed, and the lock is ours.
        shutil.rmtree(folder, ignore_errors=True)
        temporary.replace(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return read_graph(folder / _FILES[0])


def _written(folder: Path, write: Callable[[Path], None]) -> Graph:
    # Its weights are mapped, so that all processes share them, and outlive the file's name.
    write(folder / _FILES[0])
    return read_graph(folder / _FILES[0])
