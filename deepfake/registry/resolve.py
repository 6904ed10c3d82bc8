"""Choose the detector to use: the one named, else the registry's champion, else the packaged one.

Which one it was is always printed.
"""

from __future__ import annotations

from pathlib import Path

from deepfake.detectors.bundles import load_bundle, packaged_detector
from deepfake.detectors.identity import DetectorIdentity
from deepfake.errors import BundleError, UnknownModelError
from deepfake.registry import (
    ResolvedModel,
    champion_or_none,
    resolve_model_uri,
    tracking_uri,
)
from deepfake.storage import DataRoot, Location, StorePath, copy_folder_locally, location_of

__all__ = ["resolve_detector", "resolve_packaged"]

_BY_NAME = "named by the user"


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
    if weights is not None:
        return _named(weights, data_root=data_root)
    root = DataRoot(data_root)
    # Connecting creates a store; where there is none, none is asked.
    champion = champion_or_none(uri=tracking_uri(root.here), cache=root.registry_cache)
    if champion is not None:
        return _registered(champion), "the registry's champion"
    packaged = resolve_packaged()
    if packaged is not None:
        return packaged, "the packaged detector"
    raise UnknownModelError(
        "no detector: none was named, the registry has no champion, and none is packaged",
        hint="Name one with --weights FOLDER or --weights models:/NAME@ALIAS, or train one.",
    )


def _named(weights: str, *, data_root: Location) -> tuple[DetectorIdentity, str]:
    root = DataRoot(data_root)
    if weights.startswith("models:/"):
        found = resolve_model_uri(weights, uri=tracking_uri(root.here), cache=root.registry_cache)
        return _registered(found), _BY_NAME
    folder = location_of(weights)
    kept = root.detectors / weights
    if isinstance(folder, Path) and not folder.exists() and kept.is_dir():
        folder = kept
    if weights == "packaged" and not folder.exists():
        packaged = resolve_packaged()
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
    name = load_bundle(folder).spec.name
    return DetectorIdentity(folder.resolve(), name), _BY_NAME


def _registered(found: ResolvedModel) -> DetectorIdentity:
    try:
        load_bundle(found.path)
    except BundleError as error:
        # Other tools can register anything in MLflow.
        raise BundleError(
            f"{found.name} version {found.version} is not a deepfake detector: {error.message}",
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


def resolve_packaged() -> DetectorIdentity | None:
    """Return the detector that comes with the package; None where it was taken out."""
    folder = packaged_detector()
    return None if folder is None else DetectorIdentity(folder, load_bundle(folder).spec.name)
