"""Which media are worth a label, and the CSV that brings the labels back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from deepfake.cli import app
from deepfake.corpora.layouts import scan_corpus
from deepfake.errors import ConfigError, DataError
from deepfake.scoring import SCORES_SCHEMA, labelling_csv, least_certain
from deepfake.types import Label

Writing = Callable[..., Path]


@pytest.fixture
def written(tmp_path: Path) -> Writing:
    """Return what writes a scores table of files `NAME: (verdict, prob_fake, more)`."""

    def write(**files: tuple[str, float | None, dict[str, Any]]) -> Path:
        rows = []
        for name, (verdict, prob, more) in files.items():
            path = tmp_path / "media" / f"{name}.png"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(name.encode())
            row = {"uri": str(path), "media_id": name, "kind": "image", "status": "ok"}
            blank = dict.fromkeys(SCORES_SCHEMA.names)
            rows.append({**blank, **row, "verdict": verdict, "prob_fake": prob, **more})
        out = tmp_path / "out"
        out.mkdir(exist_ok=True)
        pq.write_table(pa.Table.from_pylist(rows, schema=SCORES_SCHEMA), out / "scores.parquet")
        return out

    return write


def _names(folder: Path, num: int = 50) -> list[str]:
    return [Path(medium.uri).stem for medium in least_certain(folder, num=num)]


def test_the_least_sure_come_first_and_each_content_once(written: Writing) -> None:
    out = written(
        sure_fake=("fake", 0.99, {}),
        near_fake=("fake", 0.72, {}),
        near_real=("real", 0.3, {}),
        sure_real=("real", 0.005, {}),
        blurred=("uncertain", 0.98, {}),
        undecided=("uncertain", 0.52, {}),
        leaning=("uncertain", 0.65, {}),
        same_again=("uncertain", 0.52, {"media_id": "undecided"}),
        nobody=("not_applicable", None, {"status": "no_face"}),
    )
    uncertain, others = ["same_again", "leaning", "blurred"], ["near_real", "near_fake"]
    assert _names(out) == [*uncertain, *others, "sure_fake", "sure_real"]
    assert _names(out, num=2) == ["same_again", "leaning"]


def test_the_place_where_the_verdict_changes_is_that_of_the_kind(written: Writing) -> None:
    # For stills everything over 0.9 is fake: 0.88 is nearer to a change than 0.5.
    video = {"kind": "video"}
    out = written(
        real=("real", 0.85, {}),
        fake=("fake", 0.9, {}),
        a=("uncertain", 0.88, {}),
        b=("uncertain", 0.5, {}),
        c=("uncertain", 0.56, video),
        d=("real", 0.4, video),
    )
    assert _names(out, num=3) == ["a", "c", "b"]


def test_what_is_gone_or_cannot_come_back_is_left_out(written: Writing, tmp_path: Path) -> None:
    out = written(
        here=("uncertain", 0.5, {}),
        stored=("uncertain", 0.5, {"uri": "s3://bucket/x.png"}),
        gone=("uncertain", 0.5, {}),
    )
    (tmp_path / "media" / "gone.png").unlink()
    assert _names(out) == ["here"]


def test_labels_come_back(written: Writing, tmp_path: Path) -> None:
    files = {f'a, "b" {i} ü=1\n': ("uncertain", 0.5 + i / 100, {}) for i in range(3)}
    out = written(**files)
    path = tmp_path / "labels.csv"
    done = CliRunner().invoke(app, ["sample", str(out), "--output", str(path)])
    assert done.exit_code == 0, done.output
    assert "3 media, 3 of them uncertain" in done.output
    text = path.read_text(encoding="utf-8")
    first, second, third = (medium.uri for medium in least_certain(out, num=3))
    labelled = text.replace('0 ü=1\n.png",', '0 ü=1\n.png",fake').replace(
        '1 ü=1\n.png",', '1 ü=1\n.png",Real'
    )
    path.write_text(labelled, encoding="utf-8")
    rows = {row.uri: row.label for row in scan_corpus(path, corpus="c", layout="csv")}
    assert rows == {first: Label.FAKE, second: Label.REAL, third: None}

    again = CliRunner().invoke(app, ["sample", str(out), "--output", str(path)])
    assert isinstance(again.exception, ConfigError)
    assert path.read_text(encoding="utf-8") == labelled, "labels are not overwritten"
    assert labelling_csv([]) == "uri,label\n"


def test_a_folder_without_scores_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no scores here"):
        least_certain(tmp_path, num=1)
    with pytest.raises(ConfigError):
        least_certain(tmp_path, num=0)
