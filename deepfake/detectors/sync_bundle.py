"""Detectors of lips against sound on disk: what is said of one, and how it is read and written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from deepfake.config import (
    FaceConfig,
    MouthConfig,
    SpeechConfig,
    SyncExtractConfig,
    SyncTrainConfig,
    first_problem,
)
from deepfake.detectors.bundle_files import (
    DESCRIPTION_NAME,
    check_weights,
    packaged_bundle,
    read_description,
    read_weights,
    reject_other_modality,
    write_bundle_files,
)
from deepfake.errors import BundleError
from deepfake.verdicts.judgement import judgement_plural, notes_on_calibration
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

_VERSION: Literal[1] = 1


class SyncSpec(BaseModel):
    """Everything about a detector of lips that do not say the words, except its weights."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = _VERSION
    modality: Literal["sync"] = "sync"
    name: str = Field(min_length=1, max_length=200)
    architecture: Literal["two_towers"] = "two_towers"
    mouths: MouthConfig = MouthConfig()
    """How the runs that it takes are cut."""
    faces: FaceConfig = FaceConfig()
    """How faces are found."""
    speech: SpeechConfig = SpeechConfig()
    """What is taken for speech."""
    judgement: SyncJudgement = SyncJudgement()
    prior: float = Field(default=0.5, gt=0, lt=1)
    """The share of fakes for which the calibrated probability holds."""
    data_digests: dict[str, str]
    """Corpus -> digest of the snapshot that was trained on."""
    calibration_digests: dict[str, str] = Field(default_factory=dict)
    """Corpus -> digest of the snapshot whose `val` part calibrated."""
    metrics: dict[str, float | int | str | None] = Field(default_factory=dict)
    notes: tuple[str, ...] = ()
    """What a reader of the metrics must know, a sentence each."""
    licence: str = "MIT"
    """Licence of the weights; the owners of the data may have further terms."""
    scope: str = ""
    """What the detector is for, and what it has not been shown to do."""
    pretrained_source: str = "scratch"
    """Where its weights started, `scratch` for nowhere."""
    seed: int
    code_version: str
    created_at: str
    """ISO 8601, UTC."""
    train_config: SyncTrainConfig
    weights_sha256: str = Field(default="0" * 64, pattern=r"^[0-9a-f]{64}$")
    """Filled in by `save_sync_bundle`."""

    @field_validator("mouths")
    @classmethod
    def _fit_the_networks(cls, mouths: MouthConfig) -> MouthConfig:
        wanted, found = (
            (one.fps, one.size_px, one.lead_seconds) for one in (MouthConfig(), mouths)
        )
        if found != wanted:
            raise ValueError(
                f"fps, size_px and lead_seconds of the networks are {wanted}, got {found}"
            )
        return mouths

    @property
    def extract_config(self) -> SyncExtractConfig:
        """How the runs that it takes are found and cut."""
        return SyncExtractConfig(mouths=self.mouths, faces=self.faces, speech=self.speech)

    @property
    def all_notes(self) -> tuple[str, ...]:
        """Notes on training and on the probabilities, a sentence each."""
        return (*self.notes, *self.judgement.notes)

    @property
    def reading_notes(self) -> list[str]:
        """Notes for a reader of its verdicts, a sentence each: on scope and on probabilities."""
        unseen = self.judgement.sentence_on_unseen(judgement_plural("sync"))
        fitted = {"sync": self.judgement.calibration}
        return [
            *([self.scope] if self.scope else []),
            *([unseen] if unseen is not None else []),
            *notes_on_calibration(fitted, prior=self.prior),
            *self.judgement.notes,
        ]

    @property
    def made_with(self) -> dict[str, Any]:
        """Its training settings, under the names that every tracked run has."""
        return {**self.train_config.model_dump(mode="json"), "architecture": self.architecture}


@dataclass(frozen=True, slots=True)
class SyncBundle:
    """A bundle whose weights were checked against their digest.

    Attributes:
        spec: Its description.
        path: Its folder.
        digest: 16 hex digits over the description and the weights.
    """

    spec: SyncSpec
    path: Path
    digest: str

    @property
    def tags(self) -> dict[str, str]:
        """What identifies it, under the names that every tracked run has."""
        return {
            "model_name": self.spec.name,
            "model_digest": self.digest,
            "trained_on": ", ".join(f"{k}@{v}" for k, v in self.spec.data_digests.items()),
            "method": "sync",
        }

    def state_dict(self) -> dict[str, Tensor]:
        """Read the weights onto the CPU.

        Raises:
            BundleError: The file is not in the safetensors format.
        """
        return read_weights(self.path)


def save_sync_bundle(
    folder: Path, *, state_dict: Mapping[str, Tensor], spec: SyncSpec, overwrite: bool = False
) -> Path:
    """Write a bundle, whole or not at all, as `save_bundle` does.

    Raises:
        BundleError: The folder exists already and `overwrite` is off, or it is not a bundle.
    """
    return write_bundle_files(folder, state_dict=state_dict, spec=spec, overwrite=overwrite)


def load_sync_bundle(folder: Path) -> SyncBundle:
    """Open a bundle and check its weights against their digest.

    Raises:
        BundleError: Incomplete, altered, of another schema version, or another detector.
    """
    text, value = read_description(folder)
    reject_other_modality(value, wanted="sync", folder=folder)
    version = value.get("schema_version")
    if version != _VERSION:
        raise BundleError(
            f"schema version {version!r} of the bundle is not {_VERSION}",
            path=folder,
            hint="Another version of this program wrote it: train the detector again.",
        )
    try:
        spec = SyncSpec.model_validate(value)
    except ValidationError as error:
        raise BundleError(f"{DESCRIPTION_NAME}: {first_problem(error)}", path=folder) from error
    digest = check_weights(folder, text=text, weights_sha256=spec.weights_sha256)
    return SyncBundle(spec=spec, path=folder, digest=digest)


def packaged_sync_detector() -> Path | None:
    """Return the folder of the detector that ships with the package, if one does."""
    return packaged_bundle("packaged_sync")
