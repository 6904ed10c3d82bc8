"""Limits on the command line: files refused by one are scored again when it is raised."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from deepfake.media import write_image
from tests.command_line import run_deepfake
from tests.sample_data import face_close_up, write_face_clip

pytestmark = pytest.mark.slow

_TIGHT = ("--max-frames", "20", "--max-pixels", "300000", "--max-mb", "1")


@pytest.fixture
def media(tmp_path: Path) -> Path:
    folder = tmp_path / "media"
    write_face_clip(folder / "long.mp4", num_frames=24)
    write_face_clip(folder / "short.mp4", num_frames=12, seed=1)
    write_image(folder / "small.png", face_close_up(256))
    write_image(folder / "large.png", face_close_up(640))
    with (folder / "heavy.mp4").open("wb") as stream:
        stream.truncate(2 * 2**20)
    return folder


def _score(media: Path, detector: Path, *options: str) -> pd.DataFrame:
    cwd = media.parent
    arguments = ("score", media, "--output", "out", "--weights", detector)
    done = run_deepfake(*arguments, *options, cwd=cwd)
    assert done.returncode == 3, done.stderr
    table = pd.read_parquet(cwd / "out" / "scores.parquet")
    return table.set_index(table["uri"].map(lambda uri: Path(uri).name))


def test_scoring_looks_again_at_what_was_too_large(media: Path, detector: Path) -> None:
    tight = _score(media, detector, *_TIGHT)
    assert tight["status"].to_dict() == {
        "heavy.mp4": "too_large",
        "large.png": "too_large",
        "long.mp4": "too_large",
        "short.mp4": "ok",
        "small.png": "ok",
    }
    assert "more than the 20 frames" in tight.loc["long.mp4", "message"]
    wide = _score(media, detector)
    assert set(wide["status"]) == {"ok", "empty"}
    assert wide.loc["heavy.mp4", "status"] == "empty"
    scored = ["short.mp4", "small.png"]
    same = ["config_digest", "logit", "seconds"]
    assert wide.loc[scored, same].equals(tight.loc[scored, same]), "they were not scored again"
    assert wide["config_digest"].nunique() == 1
    again = _score(media, detector, *_TIGHT)
    assert again.loc[["long.mp4", "large.png"], "status"].tolist() == ["ok", "ok"]


def test_ingesting_does_too(media: Path, tmp_path: Path) -> None:
    def ingest(*options: str) -> tuple[int, pd.Series[str]]:
        done = run_deepfake("ingest", media, "--corpus", "c", *options, cwd=tmp_path)
        assert done.returncode == 3, done.stderr
        shards = tmp_path / "data" / "shards" / "c"
        digest = (shards / "latest").read_text().strip()
        outcomes = pd.read_parquet(shards / digest / "outcomes.parquet")
        parts = len(list(shards.glob("parts/*.arrow")))
        return parts, outcomes.set_index(outcomes["uri"].map(lambda u: Path(u).name))["status"]

    parts, tight = ingest(*_TIGHT)
    assert (parts, sorted(tight[tight == "too_large"].index)) == (
        1,
        ["heavy.mp4", "large.png", "long.mp4"],
    )
    parts, wide = ingest()
    assert (parts, sorted(wide[wide == "ok"].index)) == (
        2,
        ["large.png", "long.mp4", "short.mp4", "small.png"],
    )
