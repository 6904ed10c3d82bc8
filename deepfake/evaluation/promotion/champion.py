"""The detector that a challenger is compared with."""

from __future__ import annotations

from dataclasses import dataclass

from deepfake.config import Modality
from deepfake.detectors.identity import DetectorIdentity
from deepfake.detectors.open_bundle import AnyBundle, open_bundle
from deepfake.errors import UnknownModelError
from deepfake.evaluation.promotion.decision import Contender
from deepfake.registry import CHAMPION
from deepfake.registry.resolve import resolve_detector, resolve_packaged, resolve_voice_or_fail
from deepfake.storage import Location

__all__ = ["Champion", "find_champion"]


@dataclass(frozen=True, slots=True)
class Champion:
    """The version that is challenged, or the packaged detector where nobody is champion.

    Attributes:
        identity: Its name, version and folder.
        bundle: What lies there.
    """

    identity: DetectorIdentity
    bundle: AnyBundle

    @property
    def version(self) -> int | None:
        """Of the registered model; None for the packaged detector."""
        return None if self.identity.version is None else int(self.identity.version)

    @property
    def contender(self) -> Contender:
        """What a decision records of it."""
        return Contender(
            name=self.identity.name, version=self.identity.version, digest=self.bundle.digest
        )

    def as_record(self) -> dict[str, str | None]:
        """Return what a summary says of it."""
        return self.contender.model_dump()


def find_champion(name: str, *, modality: Modality = "faces", data_root: Location) -> Champion:
    """Return the champion of a model; where it has none the packaged detector, as it is.

    Args:
        name: Of the registered model.
        modality: What its detectors are of.
        data_root: The data root.

    Raises:
        BundleError: Its champion is a detector of the other modality.
        UnknownModelError: It has none, and no detector of the modality is packaged.
    """
    identity = _identity(name, modality=modality, data_root=data_root)
    return Champion(identity, open_bundle(identity.path))


def _identity(name: str, *, modality: Modality, data_root: Location) -> DetectorIdentity:
    resolve = resolve_voice_or_fail if modality == "voice" else resolve_detector
    try:
        return resolve(f"models:/{name}@{CHAMPION}", data_root=data_root)[0]
    except UnknownModelError:
        packaged = resolve_packaged(modality)
    if packaged is None:
        raise UnknownModelError(
            f"{name!r} has no champion to compare with, and no detector of {modality} is packaged",
            hint=f"Make one champion with `deepfake models promote VERSION --name {name}`.",
        )
    return packaged
