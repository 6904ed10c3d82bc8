"""Detectors of faces on disk: what `detector.json` says of one, and how it is read and written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from deepfake.config import (
    AggregationConfig,
    CropConfig,
    FaceConfig,
    HeadConfig,
    SamplingConfig,
    TrainConfig,
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
from deepfake.types import Kind
from deepfake.verdicts.judgement import (
    JudgementKind,
    JudgementSettings,
    judgement_for,
    judgement_plural,
    notes_on_calibration,
)

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "SCHEMA_VERSION",
    "Bundle",
    "DetectorSpec",
    "HeadSpec",
    "JoinedDetector",
    "load_bundle",
    "packaged_detector",
    "save_bundle",
]

SCHEMA_VERSION: Literal[3] = 3

_Channel = Annotated[float, Field(allow_inf_nan=False)]
_Deviation = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class HeadSpec(HeadConfig):
    """One output of a network, and how its logit becomes log-odds: `(logit - center) / scale`.

    Attributes:
        center: The logit at which its fakes and reals are as likely.
        scale: Logits that stand for one unit of log-odds.
    """

    center: float = Field(default=0.0, allow_inf_nan=False)
    scale: float = Field(default=1.0, gt=0, allow_inf_nan=False)

    @property
    def question(self) -> str:
        """The kind of fakes that it learns from; its own name where it learns from any.

        Heads with one question are averaged before heads are combined.
        """
        return self.name if self.learns_from == "any" else self.learns_from


class JoinedDetector(BaseModel):
    """A detector whose network is part of a joint one, as it was before."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    digest: str
    architecture: str = Field(min_length=1, max_length=200)
    input_size: int = Field(ge=32, le=1024)
    num_heads: int = Field(ge=1)
    """Logits of its network; they follow those of the networks before it."""
    crop: CropConfig
    """How the crops that it was trained on were cut."""
    data_digests: dict[str, str]
    metrics: dict[str, float | int | str | None]
    notes: tuple[str, ...] = ()
    """What a reader of the metrics must know, a sentence each."""
    train_config: TrainConfig


class DetectorSpec(BaseModel):
    """Everything about a detector except its weights."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[3] = SCHEMA_VERSION
    name: str = Field(min_length=1, max_length=200)
    architecture: str = Field(min_length=1, max_length=200)
    """timm's name; of a joint detector the names of its networks, with a `+` between them."""
    input_size: int = Field(ge=32, le=1024)
    """Side of the network's input, pixels."""
    mean: tuple[_Channel, _Channel, _Channel]
    """RGB, of a pixel scale of 0 to 1."""
    std: tuple[_Deviation, _Deviation, _Deviation]
    crop: CropConfig
    faces: FaceConfig
    sampling: SamplingConfig
    aggregation: AggregationConfig
    judgement: dict[JudgementKind, JudgementSettings] = Field(min_length=1)
    """By kind of evidence: `still`, `video`."""
    heads: tuple[HeadSpec, ...] = Field(default=(HeadSpec(),), min_length=1)
    """A crop's logit is the logarithm of the mean of their odds."""
    has_novelty: bool = False
    """Whether the network also returns how far a crop is from the training data."""
    prior: float = Field(default=0.5, gt=0, lt=1)
    """The share of fakes for which the calibrated probability holds."""
    data_digests: dict[str, str]
    """Corpus -> digest of the snapshot that was trained on."""
    calibration_digests: dict[str, str] = Field(default_factory=dict)
    """Corpus -> digest of the snapshot whose `val` part chose and calibrated."""
    metrics: dict[str, float | int | str | None] = Field(default_factory=dict)
    notes: tuple[str, ...] = ()
    """What a reader of the metrics must know, a sentence each; see `all_notes`. A joint detector
    has those of its networks in `joined`."""
    licence: str = "MIT"
    """Licence of the weights; the owners of the data may have further terms."""
    scope: str = ""
    """What the detector is for, and what it has not been shown to do."""
    pretrained_source: str
    seed: int
    code_version: str
    created_at: str
    """ISO 8601, UTC."""
    train_config: TrainConfig
    """Settings of the training; of a joint detector, those of its first network."""
    joined: tuple[JoinedDetector, ...] = ()
    """Detectors whose networks a joint detector has, in the order of its heads; else empty."""
    weights_sha256: str = Field(default="0" * 64, pattern=r"^[0-9a-f]{64}$")
    """Filled in by `save_bundle`."""

    @field_validator("heads")
    @classmethod
    def _have_unique_names(cls, heads: tuple[HeadSpec, ...]) -> tuple[HeadSpec, ...]:
        if len({head.name for head in heads}) < len(heads):
            raise ValueError("two heads have the same name")
        return heads

    @model_validator(mode="after")
    def _joins_all_heads(self) -> DetectorSpec:
        if self.joined and sum(one.num_heads for one in self.joined) != len(self.heads):
            raise ValueError("the networks that are joined have another number of heads")
        return self

    def judgement_of(self, kind: Kind) -> JudgementSettings:
        """Return the settings that the pictures of a medium are judged by.

        Raises:
            ConfigError: The detector has none for this kind of medium.
        """
        return judgement_for(self.judgement, kind)

    @property
    def all_notes(self) -> tuple[str, ...]:
        """Notes on training and on the probabilities of each kind, a sentence each."""
        return (*self.notes_on_training, *self._notes_on_probabilities)

    @property
    def notes_on_training(self) -> tuple[str, ...]:
        """Notes on training, a sentence each; of a joint detector they name the network."""
        if not self.joined:
            return self.notes
        # Detectors that earlier versions joined do not say which network a note is on.
        return (
            *(f"Of one of its networks: {note}" for note in self.notes),
            *(f"Of its network {one.name}: {note}" for one in self.joined for note in one.notes),
        )

    @property
    def _notes_on_probabilities(self) -> list[str]:
        return [note for own in self.judgement.values() for note in own.notes]

    @property
    def reading_notes(self) -> list[str]:
        """Notes for a reader of its verdicts, a sentence each: on scope and on probabilities."""
        notes = [*([self.scope] if self.scope else []), *self.notes_on_unseen]
        fitted = {kind: own.calibration for kind, own in self.judgement.items()}
        notes += notes_on_calibration(fitted, prior=self.prior)
        return [*notes, *self._notes_on_probabilities]

    @property
    def notes_on_unseen(self) -> list[str]:
        """How often fakes of kinds that it did not learn are called real, a sentence a kind."""
        sentences = [
            own.sentence_on_unseen(judgement_plural(kind)) for kind, own in self.judgement.items()
        ]
        return [sentence for sentence in sentences if sentence is not None]

    @property
    def made_with(self) -> dict[str, Any]:
        """Its training settings, under the names that every tracked run has."""
        return {
            **self.train_config.model_dump(mode="json"),
            "architecture": self.architecture,
            "input_size": self.input_size,
            "pretrained_source": self.pretrained_source,
            "chosen_aggregation": self.aggregation.video,
        }

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the network's outputs: `logit`, one logit a head if several, `novelty`."""
        heads = [f"logit_{head.name}" for head in self.heads] if len(self.heads) > 1 else []
        return ("logit", *heads, *(("novelty",) if self.has_novelty else ()))


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle whose weights were checked against their digest.

    Attributes:
        spec: Its description.
        path: Its folder.
        digest: 16 hex digits over the description and the weights.
    """

    spec: DetectorSpec
    path: Path
    digest: str

    @property
    def tags(self) -> dict[str, str]:
        """What identifies it, under the names that every tracked run has."""
        return {
            "model_name": self.spec.name,
            "model_digest": self.digest,
            "trained_on": ", ".join(f"{k}@{v}" for k, v in self.spec.data_digests.items()),
            "method": self.spec.train_config.method,
        }

    def state_dict(self) -> dict[str, Tensor]:
        """Read the weights onto the CPU.

        Raises:
            BundleError: The file is not in the safetensors format.
        """
        return read_weights(self.path)


def save_bundle(
    folder: Path, *, state_dict: Mapping[str, Tensor], spec: DetectorSpec, overwrite: bool = False
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
    return write_bundle_files(folder, state_dict=state_dict, spec=spec, overwrite=overwrite)


def load_bundle(folder: Path) -> Bundle:
    """Open a bundle and check its weights against their digest.

    Raises:
        BundleError: Incomplete, altered, of another schema version, or a detector of voices.
    """
    text, value = read_description(folder)
    reject_other_modality(value, wanted="faces", folder=folder)
    spec = _parse_spec(value, folder=folder)
    digest = check_weights(folder, text=text, weights_sha256=spec.weights_sha256)
    return Bundle(spec=spec, path=folder, digest=digest)


def packaged_detector() -> Path | None:
    """Return the folder of the bundle that ships with the package, if one does."""
    return packaged_bundle("packaged")


def _parse_spec(value: Any, *, folder: Path) -> DetectorSpec:
    version = value.get("schema_version") if isinstance(value, dict) else None
    if version == 2:
        value = _upgraded(value)
    elif version != SCHEMA_VERSION:
        raise BundleError(
            f"schema version {version!r} of the bundle is not 2 or {SCHEMA_VERSION}",
            path=folder,
            hint="Another version of this program wrote it: train the detector again.",
        )
    try:
        return DetectorSpec.model_validate(value)
    except ValidationError as error:
        raise BundleError(f"{DESCRIPTION_NAME}: {first_problem(error)}", path=folder) from error


_HEADS_OF_VERSION_2 = {"blended": "self_blended", "generated": "labelled"}
_NOTE_PREFIX_OF_VERSION_2 = "Probabilities for {kind}s "
"""How notes on one kind begin in files of version 2: frozen with that format, whatever the notes
of today say."""


def _upgraded(old: Mapping[str, Any]) -> dict[str, Any]:
    """Return a description of version 2, with its pairs of fields, as one of version 3."""
    new, judgement = {**old, "schema_version": SCHEMA_VERSION}, {}
    for kind in ("still", "video"):
        # Support is optional in version 2, the others are not: None is refused.
        own = {part: new.pop(f"{part}_{kind}", None) for part in ("calibration", "thresholds")}
        if (support := new.pop(f"support_{kind}", None)) is not None:
            own["support"] = support
        judgement[kind] = own
    new["judgement"] = judgement
    if isinstance(heads := old.get("heads"), list):
        new["heads"] = [_upgraded_head(head) for head in heads]
    if isinstance(notes := old.get("notes"), list):
        for kind, own in judgement.items():
            begin = _NOTE_PREFIX_OF_VERSION_2.format(kind=kind)
            own["notes"] = [note for note in notes if str(note).startswith(begin)]
        moved = [note for own in judgement.values() for note in own["notes"]]
        new["notes"] = [note for note in notes if note not in moved]
    return new


def _upgraded_head(head: Any) -> Any:
    if not isinstance(head, dict):
        return head
    return {**head, "learns_from": _HEADS_OF_VERSION_2.get(str(head.get("name")), "any")}
