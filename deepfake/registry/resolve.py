"""Choose the detector to use: the one named, else the registry's champion, else the packaged one.

Which one it was is always printed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from deepfake.config import Modality
from deepfake.detectors.bundles import load_bundle, packaged_detector
from deepfake.detectors.identity import DetectorIdentity
from deepfake.detectors.open_bundle import open_bundle
from deepfake.detectors.sync_bundle import load_sync_bundle, packaged_sync_detector
from deepfake.detectors.voice_bundle import load_voice_bundle, packaged_voice_detector
from deepfake.errors import BundleError, UnknownModelError
from deepfake.registry import (
    MODEL_NAME,
    SYNC_MODEL_NAME,
    VOICE_MODEL_NAME,
    ResolvedModel,
    champion_or_none,
    resolve_model_uri,
    tracking_uri,
)
from deepfake.storage import DataRoot, Location, StorePath, copy_folder_locally, location_of

__all__ = [
    "resolve_any_detector",
    "resolve_detector",
    "resolve_packaged",
    "resolve_sync_detector",
    "resolve_sync_or_fail",
    "resolve_voice_detector",
    "resolve_voice_or_fail",
]

_BY_NAME = "named by the user"


@dataclass(frozen=True, slots=True)
class _Modality:
    """What differs between detectors of faces, of voices, and of lips and sound.

    Attributes:
        model_name: Name under which the champion is registered.
        name_of: Reads a bundle, and returns its name.
        packaged: Returns the folder of the packaged one.
        option: What names a detector on the command line.
    """

    model_name: str
    name_of: Callable[[Path], str]
    packaged: Callable[[], Path | None]
    option: str


_FACES = _Modality(
    MODEL_NAME, lambda path: load_bundle(path).spec.name, packaged_detector, "--weights"
)
_VOICE = _Modality(
    VOICE_MODEL_NAME,
    lambda path: load_voice_bundle(path).spec.name,
    packaged_voice_detector,
    "--voice-weights",
)
_SYNC = _Modality(
    SYNC_MODEL_NAME,
    lambda path: load_sync_bundle(path).spec.name,
    packaged_sync_detector,
    "--sync-weights",
)
_OF: dict[Modality, _Modality] = {"faces": _FACES, "voice": _VOICE, "sync": _SYNC}
_ANY = replace(_FACES, name_of=lambda path: open_bundle(path).spec.name)


def resolve_detector(
    weights: str | None = None, *, data_root: Location = Path("data")
) -> tuple[DetectorIdentity, str]:
    """Return the detector to use, and a phrase that says how it was chosen.

    Args:
        weights: A bundle's folder, here or in a store, the name of a bundle under
            `<data-root>/detectors`, a registry URI `models:/NAME@ALIAS` or `models:/NAME/VERSION`,
            or `packaged`, unless a folder has that name.
        data_root: The data root.

    Raises:
        UnknownModelError: There is none.
        BundleError: The name leads to something else than a bundle.
    """
    found = _resolve(weights, modality=_FACES, data_root=data_root)
    if found is not None:
        return found
    raise UnknownModelError(
        "no detector: none was named, the registry has no champion, and none is packaged",
        hint="Name one with --weights FOLDER or --weights models:/NAME@ALIAS, or train one.",
    )


def resolve_voice_detector(
    weights: str | None = None, *, data_root: Location = Path("data")
) -> tuple[DetectorIdentity, str] | None:
    """Return the detector of voices to use and how it was chosen; None where there is none.

    Args:
        weights: As for `resolve_detector`.
        data_root: The data root.

    Raises:
        UnknownModelError: There is none of that name.
        BundleError: The name leads to something else than a detector of voices.
    """
    return _resolve(weights, modality=_VOICE, data_root=data_root)


def resolve_voice_or_fail(
    weights: str | None = None, *, data_root: Location = Path("data")
) -> tuple[DetectorIdentity, str]:
    """Return the detector of voices to use, and a phrase that says how it was chosen.

    Args:
        weights: As for `resolve_detector`.
        data_root: The data root.

    Raises:
        UnknownModelError: There is none.
        BundleError: The name leads to something else than a detector of voices.
    """
    found = resolve_voice_detector(weights, data_root=data_root)
    if found is not None:
        return found
    raise UnknownModelError(
        "no detector of voices: none was named, the registry has no champion, and none is packaged",
        hint="Train one with `deepfake train --modality voice`, and name it.",
    )


def resolve_sync_detector(
    weights: str | None = None, *, data_root: Location = Path("data")
) -> tuple[DetectorIdentity, str] | None:
    """Return the detector of lips against sound and how it was chosen; None where there is none.

    Args:
        weights: As for `resolve_detector`.
        data_root: The data root.

    Raises:
        UnknownModelError: There is none of that name.
        BundleError: The name leads to something else than a detector of lips against sound.
    """
    return _resolve(weights, modality=_SYNC, data_root=data_root)


def resolve_sync_or_fail(
    weights: str | None = None, *, data_root: Location = Path("data")
) -> tuple[DetectorIdentity, str]:
    """Return the detector of lips against sound, and a phrase that says how it was chosen.

    Args:
        weights: As for `resolve_detector`.
        data_root: The data root.

    Raises:
        UnknownModelError: There is none.
        BundleError: The name leads to something else than a detector of lips against sound.
    """
    found = resolve_sync_detector(weights, data_root=data_root)
    if found is not None:
        return found
    raise UnknownModelError(
        "no detector of lips against sound: none was named, the registry has no champion, and none "
        "is packaged",
        hint="Train one with `deepfake train --modality sync`, and name it.",
    )


def resolve_any_detector(
    weights: str, *, data_root: Location = Path("data")
) -> tuple[DetectorIdentity, str]:
    """Return the detector of a name, whatever it is of.

    Args:
        weights: As for `resolve_detector`.
        data_root: The data root.

    Raises:
        UnknownModelError: There is none.
        BundleError: The name leads to something else than a bundle.
    """
    return _named(weights, modality=_ANY, data_root=data_root)


def _resolve(
    weights: str | None, *, modality: _Modality, data_root: Location
) -> tuple[DetectorIdentity, str] | None:
    if weights is not None:
        return _named(weights, modality=modality, data_root=data_root)
    root = DataRoot(data_root)
    # Connecting creates a store; where there is none, none is asked.
    champion = champion_or_none(
        modality.model_name, uri=tracking_uri(root.here), cache=root.registry_cache
    )
    if champion is not None:
        return _registered(champion, modality=modality), "the registry's champion"
    packaged = _packaged(modality)
    return None if packaged is None else (packaged, "the packaged detector")


def _named(
    weights: str, *, modality: _Modality, data_root: Location
) -> tuple[DetectorIdentity, str]:
    root = DataRoot(data_root)
    if weights.startswith("models:/"):
        found = resolve_model_uri(weights, uri=tracking_uri(root.here), cache=root.registry_cache)
        return _registered(found, modality=modality), _BY_NAME
    folder = location_of(weights)
    kept = root.detectors / weights
    if isinstance(folder, Path) and not folder.exists() and kept.is_dir():
        folder = kept
    if weights == "packaged" and not folder.exists():
        packaged = _packaged(modality)
        if packaged is not None:
            return packaged, _BY_NAME
    if isinstance(folder, StorePath):
        folder = _fetched(folder)
    elif not folder.exists():
        raise UnknownModelError(
            "no such detector",
            path=weights,
            hint="Expected a detector's folder, models:/NAME@ALIAS, models:/NAME/VERSION, "
            "or packaged.",
        )
    return DetectorIdentity(folder.resolve(), modality.name_of(folder)), _BY_NAME


def _registered(found: ResolvedModel, *, modality: _Modality) -> DetectorIdentity:
    try:
        modality.name_of(found.path)
    except BundleError as error:
        # Other tools can register anything in MLflow.
        raise BundleError(
            f"{found.name} version {found.version} is not a deepfake detector that "
            f"{modality.option} can name: {error.message}",
            path=error.path,
            hint="Name another version; `deepfake models list` shows them, and "
            "`deepfake models rollback` goes back to the last champion.",
        ) from error
    return DetectorIdentity(found.path, found.name, str(found.version))


def _fetched(folder: StorePath) -> Path:
    try:
        return copy_folder_locally(folder)
    except FileNotFoundError as error:
        raise BundleError("no such folder", path=folder) from error


def resolve_packaged(modality: Modality = "faces") -> DetectorIdentity | None:
    """Return the detector of a modality that comes with the package; None where none does."""
    return _packaged(_OF[modality])


def _packaged(modality: _Modality) -> DetectorIdentity | None:
    folder = modality.packaged()
    return None if folder is None else DetectorIdentity(folder, modality.name_of(folder))
