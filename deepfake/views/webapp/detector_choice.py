"""The detectors that a visitor can choose from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from deepfake.detectors.bundles import packaged_detector
from deepfake.errors import DeepfakeError
from deepfake.registry import CHAMPION, MODEL_NAME, list_versions, tracking_uri
from deepfake.views.webapp.display_names import display_names
from deepfake.views.webapp.settings import AppSettings

__all__ = ["DetectorChoices", "list_detectors"]


@dataclass(frozen=True)
class DetectorChoices:
    """The detectors that a visitor can choose from.

    Attributes:
        labels: Label by the name that `resolve_detector` takes; the first is the default.
        note: Why the detectors of the registry are missing; None where they are not.
    """

    labels: dict[str, str]
    note: str | None = None


def list_detectors(settings: AppSettings) -> DetectorChoices:
    """Return the detector of the settings, those of the registry, and the packaged one."""
    labels: dict[str, str] = {}
    if settings.weights is not None:
        (shown,) = display_names([settings.weights], settings=settings).values()
        labels[settings.weights] = f"{shown} (named at the start)"
    note = None
    try:
        labels |= _registered_detectors(settings.data_root)
    except DeepfakeError as error:
        # The address of the registry may contain a password.
        reason = error.message if settings.is_showing_paths else "the registry does not answer"
        note = f"The registry's detectors cannot be offered: {reason}."
    if packaged_detector() is not None:
        labels.setdefault("packaged", "packaged (comes with the program)")
    return DetectorChoices(labels, note)


def _registered_detectors(data_root: Path) -> dict[str, str]:
    versions = list_versions(uri=tracking_uri(data_root))
    found = sorted(versions, key=lambda v: (CHAMPION not in v.aliases, -v.version))
    return {
        f"models:/{MODEL_NAME}/{version.version}": " ".join(
            [f"{MODEL_NAME} version {version.version}", *(f"({a})" for a in version.aliases)]
        )
        for version in found
    }
