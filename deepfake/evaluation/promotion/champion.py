"""The detector that a challenger is compared with."""

from __future__ import annotations

from dataclasses import dataclass

from deepfake.detectors.bundles import Bundle, load_bundle
from deepfake.detectors.identity import DetectorIdentity
from deepfake.errors import UnknownModelError
from deepfake.evaluation.promotion.decision import Contender
from deepfake.registry import CHAMPION
from deepfake.registry.resolve import resolve_detector, resolve_packaged
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
    bundle: Bundle

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


def find_champion(name: str, *, data_root: Location) -> Champion:
    """Return the champion of a model; where it has none the packaged detector, as it is.

    Args:
        name: Of the registered model.
        data_root: The data root.

    Raises:
        UnknownModelError: It has none, and no detector is packaged.
    """
    identity = _identity(name, data_root=data_root)
    return Champion(identity, load_bundle(identity.path))


def _identity(name: str, *, data_root: Location) -> DetectorIdentity:
    try:
        return resolve_detector(f"models:/{name}@{CHAMPION}", data_root=data_root)[0]
    except UnknownModelError:
        packaged = resolve_packaged()
    if packaged is None:
        raise UnknownModelError(
            f"{name!r} has no champion to compare with, and no detector is packaged",
            hint="Make one champion with `deepfake models promote VERSION`.",
        )
    return packaged
