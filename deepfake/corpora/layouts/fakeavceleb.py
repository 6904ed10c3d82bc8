"""Scan FakeAVCeleb 1.2: folders that say of picture and sound whether they are fake.

Source: Khalid et al., "FakeAVCeleb: A Novel Audio-Video Multimodal Deepfake Dataset", NeurIPS 2021;
github.com/DASH-Lab/FakeAVCeleb.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from deepfake.config import Modality
from deepfake.corpora.layouts.walk import iter_files, layout_error, mark_misnamed, row_of_path
from deepfake.corpora.manifest_row import ManifestRow
from deepfake.errors import CorpusError
from deepfake.types import Label

__all__ = ["scan_fakeavceleb"]

_LABELS: Mapping[str, Mapping[Modality, Label]] = {
    "RealVideo-RealAudio": {"faces": Label.REAL, "voice": Label.REAL, "sync": Label.REAL},
    "RealVideo-FakeAudio": {"faces": Label.REAL, "voice": Label.FAKE, "sync": Label.FAKE},
    "FakeVideo-RealAudio": {"faces": Label.FAKE, "voice": Label.REAL, "sync": Label.FAKE},
    "FakeVideo-FakeAudio": {"faces": Label.FAKE, "voice": Label.FAKE, "sync": Label.FAKE},
}
_METADATA = "meta_data.csv"
_COLUMNS = ("type", "source", "path", "method")
_NAME = "<class>/<race>/<men or women>/id<person>/<clip>.mp4"
_PERSON = re.compile(r"id\d+")

_Methods: TypeAlias = Mapping[tuple[str, str, str], str]
"""By class, person and file name."""


def scan_fakeavceleb(root: Path, *, corpus: str, modality: Modality = "faces") -> list[ManifestRow]:
    """Return a row for every file of the four classes.

    A clip is in the folder of its person, the `source` of `meta_data.csv`. The name of a fake gives
    up to two more people, such as `00021_id01933_I5XXxgK7QpE_id00781_wavtolip.mp4`; no person may
    be in two splits, so they become target and source. Where there is a `meta_data.csv`, it gives
    the methods; else they are called after their class.

    Args:
        root: The folder with the classes, such as `RealVideo-FakeAudio`, or with some of them.
        corpus: Name of the corpus.
        modality: What the labels are of: for `faces` the picture, for `voice` the sound, for
            `sync` both: whether they were recorded together.

    Raises:
        CorpusError: Another layout, no file, or a damaged `meta_data.csv`.
    """
    folders = [root / name for name in _LABELS if (root / name).is_dir()]
    if not folders:
        raise layout_error(root, expected=f"the folders {', '.join(_LABELS)}")
    methods = _read_methods(root / _METADATA)
    rows = [
        _describe(
            replace(row_of_path(path, corpus=corpus), label=_LABELS[folder.name][modality]),
            below=(folder.name, *path.relative_to(folder).parts),
            methods=methods,
        )
        for folder in folders
        for path in iter_files(folder)
    ]
    if not rows:
        raise CorpusError(f"no video in {_NAME}", path=root)
    return rows


def _describe(row: ManifestRow, *, below: tuple[str, ...], methods: _Methods) -> ManifestRow:
    if len(below) != 5 or _PERSON.fullmatch(below[3]) is None:
        return mark_misnamed(row, expected=_NAME)
    class_name, _, _, person, name = below
    words = name.rpartition(".")[0].split("_")
    others = [word for word in words[1:] if _PERSON.fullmatch(word)]
    made_by = methods.get((class_name, person, name), class_name)
    return replace(
        row,
        method="original" if row.label is Label.REAL else made_by,
        identity=person,
        target_id=others[0] if others else None,
        source_id=others[-1] if len(others) > 1 else person if others else None,
        # `00109_fake` and `00109_10_id00476_wavtolip` are made from `00109`.
        original=f"{person}/{words[0]}",
    )


def _read_methods(path: Path) -> _Methods:
    methods: dict[tuple[str, str, str], str] = {}
    for cells in _iter_lines(path):
        key = (cells["type"], cells["source"], cells["path"].rpartition("/")[2])
        methods.setdefault(key, cells["method"])  # some files are listed twice
    return methods


def _iter_lines(path: Path) -> Iterator[dict[str, str]]:
    if not path.is_file():
        return
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            # Below a last column without a name are folders, which name and class give already.
            reader = csv.DictReader(stream, strict=True)
            if not set(_COLUMNS) <= set(reader.fieldnames or ()):
                raise CorpusError(f"expected the columns {', '.join(_COLUMNS)}", path=path)
            for cells in reader:
                if not all(cells[column] for column in _COLUMNS):
                    expected = f"a value for each of {', '.join(_COLUMNS)}"
                    raise CorpusError(f"line {reader.line_num}: expected {expected}", path=path)
                yield {column: cells[column].strip() for column in _COLUMNS}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CorpusError(f"not a CSV file in UTF-8 ({error})", path=path) from error
