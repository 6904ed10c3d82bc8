"""Scan LAV-DF: a list of files whose sound, pictures or both were changed for some moments.

Source: Cai et al., "Do You Really Mean That? Content Driven Audio-Visual Deepfake Dataset and
Multimodal Method for Temporal Forgery Localization", DICTA 2022; github.com/ControlNet/LAV-DF.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from deepfake.config import Modality
from deepfake.corpora.layouts.walk import is_hidden, layout_error, row_of_path
from deepfake.corpora.manifest_row import Intervals, ManifestRow
from deepfake.errors import CorpusError, DataError
from deepfake.storage import read_json
from deepfake.types import Label, Split

__all__ = ["scan_lavdf"]

_METADATA = "metadata.json"
_SPLITS = {"train": Split.TRAIN, "dev": Split.VAL, "test": Split.TEST}


@dataclass(frozen=True, slots=True)
class _Entry:
    """What the list says of a file."""

    file: str
    split: Split
    original: str | None
    is_video_changed: bool
    is_sound_changed: bool
    intervals: Intervals

    def is_fake(self, modality: Modality) -> bool:
        """Return whether what is looked at was changed; of lips with sound, either."""
        if modality == "faces":
            return self.is_video_changed
        if modality == "voice":
            return self.is_sound_changed
        return self.is_video_changed or self.is_sound_changed

    @property
    def method(self) -> str:
        """What was changed."""
        if self.is_video_changed and self.is_sound_changed:
            return "video and audio"
        return (
            "video" if self.is_video_changed else "audio" if self.is_sound_changed else "original"
        )


def scan_lavdf(root: Path, *, corpus: str, modality: Modality = "faces") -> list[ManifestRow]:
    """Return a row for every entry of `metadata.json`, and for every file beside them.

    An entry without a file is a row with status `missing`; a file without an entry is unlabelled.
    A file and what was made from it are in one group. `fake_intervals` says when a fake was
    changed; a file of which only the other part was changed is a real, with no intervals.

    Args:
        root: The folder with `metadata.json` and the folders `train`, `dev` and `test`.
        corpus: Name of the corpus.
        modality: What the labels are of: for `faces` whether the picture was changed, for `voice`
            the sound, for `sync` either.

    Raises:
        CorpusError: No `metadata.json`, one in another format, or no entry.
    """
    path = root / _METADATA
    if not path.is_file():
        raise layout_error(root, expected=f"a {_METADATA} beside the folders {', '.join(_SPLITS)}")
    entries = {entry.file: entry for entry in _read_entries(path)}
    rows = [
        _describe(row_of_path(root / name, corpus=corpus), entries.get(name), modality=modality)
        for name in sorted(_names_below(root) | set(entries))
    ]
    if not rows:
        raise CorpusError("no video and no entry", path=path)
    return rows


def _names_below(root: Path) -> set[str]:
    folders = [root / name for name in _SPLITS if (root / name).is_dir()]
    return {
        f"{folder.name}/{path.name}"
        for folder in folders
        for path in folder.iterdir()
        if not is_hidden(path.name)
    }


def _describe(row: ManifestRow, entry: _Entry | None, *, modality: Modality) -> ManifestRow:
    if entry is None:
        return row
    is_fake = entry.is_fake(modality)
    original = entry.original or entry.file
    return replace(
        row,
        label=Label.FAKE if is_fake else Label.REAL,
        method=entry.method if is_fake else "original",
        target_id=original,
        original=original,
        split=entry.split,
        fake_intervals=entry.intervals if is_fake else (),
    )


def _read_entries(path: Path) -> list[_Entry]:
    try:
        entries = read_json(path)
    except DataError as error:
        raise CorpusError(error.message, path=path) from error
    if not isinstance(entries, list):
        raise CorpusError("expected a list of entries", path=path)
    return [_entry_of(entry, number=number, path=path) for number, entry in enumerate(entries, 1)]


def _entry_of(entry: object, *, number: int, path: Path) -> _Entry:
    try:
        if not isinstance(entry, Mapping):
            raise ValueError(f"expected an object, got {entry!r}")
        return _Entry(
            file=_name_of(entry["file"]),
            split=_SPLITS[entry["split"]],
            original=None if entry.get("original") is None else _name_of(entry["original"]),
            is_video_changed=_flag_of(entry["modify_video"]),
            is_sound_changed=_flag_of(entry["modify_audio"]),
            intervals=_intervals_of(entry["fake_periods"]),
        )
    except KeyError as error:
        raise CorpusError(
            f"entry {number}: no value, or an unknown one, for {error}", path=path
        ) from error
    except (TypeError, ValueError) as error:
        raise CorpusError(f"entry {number}: {error}", path=path) from error


def _name_of(value: object) -> str:
    """Return the name of a file, which lies in a folder below that of the list."""
    if not isinstance(value, str) or "\\" in value or "\0" in value:
        raise ValueError(f"expected the name of a file, got {value!r}")
    parts = PurePosixPath(value).parts
    if len(parts) != 2 or parts[0] not in _SPLITS or parts[1] == "..":
        raise ValueError(f"expected the name of a file below {', '.join(_SPLITS)}, got {value!r}")
    return "/".join(parts)


def _flag_of(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"expected true or false, got {value!r}")
    return value


def _intervals_of(value: Any) -> Intervals:
    """Return begin and end of each change, seconds, ascending."""
    found = sorted((float(begin), float(end)) for begin, end in value)
    for begin, end in found:
        if not (math.isfinite(end) and 0 <= begin <= end):
            raise ValueError(f"expected intervals from begin to end, got {begin:g} to {end:g}")
    return tuple(found)
