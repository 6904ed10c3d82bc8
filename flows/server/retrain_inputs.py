"""Inputs of scheduled retraining: given to `deepfake setup`, kept with the deployment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect.client.schemas.responses import DeploymentResponse

from deepfake.corpora.dataset_names import reject_unknown_dataset
from deepfake.corpora.held_out import read_held_out_set
from deepfake.corpora.shards import VOICE, open_snapshot
from deepfake.errors import ConfigError, DataError
from deepfake.storage import DataRoot

__all__ = ["Retraining", "kept_retraining", "resolve_retraining"]

_FORMER_NAME = "deepfake-detector-demo"
"""With one epoch: the deployment that earlier versions made without being asked."""


@dataclass(frozen=True, slots=True)
class Retraining:
    """Inputs of retraining.

    Attributes:
        corpora: Ingested corpora to learn from.
        folders: Folders to learn from, absolute; ingested anew by each run.
        held_out: The held-out set that decides; None for the policy's.
        name: The registered detector; None for the default.
    """

    corpora: tuple[str, ...]
    folders: tuple[str, ...] = ()
    held_out: str | None = None
    name: str | None = None

    def parameters(self) -> dict[str, Any]:
        """Return the parameters of the deployment."""
        inputs = {
            "dataset": [*self.corpora, *self.folders],
            "held_out": self.held_out,
            "name": self.name,
        }
        return {key: value for key, value in inputs.items() if value is not None}

    def __str__(self) -> str:
        learnt = ", ".join([*self.corpora, *self.folders])
        decides = f"held-out set {self.held_out}" if self.held_out else "no held-out set"
        return f"on {learnt}; {decides}" + (f"; as {self.name}" if self.name else "")


def kept_retraining(deployment: DeploymentResponse | None) -> Mapping[str, Any]:
    """Return the inputs that an earlier `deepfake setup` has set; empty if there are none."""
    if deployment is None:
        return {}
    parameters = deployment.parameters
    if parameters.get("name") == _FORMER_NAME and parameters.get("epochs") == 1:
        return {}
    return {k: parameters[k] for k in ("dataset", "held_out", "name") if k in parameters}


def resolve_retraining(
    root: DataRoot,
    *,
    dataset: list[str] | None,
    held_out: str | None,
    name: str | None,
    kept: Mapping[str, Any],
) -> Retraining | None:
    """Return the inputs of retraining: those given now, and for the others those set before.

    Args:
        root: The data root.
        dataset: Corpora and folders; None keeps those that were set before.
        held_out: The held-out set that decides; None keeps the one that was set before.
        name: The registered detector; None keeps the one that was set before.
        kept: From `kept_retraining`.

    Returns:
        None if no corpus or folder was ever set.

    Raises:
        ConfigError: A corpus, folder or held-out set does not exist, a corpus is of speech, or a
            held-out set or name is given while no corpus or folder was ever set.
    """
    chosen = [_lasting(root, one) for one in dataset or ()] or list(kept.get("dataset", ()))
    if not chosen:
        if held_out is not None or name is not None:
            raise ConfigError("there is no corpus to retrain on", hint="Add --dataset CORPUS.")
        return None
    if held_out is not None:
        read_held_out_set(root, held_out)
    return Retraining(
        corpora=tuple(one for one in chosen if "/" not in one),
        folders=tuple(one for one in chosen if "/" in one),
        held_out=held_out or kept.get("held_out"),
        name=name or kept.get("name"),
    )


def _lasting(root: DataRoot, dataset: str) -> str:
    """Return the name of a corpus, or a folder's absolute path: runs may work elsewhere."""
    reject_unknown_dataset(dataset, root=root)
    if not root.has_corpus(dataset):
        return str(Path(dataset).absolute())
    if _is_speech(dataset, root=root):
        raise ConfigError(
            f"{dataset} is a corpus of speech, and what retrains by itself are detectors of faces",
            hint=f"Run `deepfake retrain --modality voice --dataset {dataset}` yourself.",
        )
    return dataset


def _is_speech(corpus: str, *, root: DataRoot) -> bool:
    try:
        return open_snapshot(root, corpus).kind == VOICE
    except DataError:
        return False  # a snapshot that is gone may be made again until a run needs it
