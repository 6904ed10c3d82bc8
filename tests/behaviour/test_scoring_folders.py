"""`deepfake score` on a folder of good and bad media."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from deepfake.detectors.bundles import load_bundle
from deepfake.media import write_image
from deepfake.scoring import FRAMES_SCHEMA, SCORES_SCHEMA, TRACKS_SCHEMA
from tests.command_line import Completed, drop_root_rights, run_deepfake
from tests.sample_data import landscape, make_detector

pytestmark = pytest.mark.slow

_FORMULA = "=1+1"
"""A detector's name, since that of a file is an absolute path and begins with a slash."""

_COPY = 'a "copy", or\nso.png'


@dataclass(frozen=True)
class _Scored:
    """A folder scored twice."""

    output: Path
    first: Completed
    second: Completed
    parts_after_first: dict[str, int]

    def table(self, name: str) -> pd.DataFrame:
        """Return a table as people read it."""
        return pd.read_parquet(self.output / f"{name}.parquet")

    def parts(self) -> dict[str, int]:
        """Return when each part was written."""
        return _parts(self.output)


def _parts(output: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in output.glob("versions/*/parts/*")}


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a detector whose name a spreadsheet would run."""
    return make_detector(tmp_path_factory.mktemp("detector") / "bundle", name=_FORMULA)


@pytest.fixture(scope="module")
def scored(odd_media: Path, detector: Path, tmp_path_factory: pytest.TempPathFactory) -> _Scored:
    """Score the media twice, the second time with nothing new."""
    cwd = tmp_path_factory.mktemp("score")
    still = odd_media / "good-still.png"
    (odd_media / _COPY).write_bytes(still.read_bytes())

    def run() -> Completed:
        arguments = ("score", odd_media, "--output", "out", "--weights", detector)
        return run_deepfake(*arguments, cwd=cwd, before=drop_root_rights)

    first = run()
    parts = _parts(cwd / "out")
    return _Scored(cwd / "out", first, run(), parts)


def test_tables_have_the_columns_of_the_contract(scored: _Scored) -> None:
    schemas = {"scores": SCORES_SCHEMA, "tracks": TRACKS_SCHEMA, "frames": FRAMES_SCHEMA}
    for name, schema in schemas.items():
        found = pq.read_schema(scored.output / f"{name}.parquet")
        assert found.names == schema.names
        assert found.types == schema.types


def test_what_a_reader_must_know_lies_beside_and_in_every_table(
    scored: _Scored, detector: Path
) -> None:
    notes = load_bundle(detector).spec.reading_notes
    assert notes == ["prob_fake of stills and videos is not calibrated: read it as a rank"]
    for name in ("scores", "tracks", "frames"):
        metadata = pq.read_schema(scored.output / f"{name}.parquet").metadata
        assert json.loads(metadata[b"notes"]) == notes
    assert notes[0] in (scored.output / "notes.txt").read_text(encoding="utf-8")
    run = json.loads((scored.output / "run.json").read_text(encoding="utf-8"))
    assert run["notes"] == notes
    assert run["detector"]["digest"] == load_bundle(detector).digest


def test_csv_holds_the_same_and_no_formula(scored: _Scored) -> None:
    with (scored.output / "scores.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    scores = scored.table("scores")
    assert list(rows[0]) == SCORES_SCHEMA.names
    assert [row["uri"] for row in rows] == scores["uri"].tolist()
    assert [row["status"] for row in rows] == scores["status"].tolist()
    assert {row["model_name"] for row in rows} == {f"'{_FORMULA}"}
    assert set(scores["model_name"]) == {_FORMULA}


def test_every_file_has_one_row(scored: _Scored, odd_media: Path) -> None:
    scores = scored.table("scores")
    assert scores["uri"].tolist() == sorted(str(path) for path in odd_media.iterdir())
    statuses = {Path(uri).name: status for uri, status in scores[["uri", "status"]].to_numpy()}
    assert statuses == {
        _COPY: "ok",
        "crowd.png": "ok",
        "empty.mp4": "empty",
        "folder.mp4": "unsupported",
        "good-clip.mp4": "ok",
        "good-still.png": "ok",
        "huge.png": "too_large",
        "no-face.mp4": "no_face",
        "no-face.png": "no_face",
        "sound.mp4": "no_picture",
        "text.mp4": "unsupported",
        "truncated.mp4": "decode_error",
        "unreadable.png": "unreadable",
    }
    assert (scores["prob_fake"].notna() == (scores["status"] == "ok")).all()


def test_exit_code_and_summary_count_what_went_wrong(scored: _Scored) -> None:
    for done in (scored.first, scored.second):
        assert done.returncode == 3
        assert (
            "some files could not be used: 1 decode_error, 1 empty, 1 too_large, "
            "1 unreadable, 2 unsupported" in done.stderr
        )
        assert "13 files" in done.stdout
        assert "Traceback" not in done.stderr


def test_one_content_under_two_names_has_two_rows_and_one_score(scored: _Scored) -> None:
    scores = scored.table("scores").set_index("uri")
    names = [uri for uri in scores.index if uri.endswith((_COPY, "good-still.png"))]
    assert scores.loc[names, "media_id"].nunique() == 1
    assert scores.loc[names, "logit"].nunique() == 1
    frames = scored.table("frames")
    assert all((frames["uri"] == name).sum() == 1 for name in names)


def test_tables_belong_together(scored: _Scored) -> None:
    scores, tracks, frames = (scored.table(name) for name in ("scores", "tracks", "frames"))
    usable = scores[scores["status"] == "ok"].set_index("uri")
    assert tracks.groupby("uri").size().to_dict() == usable["num_tracks"].to_dict()
    assert frames.groupby("uri").size().to_dict() == usable["num_faces"].to_dict()


def test_second_run_scores_nothing_anew(scored: _Scored) -> None:
    assert "nothing to score" not in scored.first.stdout
    assert "nothing to score: 13 files listed, none new or changed" in scored.second.stdout
    assert scored.parts() == scored.parts_after_first


def test_file_has_the_same_score_alone(
    scored: _Scored, odd_media: Path, detector: Path, tmp_path: Path
) -> None:
    scores = scored.table("scores").set_index("uri")
    for name in ("good-clip.mp4", "crowd.png"):
        uri = str(odd_media / name)
        done = run_deepfake("detect", uri, "--weights", detector, "--json", cwd=tmp_path)
        assert done.returncode == 0
        (row,) = json.loads(done.stdout)
        assert row["logit"] == pytest.approx(scores.loc[uri, "logit"], abs=1e-6)
        assert row["prob_fake"] == pytest.approx(scores.loc[uri, "prob_fake"], abs=1e-6)
        assert row["config_digest"] == scores.loc[uri, "config_digest"]
        assert row["num_tracks"] == scores.loc[uri, "num_tracks"]


def test_folder_that_is_not_there_is_an_error_in_one_line(detector: Path, tmp_path: Path) -> None:
    done = run_deepfake("score", "absent", "--output", "out", "--weights", detector, cwd=tmp_path)
    assert done.returncode == 2
    assert "error: no such file or folder: absent" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_scores_inside_the_folder_are_not_taken_for_media(detector: Path, tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    write_image(tmp_path / "inbox" / "still.png", landscape(64))
    for output, code in (("inbox/out", 0), ("inbox/out", 0), ("inbox", 2)):
        done = run_deepfake(
            "score", "inbox", "--output", output, "--weights", detector, cwd=tmp_path
        )
        assert done.returncode == code, done.stderr
    scores = pd.read_parquet(tmp_path / "inbox" / "out" / "scores.parquet")
    assert scores["uri"].tolist() == [str(tmp_path / "inbox" / "still.png")]
    assert "name another folder" in done.stderr
