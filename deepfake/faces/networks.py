"""MTCNN's three networks with facenet-pytorch's weights, in OpenVINO on the CPU or in PyTorch.

Both take uint8 pictures, channels last, and scale them as the networks were trained:
(pixel - 127.5) / 128.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from deepfake.errors import FaceError

__all__ = [
    "BackendName",
    "Networks",
    "OpenVinoNetworks",
    "TorchNetworks",
    "create_networks",
    "weights_digest",
]

BackendName = Literal["auto", "openvino", "torch"]
NetworkName = Literal["pnet", "rnet", "onet"]
Pictures = NDArray[np.uint8]
Outputs = tuple[NDArray[np.float32], ...]

_NETWORKS: tuple[NetworkName, ...] = ("pnet", "rnet", "onet")


class Networks(Protocol):
    """Runs the three networks."""

    def pnet(self, picture: Pictures) -> Outputs:
        """Return offsets (4, h, w) and face probabilities (h, w) of one picture (H, W, 3)."""
        ...

    def rnet(self, crops: Pictures) -> Outputs:
        """Return offsets (N, 4) and face probabilities (N,) of crops (N, 24, 24, 3)."""
        ...

    def onet(self, crops: Pictures) -> Outputs:
        """Return offsets (N, 4), landmarks (N, 10) and probabilities (N,) of (N, 48, 48, 3).

        Landmarks are five x, then five y, as shares of the box.
        """
        ...


@cache
def weights_digest() -> str:
    """Return 16 hex digits of SHA-256 over the three networks' weight files."""
    import facenet_pytorch

    folder = Path(facenet_pytorch.__file__).parent / "data"
    digest = hashlib.sha256()
    for name in _NETWORKS:
        try:
            digest.update((folder / f"{name}.pt").read_bytes())
        except OSError as error:
            raise FaceError(f"the weights of {name} are missing", path=folder) from error
    return digest.hexdigest()[:16]


def create_networks(backend: BackendName = "auto", *, device: str = "cpu") -> Networks:
    """Build the networks.

    Args:
        backend: `auto` is OpenVINO on the CPU where it is installed, else PyTorch.
        device: `cpu` or `cuda`; the latter is PyTorch's.

    Raises:
        FaceError: They cannot be built.
    """
    if device == "cpu" and backend != "torch":
        try:
            return OpenVinoNetworks()
        except ImportError as error:
            if backend == "openvino":
                raise FaceError(f"OpenVINO is not installed ({error})") from error
    try:
        return TorchNetworks(device=device)
    except (OSError, RuntimeError) as error:
        raise FaceError(f"MTCNN could not be built on {device} ({error})") from error


def _modules() -> dict[NetworkName, Any]:
    from facenet_pytorch.models.mtcnn import ONet, PNet, RNet

    return {"pnet": PNet().eval(), "rnet": RNet().eval(), "onet": ONet().eval()}


class TorchNetworks:
    """The reference, and what runs on CUDA."""

    def __init__(self, *, device: str = "cpu") -> None:
        import torch

        self._torch = torch
        self._device = torch.device(device)
        self._modules = {name: m.to(self._device) for name, m in _modules().items()}

    def _run(self, name: NetworkName, pictures: Pictures) -> Outputs:
        torch = self._torch
        with torch.inference_mode():
            batch = torch.from_numpy(np.ascontiguousarray(pictures)).to(self._device)
            scaled = (batch.permute(0, 3, 1, 2).float() - 127.5) * 0.0078125
            return tuple(out.cpu().numpy() for out in self._modules[name](scaled))

    def pnet(self, picture: Pictures) -> Outputs:
        offsets, probs = self._run("pnet", picture[None])
        return offsets[0], probs[0, 1]

    def rnet(self, crops: Pictures) -> Outputs:
        offsets, probs = self._run("rnet", crops)
        return offsets, probs[:, 1]

    def onet(self, crops: Pictures) -> Outputs:
        offsets, landmarks, probs = self._run("onet", crops)
        return offsets, landmarks, probs[:, 1]


class OpenVinoNetworks:
    """On the CPU, in f32 by name; one engine a network takes all sizes."""

    def __init__(self, *, num_threads: int = 1) -> None:
        import openvino

        settings = {
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": num_threads,
            "PERFORMANCE_HINT": "LATENCY",
        }
        core = openvino.Core()
        self._requests = {
            name: core.compile_model(
                _build_model(openvino, module), "CPU", settings
            ).create_infer_request()
            for name, module in _modules().items()
        }

    def _infer(self, name: NetworkName, pictures: Pictures) -> Outputs:
        request = self._requests[name]
        request.infer([pictures], share_inputs=True)
        # The next call writes over the request's own tensors.
        return tuple(np.array(out.data) for out in request.output_tensors)

    def pnet(self, picture: Pictures) -> Outputs:
        offsets, probs = self._infer("pnet", picture[None])
        return offsets[0], probs[0, 1]

    def rnet(self, crops: Pictures) -> Outputs:
        offsets, probs = self._infer("rnet", crops)
        return offsets, probs[:, 1]

    def onet(self, crops: Pictures) -> Outputs:
        offsets, landmarks, probs = self._infer("onet", crops)
        return offsets, landmarks, probs[:, 1]


def _build_model(openvino: Any, module: Any) -> Any:
    """Write a network's layers down as an OpenVINO graph over uint8 pictures, channels last.

    The layers stand in the module in the order in which they run; what is named `_1`, `_2` and so
    on are heads on the same features.
    """
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
    # Offsets, then landmarks where there are some, then probabilities, as the module gives them.
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
    raise FaceError(f"no layer of the kind {kind!r} is known in MTCNN")
