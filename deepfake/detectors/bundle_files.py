"""Read and write the files of a detector bundle, whatever its evidence: a description and weights.

The weights are tensors alone, so that a bundle from a stranger cannot run code. Everything that
scoring needs to know is in `detector.json`; nothing is guessed from a name.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import uuid
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from safetensors import SafetensorError

from deepfake.config import Modality
from deepfake.errors import BundleError, UnreadableMediaError
from deepfake.storage import sha256_of, write_json

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "DESCRIPTION_NAME",
    "check_weights",
    "modality_of",
    "packaged_bundle",
    "read_description",
    "read_weights",
    "reject_other_modality",
    "write_bundle_files",
]

DESCRIPTION_NAME = "detector.json"
_WEIGHTS_NAME = "weights.safetensors"
_MAX_DESCRIPTION_BYTES = 4 * 2**20
_MAX_WEIGHTS_BYTES = 8 * 2**30
"""Sanity, not policy: the largest networks of timm take 4 GiB in f32."""

_OBJECTS: dict[Modality, str] = {"faces": "faces", "voice": "voices", "sync": "lips and sound"}
"""What a detector of each modality is of, for messages."""


def read_description(folder: Path) -> tuple[bytes, Any]:
    """Return the description of a bundle, as it lies there and as JSON.

    Raises:
        BundleError: There is none, it is too large, or no JSON.
    """
    text = _read_text(folder)
    try:
        return text, json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{DESCRIPTION_NAME} is not JSON ({error})", path=folder) from error


def _read_text(folder: Path) -> bytes:
    path = folder / DESCRIPTION_NAME
    if not path.is_file():
        raise BundleError(f"not a detector bundle: no {DESCRIPTION_NAME} in it", path=folder)
    if path.stat().st_size > _MAX_DESCRIPTION_BYTES:
        limit = f"{DESCRIPTION_NAME} is larger than {_MAX_DESCRIPTION_BYTES} bytes"
        raise BundleError(limit, path=folder)
    try:
        return path.read_bytes()
    except OSError as error:
        reason = f"{DESCRIPTION_NAME} cannot be read ({error.strerror})"
        raise BundleError(reason, path=folder) from error


def modality_of(description: Any) -> Modality:
    """Return what a detector is of; a description that names nothing is of faces.

    Args:
        description: From `read_description`.
    """
    found = description.get("modality") if isinstance(description, dict) else None
    if found == "voice":
        return "voice"
    return "sync" if found == "sync" else "faces"


def reject_other_modality(description: Any, *, wanted: Modality, folder: Path) -> None:
    """Reject a detector of something else.

    Args:
        description: From `read_description`.
        wanted: What the detector has to be of.
        folder: The bundle, for the message.

    Raises:
        BundleError: It is of something else.
    """
    found = modality_of(description)
    if found != wanted:
        raise BundleError(
            f"a detector of {_OBJECTS[found]}, and one of {_OBJECTS[wanted]} is needed here",
            path=folder,
        )


def check_weights(folder: Path, *, text: bytes, weights_sha256: str) -> str:
    """Check the weights against the description, and return the digest of both.

    Args:
        folder: The bundle.
        text: Its description, as it lies there.
        weights_sha256: Digest of the weights that the description names.

    Returns:
        16 hex digits.

    Raises:
        BundleError: The weights are missing, too large, or others.
    """
    weights = folder / _WEIGHTS_NAME
    if not weights.is_file():
        raise BundleError(f"the bundle has no {_WEIGHTS_NAME}", path=folder)
    if weights.stat().st_size > _MAX_WEIGHTS_BYTES:
        raise BundleError(f"the weights are larger than {_MAX_WEIGHTS_BYTES} bytes", path=folder)
    try:
        found = sha256_of(weights)
    except UnreadableMediaError as error:
        raise BundleError(error.message, path=weights) from error
    if found != weights_sha256:
        raise BundleError(
            "the weights do not have the digest that the description names", path=folder
        )
    return hashlib.sha256(text + found.encode()).hexdigest()[:16]


def read_weights(folder: Path) -> dict[str, Tensor]:
    """Read the weights of a bundle onto the CPU.

    Raises:
        BundleError: The file is not in the safetensors format.
    """
    # A description is read without PyTorch, which takes seconds to import.
    from safetensors.torch import load_file

    try:
        tensors: dict[str, Tensor] = load_file(folder / _WEIGHTS_NAME)
    except (OSError, SafetensorError) as error:
        raise BundleError(f"the weights cannot be read ({error})", path=folder) from error
    return tensors


def write_bundle_files(
    folder: Path, *, state_dict: Mapping[str, Tensor], spec: BaseModel, overwrite: bool = False
) -> Path:
    """Write a bundle, whole or not at all.

    Args:
        folder: The bundle's folder; its parents are made.
        state_dict: The network's tensors.
        spec: Its description; `weights_sha256` is filled in.
        overwrite: Replace a bundle that is there.

    Returns:
        The folder.

    Raises:
        BundleError: The folder exists already and `overwrite` is off, or it is not a bundle.
    """
    from safetensors.torch import save_file

    _check_target(folder, overwrite=overwrite)
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = folder.with_name(f"{folder.name}.{uuid.uuid4().hex[:8]}.part")
    temporary.mkdir()
    try:
        weights = temporary / _WEIGHTS_NAME
        # A clone each: safetensors refuses tensors that share memory, and wants them contiguous.
        tensors = {k: v.detach().cpu().contiguous().clone() for k, v in state_dict.items()}
        save_file(tensors, weights, metadata={"format": "pt"})
        final = spec.model_copy(update={"weights_sha256": sha256_of(weights)})
        write_json(temporary / DESCRIPTION_NAME, final.model_dump(mode="json"))
        _swap_in(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _check_target(folder: Path, *, overwrite: bool) -> None:
    if not folder.exists():
        return
    if not overwrite:
        raise BundleError("a bundle exists already", path=folder)
    if not (folder / DESCRIPTION_NAME).is_file():
        raise BundleError("not a bundle, so it is not overwritten", path=folder)


def _swap_in(temporary: Path, folder: Path) -> None:
    # A rename cannot replace a folder that is not empty: the old one is moved away first.
    old = folder.with_name(f"{temporary.name}.old")
    if folder.exists():
        folder.replace(old)
    temporary.replace(folder)
    shutil.rmtree(old, ignore_errors=True)


def packaged_bundle(name: str) -> Path | None:
    """Return the folder of a bundle that ships with the package, if there is one.

    Args:
        name: Of the folder.
    """
    folder = Path(str(resources.files("deepfake.detectors"))) / name
    return folder if (folder / DESCRIPTION_NAME).is_file() else None
