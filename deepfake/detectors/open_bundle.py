"""Open a detector of whatever modality a bundle holds."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

from deepfake.detectors.bundles import Bundle, load_bundle
from deepfake.detectors.sync_bundle import SyncBundle, load_sync_bundle
from deepfake.detectors.voice_bundle import VoiceBundle, load_voice_bundle, modality_of_bundle

__all__ = ["AnyBundle", "open_bundle"]

AnyBundle: TypeAlias = Bundle | VoiceBundle | SyncBundle


def open_bundle(folder: Path) -> AnyBundle:
    """Open a bundle of whatever modality, and check its weights against their digest.

    Raises:
        BundleError: Incomplete, altered, or of another schema version.
    """
    modality = modality_of_bundle(folder)
    if modality == "voice":
        return load_voice_bundle(folder)
    if modality == "sync":
        return load_sync_bundle(folder)
    return load_bundle(folder)
