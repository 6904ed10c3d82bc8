"""Recognise the layout of a folder by names that only one corpus uses; never its labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from deepfake.storage import Location

__all__ = ["layout_hint", "recognise_layout"]


def recognise_layout(place: Location) -> str | None:
    """Return the value of `--layout` that a corpus looks made for; None where it looks like none.

    Args:
        place: Folder or CSV file of the corpus; one in a store is not looked at.

    Example:
        >>> recognise_layout(Path("labels.csv")) is None  # there is no such file
        True
    """
    if not isinstance(place, Path):
        return None
    try:
        if place.is_file():
            return "csv" if place.suffix.lower() == ".csv" else None
        return next((layout for layout, is_it in _SIGNS.items() if is_it(place)), None)
    except OSError:  # a folder without access
        return None


def layout_hint(place: Location, *, otherwise: str) -> str:
    """Return the hint that offers the layout which a corpus looks made for.

    Args:
        place: Folder or CSV file of the corpus.
        otherwise: The hint where it looks like none.
    """
    found = recognise_layout(place)
    return otherwise if found is None else f"It looks like a corpus for --layout {found}."


def _has_any(*names: str) -> Callable[[Path], bool]:
    return lambda folder: any((folder / name).is_dir() for name in names)


def _has_metadata(folder: Path) -> bool:
    if not folder.is_dir():
        return False
    parts = [folder, *(path for path in folder.iterdir() if path.is_dir())]
    return any((part / "metadata.json").is_file() for part in parts)


def _has_list_of_splits(folder: Path) -> bool:
    """Return whether a `metadata.json` is a list, beside folders of splits."""
    metadata = folder / "metadata.json"
    if not metadata.is_file() or not _has_any("train", "dev", "test")(folder):
        return False
    with metadata.open("rb") as stream:
        return stream.read(64).lstrip().startswith(b"[")


_SIGNS: Mapping[str, Callable[[Path], bool]] = MappingProxyType(
    {
        "faceforensics": _has_any("original_sequences", "manipulated_sequences"),
        "celebdf": _has_any("Celeb-real", "Celeb-synthesis"),
        "fakeavceleb": _has_any(
            "RealVideo-RealAudio",
            "RealVideo-FakeAudio",
            "FakeVideo-RealAudio",
            "FakeVideo-FakeAudio",
        ),
        "asvspoof": _has_any(
            "ASVspoof2019_LA_cm_protocols",
            "LA/ASVspoof2019_LA_cm_protocols",
            "ASVspoof2021_DF_eval",
        ),
        "lavdf": _has_list_of_splits,
        "dfdc": _has_metadata,
    }
)
