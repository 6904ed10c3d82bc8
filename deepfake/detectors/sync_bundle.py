"""Stand-in: detectors of mismatches between lips and sound, on disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from deepfake.config import SpeechConfig, first_problem
from deepfake.config.sync import MouthConfig
from deepfake.detectors.bundle_files import (
    DESCRIPTION_NAME,
    check_weights,
    packaged_bundle,
    read_description,
    reject_other_modality,
    write_bundle_files,
)
from deepfake.errors import BundleError
from deepfake.verdicts.sync import SyncJudgement

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "SyncBundle",
    "SyncSpec",
    "load_sync_bundle",
    "packaged_sync_detector",
    "save_sync_bundle",
]


class SyncSpec(BaseModel):
    """Everything about a detector of mismatches except its weights."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    modality: Literal["sync"] = "sync"
    name: str = Field(min_length=1, max_length=200)
    mouths: MouthConfig = MouthConfig()
    speech: SpeechConfig = SpeechConfig()
    judgement: SyncJudgement = SyncJudgement()
    weights_sha256: str = Field(default="0" * 64, pattern=r"^[0-9a-f]{64}$")

    @property
    def reading_notes(self) -> list[str]:
        """Notes for a reader of its verdicts, a sentence each."""
        return list(self.judgement.notes)


@dataclass(frozen=True, slots=True)
class SyncBundle:
    """A bundle whose weights were checked against their digest."""

    spec: SyncSpec
    path: Path
    digest: str


def save_sync_bundle(
    folder: Path, *, state_dict: Mapping[str, Tensor], spec: SyncSpec, overwrite: bool = False
) -> Path:
    """Write a bundle, whole or not at all."""
    return write_bundle_files(folder, state_dict=state_dict, spec=spec, overwrite=overwrite)


def load_sync_bundle(folder: Path) -> SyncBundle:
    """Open a bundle and check its weights against their digest."""
    text, value = read_description(folder)
    reject_other_modality(value, wanted="sync", folder=folder)
    try:
        spec = SyncSpec.model_validate(value)
    except ValidationError as error:
        raise BundleError(f"{DESCRIPTION_NAME}: {first_problem(error)}", path=folder) from error
    digest = check_weights(folder, text=text, weights_sha256=spec.weights_sha256)
    return SyncBundle(spec=spec, path=folder, digest=digest)


def packaged_sync_detector() -> Path | None:
    """Return the folder of the detector that ships with the package, if one does."""
    return packaged_bundle("packaged_sync")
