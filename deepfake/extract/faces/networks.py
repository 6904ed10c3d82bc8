"""Run MTCNN's three networks, with facenet-pytorch's weights, in OpenVINO or PyTorch.

Both take uint8 pictures, channels last, and normalise them as in training:
(pixel - 127.5) / 128.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from functools import cache as once
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from deepfake.compute.devices import BackendName
from deepfake.compute.openvino import (
    Engine,
    Graph,
    call_in_child,
    compile_engine,
    has_graph,
    import_openvino,
    load_graph,
    save_graph,
)
from deepfake.errors import FaceError

if TYPE_CHECKING:
    import torch

__all__ = [
    "NETWORK_NAMES",
    "BackendName",
    "NetworkName",
    "Networks",
    "OpenVinoRunner",
    "Runner",
    "TorchRunner",
    "create_networks",
    "fill_cache",
    "weights_digest",
]

NetworkName = Literal["pnet", "rnet", "onet"]
Pictures = NDArray[np.uint8]
Outputs = tuple[NDArray[np.float32], ...]

_MAX_ENGINES = 48
"""Compiled engines kept at a time; a folder of videos needs about twenty."""

_BATCHES = (1, 2, 4, 8, 12, 16, 24, 32, 48, 64)
"""Batch sizes that engines are compiled for."""

_GRAPH_VERSION = 1
"""Raised whenever the same weights are converted to another graph."""

NETWORK_NAMES: tuple[NetworkName, ...] = ("pnet", "rnet", "onet")


class Runner(Protocol):
    """Runs a network by name."""

    def __call__(self, name: NetworkName, pictures: Pictures) -> Outputs:
        """Return a network's outputs, (N, ...) each, for pictures (N, H, W, 3), N at least 1."""
        ...


class Networks:
    """The three networks of MTCNN.

    Args:
        run: Runs a network by name.
    """

    def __init__(self, run: Runner) -> None:
        self._run = run

    def pnet(self, picture: Pictures) -> Outputs:
        """Return offsets (4, h, w) and face probabilities (h, w) of one picture (H, W, 3)."""
        offsets, probs = self._run("pnet", picture[None])
        return offsets[0], probs[0, 1]

    def rnet(self, crops: Pictures) -> Outputs:
        """Return offsets (N, 4) and face probabilities (N,) of crops (N, 24, 24, 3)."""
        offsets, probs = self._run("rnet", crops)
        return offsets, probs[:, 1]

    def onet(self, crops: Pictures) -> Outputs:
        """Return offsets (N, 4), landmarks (N, 10) and probabilities (N,) of (N, 48, 48, 3).

        Landmarks are five x, then five y, relative to the box.
        """
        offsets, landmarks, probs = self._run("onet", crops)
        return offsets, landmarks, probs[:, 1]


@once
def weights_digest() -> str:
    """Return 16 hex digits of SHA-256 over the three networks' weight files."""
    # Found without importing it, which would import PyTorch.
    package = find_spec("facenet_pytorch")
    if package is None or package.origin is None:
        raise FaceError("facenet-pytorch is not installed; its networks detect the faces")
    folder = Path(package.origin).parent / "data"
    digest = hashlib.sha256()
    for name in NETWORK_NAMES:
        try:
            digest.update((folder / f"{name}.pt").read_bytes())
        except OSError as error:
            raise FaceError(f"the weights of {name} are missing", path=folder) from error
    return digest.hexdigest()[:16]


def create_networks(
    backend: BackendName = "auto", *, device: str = "cpu", cache: Path | None = None
) -> Networks:
    """Build the networks.

    Args:
        backend: `auto` is OpenVINO on the CPU if it is installed, else PyTorch.
        device: `cpu` or `cuda`; `cuda` needs PyTorch.
        cache: Folder of networks converted for the CPU; None converts them here.

    Raises:
        FaceError: They cannot be built.
    """
    if device == "cpu" and backend != "torch":
        try:
            return Networks(OpenVinoRunner(cache=cache))
        except ImportError as error:
            if backend == "openvino":
                raise FaceError(f"OpenVINO is not installed ({error})") from error
    try:
        return Networks(TorchRunner(device=device))
    except (OSError, RuntimeError) as error:
        raise FaceError(f"MTCNN could not be built on {device} ({error})") from error


def _modules() -> dict[NetworkName, Any]:
    from facenet_pytorch.models.mtcnn import ONet, PNet, RNet

    return {"pnet": PNet().eval(), "rnet": RNet().eval(), "onet": ONet().eval()}


class TorchRunner:
    """Runs the networks in PyTorch: the reference, and on CUDA.

    Args:
        device: Device of the networks.
    """

    def __init__(self, *, device: str = "cpu") -> None:
        import torch

        self._device = torch.device(device)
        self._modules = {name: m.to(self._device) for name, m in _modules().items()}

    def __call__(self, name: NetworkName, pictures: Pictures) -> Outputs:
        import torch

        batch = torch.from_numpy(np.ascontiguousarray(pictures)).to(self._device)
        return tuple(out.cpu().numpy() for out in self.compute(name, batch))

    def compute(self, name: NetworkName, pictures: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the outputs on the device, without waiting for them.

        Args:
            name: The network.
            pictures: Shape (N, H, W, 3), uint8, on the device.
        """
        import torch

        with (
            torch.inference_mode(),
            torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False),
        ):
            scaled = (pictures.permute(0, 3, 1, 2).float() - 127.5) * 0.0078125
            return tuple(self._modules[name](scaled))


class OpenVinoRunner:
    """Runs the networks in OpenVINO on the CPU, in f32, on one thread.

    An engine is compiled for each input shape when it first occurs, which takes some 25 ms; an
    engine for any shape is 1.5 times as slow. Batches of candidates are padded to a few sizes.

    Args:
        cache: Folder of the converted networks; None converts them here.
    """

    def __init__(self, *, cache: Path | None = None) -> None:
        self._graphs = _load_graphs(cache)
        self._engines: OrderedDict[tuple[NetworkName, tuple[int, ...]], Engine] = OrderedDict()

    def _engine(self, name: NetworkName, shape: tuple[int, ...]) -> Engine:
        key = (name, shape)
        if key not in self._engines:
            self._engines[key] = compile_engine(self._graphs[name], input_shape=shape)
            if len(self._engines) > _MAX_ENGINES:
                self._engines.popitem(last=False)
        self._engines.move_to_end(key)
        return self._engines[key]

    def __call__(self, name: NetworkName, pictures: Pictures) -> Outputs:
        if name == "pnet":
            return self._engine(name, pictures.shape).run(pictures)
        most = _BATCHES[-1]
        parts = [
            self._run_padded(name, pictures[start : start + most])
            for start in range(0, len(pictures), most)
        ]
        return tuple(np.concatenate(outs) for outs in zip(*parts, strict=True))

    def _run_padded(self, name: NetworkName, crops: Pictures) -> Outputs:
        count = len(crops)
        size = next(size for size in _BATCHES if size >= count)
        if size > count:
            padded = np.zeros((size, *crops.shape[1:]), dtype=np.uint8)
            padded[:count] = crops
            crops = padded
        outputs = self._engine(name, crops.shape).run(crops)
        return tuple(out[:count] for out in outputs)


def _load_graphs(cache: Path | None) -> dict[NetworkName, Graph]:
    if cache is None:
        return {name: _build_graph(module) for name, module in _modules().items()}
    names = {name: f"mtcnn-{name}-{weights_digest()}-{_GRAPH_VERSION}" for name in NETWORK_NAMES}
    if not all(has_graph(cache, name) for name in names.values()):
        call_in_child(fill_cache, cache)
    return {
        network: load_graph(cache, name, write=partial(_write_graph, network))
        for network, name in names.items()
    }


def fill_cache(cache: str | Path) -> None:
    """Convert all three networks and store them in a cache folder."""
    _load_graphs(Path(cache))


def _write_graph(name: NetworkName, path: Path) -> None:
    save_graph(_build_graph(_modules()[name]), path)


def _build_graph(module: Any) -> Graph:
    """Convert a network to an OpenVINO graph over uint8 pictures, channels last.

    The module's layers are in the order in which they run; those named `_1`, `_2` and so on are
    heads on the same features.
    """
    openvino = import_openvino()
    ops = openvino.opset13
    pictures = ops.parameter([-1, -1, -1, 3], openvino.Type.u8, name="pictures")
    centred = ops.subtract(ops.convert(pictures, openvino.Type.f32), np.array([127.5], np.float32))
    scaled = ops.multiply(centred, np.array([1 / 128], np.float32))
    features = ops.transpose(scaled, np.array([0, 3, 1, 2]))
    is_flat = False
    heads: list[Any] = []
    for name, layer in module.named_children():
        is_head = "_" in name
        if is_head and name.startswith("softmax"):
            heads[-1] = ops.softmax(heads[-1], 1)
            continue
        if name.startswith("dense") and not is_flat:
            # facenet-pytorch flattens in the order width, height, channels.
            features = ops.reshape(
                ops.transpose(features, np.array([0, 3, 2, 1])), np.array([0, -1]), True
            )
            is_flat = True
        out = _layer(ops, layer, features)
        if is_head:
            heads.append(out)
        else:
            features = out
    # Offsets, then landmarks if any, then probabilities, as the module returns them.
    return openvino.Model([*heads[1:], heads[0]], [pictures], "mtcnn")


def _layer(ops: Any, layer: Any, features: Any) -> Any:
    kind = type(layer).__name__
    weights = {k: v.detach().numpy() for k, v in layer.named_parameters()}
    if kind == "Conv2d":
        zero = np.zeros(2, np.int64)
        out = ops.convolution(features, weights["weight"], [1, 1], zero, zero, [1, 1])
        return ops.add(out, weights["bias"].reshape(1, -1, 1, 1))
    if kind == "PReLU":
        return ops.prelu(features, weights["weight"])
    if kind == "MaxPool2d":
        size, stride = layer.kernel_size, layer.stride
        return ops.max_pool(
            features, [stride] * 2, [1, 1], [0, 0], [0, 0], [size] * 2, "ceil", "explicit"
        ).output(0)
    if kind == "Linear":
        return ops.add(ops.matmul(features, weights["weight"], False, True), weights["bias"])
    raise FaceError(f"unknown layer type {kind!r} in MTCNN")
