"""ASVspoof 2019 LA and 2021 DF: their folders and lists."""

from __future__ import annotations

from pathlib import Path

import pytest

from deepfake.config import SplitConfig
from deepfake.corpora.layouts import recognise_layout, scan_corpus
from deepfake.corpora.manifest_row import ManifestRow
from deepfake.corpora.splits import assign_splits
from deepfake.errors import ConfigError, CorpusError
from deepfake.types import Label, Split, Status

_LISTS = {
    "train": "ASVspoof2019.LA.cm.train.trn.txt",
    "dev": "ASVspoof2019.LA.cm.dev.trl.txt",
    "eval": "ASVspoof2019.LA.cm.eval.trl.txt",
}
_LINES = {
    "train": "LA_0079 LA_T_1138215 - - bonafide\nLA_0079 LA_T_1271820 - A01 spoof\n",
    "dev": "LA_0069 LA_D_1047731 - - bonafide\nLA_0070 LA_D_1125976 - A06 spoof\n",
    "eval": "LA_0039 LA_E_2834763 - A11 spoof\n\nLA_0014 LA_E_8877452 - - bonafide\n",
}
_KEYS = (
    "LA_0023 DF_E_2000011 nocodec asvspoof A14 spoof notrim progress traditional_vocoder - - - -\n"
    "TEF2 DF_E_2000013 low_m4a vcc2020 Task1-team20 spoof notrim eval neural_vocoder Task1 team20\n"
    "TEM1 DF_E_2000099 mp3m4a vcc2020 - bonafide notrim eval bonafide - - - -\n"
    "LA_0008 DF_E_2000100 oggm4a asvspoof bonafide bonafide trim hidden\n"
)


def _put(path: Path, text: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def _tree_2019(root: Path, **lines: str) -> Path:
    for part, text in {**_LINES, **lines}.items():
        _put(root / "ASVspoof2019_LA_cm_protocols" / _LISTS[part], text)
        for line in _LINES[part].split("\n"):
            if line:
                _put(root / f"ASVspoof2019_LA_{part}/flac" / f"{line.split()[1]}.flac")
    return root


def _tree_2021(root: Path, keys: str = _KEYS) -> Path:
    _put(root / "keys/DF/CM/trial_metadata.txt", keys)
    for line in _KEYS.splitlines():
        _put(root / "ASVspoof2021_DF_eval/flac" / f"{line.split()[1]}.flac")
    return root


def _scan(root: Path) -> dict[str, ManifestRow]:
    rows = scan_corpus(root, corpus="c", layout="asvspoof", modality="voice")
    assert len({row.uri for row in rows}) == len(rows)
    return {Path(row.uri).stem: row for row in rows}


@pytest.mark.parametrize("below", ["", "LA"])
def test_2019_has_the_labels_systems_speakers_and_splits_of_its_lists(
    tmp_path: Path, below: str
) -> None:
    _tree_2019(tmp_path / below)
    rows = _scan(tmp_path)
    found = {n: (r.label, r.method, r.identity, r.split, r.status) for n, r in rows.items()}
    real, fake, ok = Label.REAL, Label.FAKE, Status.OK
    assert found == {
        "LA_T_1138215": (real, "original", "LA_0079", Split.TRAIN, ok),
        "LA_T_1271820": (fake, "A01", "LA_0079", Split.TRAIN, ok),
        "LA_D_1047731": (real, "original", "LA_0069", Split.VAL, ok),
        "LA_D_1125976": (fake, "A06", "LA_0070", Split.VAL, ok),
        "LA_E_2834763": (fake, "A11", "LA_0039", Split.TEST, ok),
        "LA_E_8877452": (real, "original", "LA_0014", Split.TEST, ok),
    }
    assert {row.compression for row in rows.values()} == {None}
    assert recognise_layout(tmp_path) == "asvspoof"


def test_2021_is_for_testing_and_has_attack_and_compression(tmp_path: Path) -> None:
    rows = _scan(_tree_2021(tmp_path))
    found = {n: (r.label, r.method, r.identity, r.compression) for n, r in rows.items()}
    assert found == {
        "DF_E_2000011": (Label.FAKE, "A14", "LA_0023", "nocodec"),
        "DF_E_2000013": (Label.FAKE, "Task1-team20", "TEF2", "low_m4a"),
        "DF_E_2000099": (Label.REAL, "original", "TEM1", "mp3m4a"),
        "DF_E_2000100": (Label.REAL, "original", "LA_0008", "oggm4a"),
    }
    assert {row.split for row in rows.values()} == {Split.TEST}
    assert recognise_layout(tmp_path) == "asvspoof"


def test_both_years_beside_each_other_are_one_corpus(tmp_path: Path) -> None:
    _tree_2021(_tree_2019(tmp_path / "LA").parent)
    assert len(_scan(tmp_path)) == 6 + 4


def test_entries_and_files_need_not_match(tmp_path: Path) -> None:
    root = _tree_2019(tmp_path)
    flac = root / "ASVspoof2019_LA_dev/flac"
    (flac / "LA_D_1047731.flac").unlink()
    _put(flac / "LA_D_9999999.flac")  # speech to enrol a speaker with
    _put(flac / "LA_D_1047731.wav")
    _put(flac / "._LA_D_1125976.flac")
    rows = scan_corpus(root, corpus="c", layout="asvspoof", modality="voice")
    found = {Path(r.uri).name: (r.label, r.split, r.status) for r in rows if "_LA_dev/" in r.uri}
    assert found == {
        "LA_D_1047731.flac": (Label.REAL, Split.VAL, Status.MISSING),
        "LA_D_1047731.wav": (None, None, Status.OK),
        "LA_D_1125976.flac": (Label.FAKE, Split.VAL, Status.OK),
        "LA_D_9999999.flac": (None, None, Status.OK),
    }


@pytest.mark.parametrize(
    "line",
    [
        "LA_0079 LA_T_1 - -",
        "LA_0079 LA_T_1 - - bonafide more",
        "LA_0079 LA_T_1 - - genuine",
        "LA_0079 LA_T_1 - - BONAFIDE",
        "LA_0079 LA_T_1 - A01 bonafide",
        "LA_0079 LA_T_1 - - spoof",
        "LA_0079 ../LA_T_1 - - bonafide",
        "LA_0079,LA_T_1,-,-,bonafide",
        "\0",
    ],
)
def test_a_damaged_line_of_2019_is_named(tmp_path: Path, line: str) -> None:
    root = _tree_2019(tmp_path, train=f"{_LINES['train']}\n{line}\n")
    with pytest.raises(CorpusError, match="line 4: expected a line such as `LA_0079") as raised:
        _scan(root)
    assert str(raised.value.path).endswith("train.trn.txt")


@pytest.mark.parametrize(
    "line",
    [
        "LA_0023 DF_E_1 nocodec asvspoof A14 spoof notrim",
        "LA_0023 DF_E_1 nocodec asvspoof A14 fake notrim eval",
        "LA_0023 DF_E_1 nocodec asvspoof A14 spoof notrim train",
        "LA_0023 DF_E_1 nocodec asvspoof A14 bonafide notrim eval",
        "LA_0023 DF_E_1 nocodec asvspoof bonafide spoof notrim eval",
        "LA_0023 DF/E_1 nocodec asvspoof A14 spoof notrim eval",
    ],
)
def test_a_damaged_line_of_2021_is_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(CorpusError, match="line 5: expected a line such as `LA_0023"):
        _scan(_tree_2021(tmp_path, f"{_KEYS}{line}\n"))


def test_a_name_that_is_listed_twice_is_refused(tmp_path: Path) -> None:
    root = _tree_2019(tmp_path, dev=f"{_LINES['dev']}LA_0070 LA_D_1047731 - A02 spoof\n")
    with pytest.raises(CorpusError, match="line 3: LA_D_1047731 is already in line 1"):
        _scan(root)


def test_recordings_without_their_list_are_refused_with_where_it_is_from(tmp_path: Path) -> None:
    (_tree_2021(tmp_path) / "keys/DF/CM/trial_metadata.txt").unlink()
    with pytest.raises(CorpusError, match="the list of labels cannot be read") as raised:
        _scan(tmp_path)
    assert "a download of their own" in (raised.value.hint or "")
    (tmp_path / "keys/DF/CM/trial_metadata.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CorpusError, match="cannot be read"):
        _scan(tmp_path)


def test_one_part_alone_is_enough_and_lists_without_a_line_are_not(tmp_path: Path) -> None:
    _put(tmp_path / "ASVspoof2019_LA_cm_protocols" / _LISTS["dev"], "\n")
    with pytest.raises(CorpusError, match="no recording and no entry"):
        _scan(tmp_path)
    _put(tmp_path / "ASVspoof2019_LA_cm_protocols" / _LISTS["dev"], _LINES["dev"])
    with pytest.raises(CorpusError, match="none of the 2 files"):
        _scan(tmp_path)
    _put(tmp_path / "ASVspoof2019_LA_dev/flac/LA_D_1047731.flac")
    assert len(_scan(tmp_path)) == 2


def test_another_layout_is_refused_with_what_was_found(tmp_path: Path) -> None:
    _put(tmp_path / "holiday/a.flac")
    with pytest.raises(CorpusError, match=r"expected ASVspoof.*found the folders holiday"):
        _scan(tmp_path)


def test_faces_have_no_labels_in_speech(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a corpus of speech: ingest it with --modality voice"):
        scan_corpus(_tree_2019(tmp_path), corpus="c", layout="asvspoof")


def test_its_splits_are_kept_and_a_random_one_keeps_speakers_together(tmp_path: Path) -> None:
    lines = {
        part: "".join(
            f"LA_{first + n % 8:04} {part}_{n} - {'A01 spoof' if n % 2 else '- bonafide'}\n"
            for n in range(24)
        )
        for part, first in (("train", 100), ("dev", 200), ("eval", 300))
    }
    root = _tree_2019(tmp_path, **lines)
    for part, text in lines.items():
        for line in text.splitlines():
            _put(root / f"ASVspoof2019_LA_{part}/flac" / f"{line.split()[1]}.flac")
    rows = [r for r in _scan(root).values() if r.label is not None]
    official = assign_splits(rows, config=SplitConfig(strategy="auto"))
    assert official.strategy == "official"
    assert [r.split for r in official.rows] == [r.split for r in rows]
    assert official.shared_identities == ()
    grouped = assign_splits(rows, config=SplitConfig(strategy="grouped", seed=1))
    splits_of: dict[str, set[Split | None]] = {}
    for row in grouped.rows:
        splits_of.setdefault(row.identity or "", set()).add(row.split)
    assert len(splits_of) == 24
    assert all(len(found) == 1 for found in splits_of.values())
    assert len(set.union(*splits_of.values())) == 3
