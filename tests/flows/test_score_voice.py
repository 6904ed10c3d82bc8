"""`deepfake score` with a detector of voices, as its user runs it: again, without, forgotten."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from deepfake.media import write_image, write_video
from deepfake.scoring.file_answers import FILE_COLUMNS
from deepfake.storage import sha256_of
from tests.command_line import Completed, kill_deepfake, run_deepfake
from tests.sample_data import clip_frames, face_close_up
from tests.sound_factory import add_sound, make_speech, write_samples
from tests.untrained_detector import write_bundle
from tests.untrained_voice_detector import write_voice_bundle

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

_LONG_AGO = 1_600_000_000
_JUDGED = {"sound.flac", "sound.mp3", "talking.mp4"}
_NUM_FILES = 7
_FAILED = 3
"""The exit code: one of the files is no medium."""


@dataclass(frozen=True)
class _Scored:
    """A folder that was scored with both detectors.

    Attributes:
        root: Holds the media in `media`, the detectors in `faces` and `voice`, the scores in `out`.
        first: The command.
    """

    root: Path
    first: Completed

    def run(self, *arguments: str, code: int = 0) -> Completed:
        return _run(self.root, *arguments, code=code)

    def score(self, *more: str, output: str = "out") -> Completed:
        return self.run(*_score(output), *more, code=_FAILED)

    def table(self, name: str = "scores", output: str = "out") -> pd.DataFrame:
        return _by_name(pd.read_parquet(self.root / output / f"{name}.parquet"))


def _run(root: Path, *arguments: str, code: int = 0) -> Completed:
    done = run_deepfake(*arguments, cwd=root, timeout_seconds=1200)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def _score(output: str) -> list[str]:
    return ["score", "media", "--output", output, "--weights", "faces", "--evidence", "0"]


_VOICE = ("--voice-weights", "voice")


def _by_name(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.set_index(pd.Index([Path(uri).name for uri in frame["uri"]], name="name"))


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> _Scored:
    """Score clips with and without sound, speech and silence alone, a still, and a text."""
    root = tmp_path_factory.mktemp("voices")
    write_bundle(root / "faces", model="test_efficientnet", size=64)
    write_voice_bundle(root / "voice")
    _write_media(root / "media")
    return _Scored(root, _run(root, *_score("out"), *_VOICE, code=_FAILED))


def _write_media(folder: Path) -> None:
    folder.mkdir()
    silent = write_video(folder / "silent.mp4", clip_frames(12, side=192), fps=25)
    add_sound(silent, folder / "talking.mp4", make_speech(9.0))
    write_samples(folder / "sound.flac", make_speech(6.0, seed=1)[None], codec="flac")
    write_samples(folder / "sound.mp3", make_speech(7.0, seed=2)[None], codec="libmp3lame")
    write_samples(folder / "quiet.wav", np.zeros((1, 80_000), np.float32), codec="pcm_s16le")
    write_image(folder / "still.png", face_close_up())
    (folder / "text.wav").write_text("no sound at all\n" * 50)
    for path in folder.iterdir():
        os.utime(path, (_LONG_AGO, _LONG_AGO))


def test_every_file_has_a_row_of_both_detectors(scored: _Scored) -> None:
    scores = scored.table()
    assert len(scores) == _NUM_FILES
    assert scores["status"].to_dict() == {
        **dict.fromkeys(("silent.mp4", "talking.mp4", "still.png"), "ok"),
        **dict.fromkeys(("sound.flac", "sound.mp3", "quiet.wav"), "no_picture"),
        "text.wav": "unsupported",
    }
    judged = scores.loc[sorted(_JUDGED)]
    assert judged["verdict_voice"].isin(["real", "fake", "uncertain"]).all()
    assert judged["logit_voice"].nunique() == len(_JUDGED)
    others = scores.drop(index=sorted(_JUDGED))
    assert others["verdict_voice"].eq("not_applicable").all()
    assert others["reason_voice"].str.len().gt(5).all()
    assert others["logit_voice"].isna().all()
    assert scores["voice_model_digest"].nunique() == 1


def test_windows_and_the_csv_say_the_same_as_the_table(scored: _Scored) -> None:
    scores, windows = scored.table(), scored.table("windows")
    assert set(windows.index) == _JUDGED
    known = scores["num_windows"].dropna()
    assert windows.index.value_counts().to_dict() == known[known > 0].astype(int).to_dict()
    means = windows.groupby("name")["logit"].mean()
    for name in _JUDGED:
        assert scores.loc[name, "logit_voice"] == pytest.approx(means[name], abs=1e-6)
    assert windows["uri"].is_monotonic_increasing
    assert windows["pts_seconds"].ge(0).all()
    as_csv = _by_name(pd.read_csv(scored.root / "out" / "scores.csv"))
    assert list(as_csv.columns) == list(scores.columns)
    pd.testing.assert_series_equal(
        as_csv["logit_voice"], scores["logit_voice"], check_exact=False, rtol=1e-12
    )


def test_the_counts_are_in_the_record_and_in_what_is_printed(scored: _Scored) -> None:
    record = json.loads((scored.root / "out" / "run.json").read_text())
    counts = scored.table()["verdict_voice"].value_counts().to_dict()
    assert record["voice_verdicts"] == counts
    assert sum(counts.values()) == _NUM_FILES
    assert record["voice_detector"]["name"] == "tried-voice"
    printed = scored.first.stdout
    assert f"{counts['not_applicable']} not judged" in printed.partition("voices: ")[2]
    notes = (scored.root / "out" / "notes.txt").read_text()
    assert "Voices scored by tried-voice" in notes


def test_a_receipt_is_reproduced_with_the_detector_of_voices_alone(scored: _Scored) -> None:
    for name in ("talking.mp4", "sound.flac"):
        scored.run("receipt", "out", f"media/{name}", "--output", "receipt.json")
        verify = ("verify", "receipt.json", "--weights", "faces")
        lines = scored.run(*verify, *_VOICE).stdout.splitlines()
        assert lines[-1].startswith("reproduced: ")
        (logit,) = [line for line in lines if "logit_voice" in line]
        assert logit.startswith("ok") and logit.endswith("exactly")
    write_voice_bundle(scored.root / "other", seed=1)
    for more in (("--voice-weights", "other"), ()):
        lines = scored.run(*verify, *more, code=1).stdout.splitlines()
        (missing,) = [line for line in lines if "detector of voices" in line]
        assert missing.startswith("FAIL") and "--voice-weights" in missing
        assert lines[-1] == "not reproduced"


def test_again_and_with_and_without_voices(scored: _Scored) -> None:
    first = scored.table()
    again = scored.score(*_VOICE)
    assert "nothing to score: 7 files listed, none new or changed" in again.stdout
    # In another output, and in the same one: the faces are judged as if nobody had listened.
    own = {name for name in first.columns if "voice" in name}
    own |= {"config_digest", "seconds", "speech_seconds", "num_windows", *FILE_COLUMNS}
    for output in ("without", "out"):
        scored.score("--no-voice", output=output)
        without = scored.table(output=output)
        pd.testing.assert_frame_equal(without.drop(columns=own), first.drop(columns=own))
        assert without["verdict_voice"].isna().all()
        assert (without["config_digest"] != first["config_digest"]).all()
        assert not (scored.root / output / "windows.parquet").exists()
        again = scored.score("--no-voice", output=output)
        assert "nothing to score: 7 files listed, none new or changed" in again.stdout
        assert "voices: " not in again.stdout
    # Neither version is lost.
    back = scored.score(*_VOICE)
    assert "nothing to score: 7 files listed, none new or changed" in back.stdout
    pd.testing.assert_frame_equal(scored.table(), first)
    assert set(scored.table("windows").index) == _JUDGED


def test_a_killed_run_ends_in_the_tables_of_an_undisturbed_one(scored: _Scored) -> None:
    """Every file is there once, whichever part had been finished."""
    scored.score(*_VOICE)
    output = scored.root / "killed"
    arguments = (*_score("killed"), *_VOICE, "--batch-files", "1", "--num-workers", "1")
    parts = "versions/*/parts/*.json"
    kill_deepfake(*arguments, cwd=scored.root, when=lambda: any(output.glob(parts)))
    finished = {path.name for path in output.glob(parts)}
    assert not (output / "scores.parquet").exists()
    scored.run(*arguments, code=_FAILED)
    assert finished < {path.name for path in output.glob(parts)}, "what was finished stays"
    for name in ("scores", "windows", "tracks", "frames"):
        found, expected = (
            scored.table(name, output=one).drop(columns="seconds", errors="ignore")
            for one in ("killed", "out")
        )
        pd.testing.assert_frame_equal(found, expected)


def test_forgetting_a_sound_removes_its_rows_everywhere(scored: _Scored) -> None:
    path = scored.root / "media" / "sound.mp3"
    media_id = sha256_of(path)
    held = [found for found in _tables(scored.root / "out") if media_id in _media_ids(found)]
    assert {found.name.split(".")[-2] for found in held} >= {"scores", "windows"}
    assert len(held) >= 6, "at the top, in the version, in a part"
    scored.run("forget", "media/sound.mp3")
    assert not [found for found in _tables(scored.root / "out") if media_id in _media_ids(found)]
    assert media_id not in (scored.root / "out" / "scores.csv").read_text()
    assert set(scored.table("windows").index) == _JUDGED - {"sound.mp3"}
    record = json.loads((scored.root / "out" / "run.json").read_text())
    assert record["voice_verdicts"] == scored.table()["verdict_voice"].value_counts().to_dict()
    path.unlink()
    again = scored.score(*_VOICE)
    assert "nothing to score: 6 files listed, none new or changed" in again.stdout


def _tables(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.parquet"))


def _media_ids(path: Path) -> set[object]:
    if "media_id" not in pq.read_schema(path).names:
        return set()
    return set(pq.read_table(path, columns=["media_id"])["media_id"].to_pylist())
