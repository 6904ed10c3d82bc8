"""Scan ASVspoof 2019 LA and ASVspoof 2021 DF: speech, labelled by the lists of the challenges.

Source: the layouts are those of datashare.ed.ac.uk/handle/10283/3336 (2019, `README.LA.txt`) and of
zenodo.org/records/4835108 with the keys of asvspoof.org/index2021.html (2021).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from deepfake.corpora.layouts.walk import is_plain_name, iter_files, layout_error, row_of_path
from deepfake.corpora.manifest_row import ManifestRow
from deepfake.errors import CorpusError
from deepfake.types import Label, Split

__all__ = ["scan_asvspoof"]

_PROTOCOLS_2019 = "ASVspoof2019_LA_cm_protocols"
_PARTS_2019 = (
    ("train", "train.trn", Split.TRAIN),
    ("dev", "dev.trl", Split.VAL),
    ("eval", "eval.trl", Split.TEST),
)
_RECORDINGS_2021 = "ASVspoof2021_DF_eval/flac"
_KEYS_2021 = "keys/DF/CM/trial_metadata.txt"
_EXPECTED = (
    f"{_PROTOCOLS_2019} and ASVspoof2019_LA_{{train,dev,eval}}/flac, or {_RECORDINGS_2021} and "
    f"{_KEYS_2021}"
)

_LABELS = {"bonafide": Label.REAL, "spoof": Label.FAKE}
_NO_SYSTEM = frozenset({"-", "bonafide"})
"""What stands in the place of the system where there is none."""
_SUBSETS_2021 = frozenset({"eval", "progress", "hidden"})


@dataclass(frozen=True, slots=True)
class _Entry:
    """One line of a list."""

    name: str
    speaker: str
    label: Label
    method: str
    compression: str | None = None


@dataclass(frozen=True, slots=True)
class _Part:
    """Recordings with the list that labels them.

    Attributes:
        protocol: The list.
        recordings: The folder of its files, `NAME.flac`.
        split: Of all of them.
        parse: Returns the entry of a line's cells, None if it is damaged.
        example: A line of the list.
    """

    protocol: Path
    recordings: Path
    split: Split
    parse: Callable[[Sequence[str]], _Entry | None]
    example: str


def scan_asvspoof(root: Path, *, corpus: str) -> list[ManifestRow]:
    """Return a row for every file and every entry of the lists, with the official splits.

    All of 2021 is for testing. An entry without a file is a row with status `missing`; a file
    without an entry is unlabelled: the folders of 2019 also hold speech to enrol speakers with.

    Args:
        root: The folder `LA` of 2019 or the one that contains it, or the folder with
            `ASVspoof2021_DF_eval` and `keys`.
        corpus: Name of the corpus.

    Raises:
        CorpusError: Another layout, no entry, or a list that is missing or damaged; the message
            names the line.
    """
    parts = [*_iter_parts_2019(root), *_iter_parts_2021(root)]
    if not parts:
        raise layout_error(root, expected=_EXPECTED)
    rows = [row for part in parts for row in _scan_part(part, corpus=corpus)]
    if not rows:
        raise CorpusError("no recording and no entry in any list", path=root)
    return rows


def _iter_parts_2019(root: Path) -> Iterator[_Part]:
    folder = root if (root / _PROTOCOLS_2019).is_dir() else root / "LA"
    for name, stem, split in _PARTS_2019:
        part = _Part(
            protocol=folder / _PROTOCOLS_2019 / f"ASVspoof2019.LA.cm.{stem}.txt",
            recordings=folder / f"ASVspoof2019_LA_{name}" / "flac",
            split=split,
            parse=_parse_2019,
            example="LA_0079 LA_T_1138215 - - bonafide",
        )
        if part.protocol.is_file() or part.recordings.is_dir():
            yield part


def _iter_parts_2021(root: Path) -> Iterator[_Part]:
    part = _Part(
        protocol=root / _KEYS_2021,
        recordings=root / _RECORDINGS_2021,
        split=Split.TEST,
        parse=_parse_2021,
        example="LA_0023 DF_E_2000011 nocodec asvspoof A14 spoof notrim eval",
    )
    if part.protocol.is_file() or part.recordings.is_dir():
        yield part


def _scan_part(part: _Part, *, corpus: str) -> list[ManifestRow]:
    entries = {part.recordings / f"{e.name}.flac": e for e in _read_entries(part)}
    present = set(iter_files(part.recordings)) if part.recordings.is_dir() else set[Path]()
    return [
        _describe(row_of_path(path, corpus=corpus), entry=entries.get(path), split=part.split)
        for path in sorted(present | set(entries))
    ]


def _describe(row: ManifestRow, *, entry: _Entry | None, split: Split) -> ManifestRow:
    if entry is None:
        return row
    return replace(
        row,
        label=entry.label,
        method=entry.method,
        identity=entry.speaker,
        compression=entry.compression,
        split=split,
    )


def _read_entries(part: _Part) -> list[_Entry]:
    try:
        lines = part.protocol.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(
            f"the list of labels cannot be read ({error})",
            path=part.protocol,
            hint="The keys of 2021 are a download of their own: asvspoof.org/index2021.html",
        ) from error
    entries: list[_Entry] = []
    numbers: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        if line.strip():
            entry = _parse_line(line, number=number, part=part)
            entries.append(entry)
            _check_name(entry.name, number=number, numbers=numbers, path=part.protocol)
    return entries


def _parse_line(line: str, *, number: int, part: _Part) -> _Entry:
    entry = part.parse(line.split())
    if entry is None:
        raise CorpusError(
            f"line {number}: expected a line such as `{part.example}`, got {line!r}",
            path=part.protocol,
        )
    return entry


def _check_name(name: str, *, number: int, numbers: dict[str, int], path: Path) -> None:
    first = numbers.setdefault(name, number)
    if first != number:
        raise CorpusError(f"line {number}: {name} is already in line {first}", path=path)


def _parse_2019(cells: Sequence[str]) -> _Entry | None:
    if len(cells) != 5:
        return None
    speaker, name, _, system, key = cells
    return _entry(name, speaker=speaker, system=system, key=key)


def _parse_2021(cells: Sequence[str]) -> _Entry | None:
    if len(cells) < 8:
        return None
    speaker, name, compression, _, system, key, _, subset = cells[:8]
    if subset not in _SUBSETS_2021:
        return None
    return _entry(name, speaker=speaker, system=system, key=key, compression=compression)


def _entry(
    name: str, *, speaker: str, system: str, key: str, compression: str | None = None
) -> _Entry | None:
    label = _LABELS.get(key)
    is_real = label is Label.REAL
    if label is None or not is_plain_name(name) or is_real != (system in _NO_SYSTEM):
        return None
    return _Entry(name, speaker, label, "original" if is_real else system, compression)
