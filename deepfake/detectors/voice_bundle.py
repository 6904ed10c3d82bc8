"""Detectors of voices on disk: what `detector.json` says of one, and how it is read and written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from deepfake.config import Modality, SpeechConfig, VoiceTrainConfig, first_problem
from deepfake.config.speech import SAMPLE_RATE
from deepfake.detectors.bundle_files import (
    DESCRIPTION_NAME,
    check_weights,
    modality_of,
    packaged_bundle,
    read_description,
    read_weights,
    reject_other_modality,
    write_bundle_files,
)
from deepfake.errors import BundleError
from deepfake.verdicts.judgement import judgement_plural, notes_on_calibration
from deepfake.verdicts.voice import VoiceJudgement

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "VoiceBundle",
    "VoiceSpec",
    "load_voice_bundle",
    "modality_of_bundle",
    "packaged_voice_detector",
    "save_voice_bundle",
]

_VERSION: Literal[1] = 1


class VoiceSpec(BaseModel):
    """Everything about a detector of voices except its weights."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = _VERSION
    modality: Literal["voice"] = "voice"
    name: str = Field(min_length=1, max_length=200)
    architecture: str = Field(min_length=1, max_length=200)
    speech: SpeechConfig
    """How the windows that it takes are cut."""
    judgement: VoiceJudgement = VoiceJudgement()
    has_novelty: bool = False
    """Whether the network also returns how far a window is from the training data."""
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
    train_config: VoiceTrainConfig
    weights_sha256: str = Field(default="0" * 64, pattern=r"^[0-9a-f]{64}$")
    """Filled in by `save_voice_bundle`."""

    @property
    def num_samples(self) -> int:
        """Samples of a window."""
        return round(self.speech.window_seconds * SAMPLE_RATE)

    @property
    def all_notes(self) -> tuple[str, ...]:
        """Notes on training and on the probabilities, a sentence each."""
        return (*self.notes, *self.judgement.notes)

    @property
    def reading_notes(self) -> list[str]:
        """Notes for a reader of its verdicts, a sentence each: on scope and on probabilities."""
        unseen = self.judgement.sentence_on_unseen(judgement_plural("voice"))
        fitted = {"voice": self.judgement.calibration}
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

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the network's outputs: `logit`, and `novelty` where it measures that."""
        return ("logit", *(("novelty",) if self.has_novelty else ()))


@dataclass(frozen=True, slots=True)
class VoiceBundle:
    """A bundle whose weights were checked against their digest.

    Attributes:
        spec: Its description.
        path: Its folder.
        digest: 16 hex digits over the description and the weights.
    """

    spec: VoiceSpec
    path: Path
    digest: str

    @property
    def tags(self) -> dict[str, str]:
        """What identifies it, under the names that every tracked run has."""
        return {
            "model_name": self.spec.name,
            "model_digest": self.digest,
            "trained_on": ", ".join(f"{k}@{v}" for k, v in self.spec.data_digests.items()),
            "method": "voice",
        }

    def state_dict(self) -> dict[str, Tensor]:
        """Read the weights onto the CPU.

        Raises:
            BundleError: The file is not in the safetensors format.
        """
        return read_weights(self.path)


def save_voice_bundle(
    folder: Path, *, state_dict: Mapping[str, Tensor], spec: VoiceSpec, overwrite: bool = False
) -> Path:
    """Write a bundle, whole or not at all, as `save_bundle` does.

    Raises:
        BundleError: The folder exists already and `overwrite` is off, or it is not a bundle.
    """
    return write_bundle_files(folder, state_dict=state_dict, spec=spec, overwrite=overwrite)


def load_voice_bundle(folder: Path) -> VoiceBundle:
    """Open a bundle and check its weights against their digest.

    Raises:
        BundleError: Incomplete, altered, of another schema version, or a detector of faces.
    """
    text, value = read_description(folder)
    reject_other_modality(value, wanted="voice", folder=folder)
    version = value.get("schema_version")
    if version != _VERSION:
        raise BundleError(
            f"schema version {version!r} of the bundle is not {_VERSION}",
            path=folder,
            hint="Another version of this program wrote it: train the detector again.",
        )
    try:
        spec = VoiceSpec.model_validate(value)
    except ValidationError as error:
        raise BundleError(f"{DESCRIPTION_NAME}: {first_problem(error)}", path=folder) from error
    digest = check_weights(folder, text=text, weights_sha256=spec.weights_sha256)
    return VoiceBundle(spec=spec, path=folder, digest=digest)


def packaged_voice_detector() -> Path | None:
    """Return the folder of the detector of voices that ships with the package, if one does."""
    return packaged_bundle("packaged_voice")


def modality_of_bundle(folder: Path) -> Modality:
    """Return what the detector in a bundle is of, without checking its weights.

    Raises:
        BundleError: It is not a bundle.
    """
    _, value = read_description(folder)
    return modality_of(value)
