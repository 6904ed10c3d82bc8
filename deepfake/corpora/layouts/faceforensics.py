"""Scan FaceForensics++ and DeepFakeDetection, as the official download script stores them.

Source: the layout and the file names are those of github.com/ondyari/FaceForensics, `dataset/`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from deepfake.corpora.layouts.walk import (
    is_hidden,
    iter_files,
    layout_error,
    mark_misnamed,
    row_of_path,
)
from deepfake.corpora.manifest_row import ManifestRow
from deepfake.errors import CorpusError, DataError
from deepfake.storage import read_json
from deepfake.types import Label, Split, Status

__all__ = ["scan_faceforensics"]

_PARTS = {"original_sequences": Label.REAL, "manipulated_sequences": Label.FAKE}
_REAL_NAME = re.compile(r"(?P<identity>\d+)(?:__(?P<scene>.+))?")
_FAKE_NAME = re.compile(
    r"(?P<target_id>\d+)_(?P<source_id>\d+)(?:__(?P<scene>.+?)(?:__[A-Z0-9]+)?)?"
)
_MASKS = "masks"  # in the place of a compression: pictures of the manipulated region


def scan_faceforensics(root: Path, *, corpus: str) -> list[ManifestRow]:
    """Return a row for every video of the official tree.

    YouTube originals are named by video, actors' by person; both are used as the identity that
    links an original to its fakes. If `splits/` exists, the official lists give the splits.

    Args:
        root: The folder with `original_sequences` and `manipulated_sequences`, or one of them.
        corpus: Name of the corpus.

    Raises:
        CorpusError: Another layout, no video, or lists that are damaged or contradictory.
    """
    expected = "{original_sequences,manipulated_sequences}/<method>/<compression>/videos"
    if not any((root / part).is_dir() for part in _PARTS):
        raise layout_error(root, expected=expected)
    splits = _read_splits(root / "splits")
    rows = [
        _describe(
            replace(row_of_path(path, corpus=corpus), **columns), name=path.stem, splits=splits
        )
        for folder, columns in _iter_video_folders(root)
        for path in iter_files(folder)
    ]
    if not rows:
        raise CorpusError(f"no video in {expected}", path=root)
    return rows


def _iter_video_folders(root: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    for part, label in _PARTS.items():
        for videos in sorted((root / part).glob("*/*/videos")):
            compression, method = videos.parent.name, videos.parent.parent.name
            if compression == _MASKS or is_hidden(compression) or is_hidden(method):
                continue
            yield (
                videos,
                {
                    "label": label,
                    "method": "original" if label is Label.REAL else method,
                    "compression": compression,
                },
            )


def _describe(row: ManifestRow, *, name: str, splits: Mapping[str, Split]) -> ManifestRow:
    is_real = row.label is Label.REAL
    match = (_REAL_NAME if is_real else _FAKE_NAME).fullmatch(name)
    if match is None:
        return mark_misnamed(row, expected="<video>.mp4" if is_real else "<target>_<source>.mp4")
    ids: dict[str, Any] = match.groupdict()
    scene = ids.pop("scene")
    shown = ids["identity" if is_real else "target_id"]
    row = replace(row, original=shown if scene is None else f"{shown}__{scene}")
    found = {splits.get(value) for value in ids.values()}
    if len(found) > 1:
        message = f"the official lists do not put {' and '.join(ids.values())} into one split"
        return replace(row, **ids, status=Status.ERROR, message=message, error_type="CorpusError")
    return replace(row, **ids, split=found.pop())


def _read_splits(folder: Path) -> dict[str, Split]:
    if not folder.is_dir():
        return {}
    splits: dict[str, Split] = {}
    for split in Split:
        for video in _read_pairs(folder / f"{split}.json"):
            if splits.setdefault(video, split) is not split:
                raise CorpusError(
                    f"video {video} is listed in both {splits[video]} and {split}", path=folder
                )
    return splits


def _read_pairs(path: Path) -> Iterator[str]:
    try:
        pairs = read_json(path)
    except DataError as error:
        raise CorpusError(error.message, path=path) from error
    is_list = isinstance(pairs, list) and all(isinstance(pair, list) for pair in pairs)
    if not is_list or not all(isinstance(video, str) for pair in pairs for video in pair):
        raise CorpusError('expected a list of pairs such as ["004", "982"]', path=path)
    return (video for pair in pairs for video in pair)
