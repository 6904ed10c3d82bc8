"""Which detectors a visitor may choose."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from deepfake.detectors.bundles import packaged_detector
from deepfake.errors import DeepfakeError
from deepfake.registry import CHAMPION, MODEL_NAME, list_versions
from deepfake.views.webapp.redaction import shown_names
from deepfake.views.webapp.settings import AppSettings

__all__ = ["Choices", "detector_choices"]


@dataclass(frozen=True)
class Choices:
    """What is offered.

    Attributes:
        labels: For people, by what `resolve_detector` takes; the first is the one to begin with.
        note: Why the registry's are lacking; None where they are not.
    """

    labels: dict[str, str]
    note: str | None = None


def detector_choices(settings: AppSettings) -> Choices:
    """Return the detectors on offer: the named one, the registry's, the packaged one."""
    labels: dict[str, str] = {}
    if settings.weights is not None:
        (shown,) = shown_names([settings.weights], settings=settings).values()
        labels[settings.weights] = f"{shown} (named at the start)"
    note = None
    try:
        labels |= _registered()
    except DeepfakeError as error:
        # The store's address is a place too, and may hold a password.
        why = error.message if settings.is_showing_places else "their store does not answer"
        note = f"The registry's detectors cannot be offered: {why}."
    if packaged_detector() is not None:
        labels.setdefault("packaged", "packaged (comes with the program)")
    return Choices(labels, note)


def _registered() -> dict[str, str]:
    # Asking a store that is not there would make one.
    if "MLFLOW_TRACKING_URI" not in os.environ and not Path("mlruns/mlflow.db").is_file():
        return {}
    found = sorted(list_versions(), key=lambda v: (CHAMPION not in v.aliases, -v.version))
    return {
        f"models:/{MODEL_NAME}/{version.version}": " ".join(
            [f"{MODEL_NAME} version {version.version}", *(f"({a})" for a in version.aliases)]
        )
        for version in found
    }
