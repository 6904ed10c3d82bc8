"""`deepfake ingest --modality voice` as its user runs it: twice, retagged, and forgotten."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from deepfake.corpora.shards import VOICE, Snapshot, open_snapshot
from deepfake.errors import ShardError
from deepfake.media.sound_codec import decode_sound
from deepfake.storage import DataRoot
from tests.command_line import Completed, kill_deepfake, run_deepfake
from tests.media_factory import write_clip
from tests.sound_factory import make_speech, write_samples

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a corpus of eight recordings, a silent clip and a file of one second."""
    folder = tmp_path_factory.mktemp("media") / "speech"
    for number in range(8):
        label = "real" if number % 2 else "fake"
        (folder / label).mkdir(parents=True, exist_ok=True)
        speech = make_speech(7.0, seed=number)[None]
        write_samples(folder / label / f"{number}.flac", speech, codec="flac")
    write_clip(folder / "real" / "silent.mp4", num_frames=5)
    write_samples(folder / "fake" / "short.wav", make_speech(1.0)[None], codec="pcm_s16le")
    return folder


def _arguments(media: Path, data_root: Path) -> tuple[str, ...]:
    return ("ingest", str(media), "--corpus", "speech", "--data-root", str(data_root))


def _ingest(media: Path, data_root: Path, *more: str) -> Completed:
    return run_deepfake(*_arguments(media, data_root), *more, cwd=data_root.parent)


@pytest.fixture(scope="module")
def data_root(media: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the data root of a finished ingest."""
    data_root = tmp_path_factory.mktemp("voice") / "data"
    done = _ingest(media, data_root, "--modality", "voice")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "windows of speech" in done.stdout
    return data_root


def _snapshot(data_root: Path) -> Snapshot:
    return open_snapshot(DataRoot(data_root), "speech")


def test_every_file_has_a_status_and_every_window_its_sound(data_root: Path) -> None:
    snapshot = _snapshot(data_root)
    outcomes, index = snapshot.outcomes(), snapshot.index()
    assert outcomes["status"].value_counts().to_dict() == {"ok": 8, "no_speech": 2}
    assert snapshot.kind == VOICE
    assert index["media_id"].nunique() == 8
    reader = snapshot.reader()
    for row in index.itertuples():
        assert len(decode_sound(reader.encoded(row.shard, row.row))) == 4 * 16_000
    assert outcomes.set_index("status").loc["ok", "sound_codec"].tolist() == ["flac"] * 8


def test_again_decodes_nothing(media: Path, data_root: Path) -> None:
    before = _snapshot(data_root).digest
    done = _ingest(media, data_root, "--modality", "voice")
    assert "nothing to decode: all shards are there already" in done.stdout
    assert _snapshot(data_root).digest == before


def test_a_killed_run_ends_in_the_index_of_an_undisturbed_one(
    media: Path, tmp_path: Path, data_root: Path
) -> None:
    own = tmp_path / "data"
    more = ("--modality", "voice", "--batch-files", "2", "--num-workers", "1")
    shards = own / "shards" / "speech"
    kill_deepfake(
        *(*_arguments(media, own), *more),
        cwd=tmp_path,
        when=lambda: len(list(shards.rglob("*.arrow"))) >= 2,
    )
    finished = {path.name: path.stat().st_mtime_ns for path in shards.rglob("*.arrow")}
    assert not (shards / "latest").exists()
    done = _ingest(media, own, *more)
    assert f"reused: {len(finished)}" in done.stdout
    now = {path.name: path.stat().st_mtime_ns for path in shards.rglob("*.arrow")}
    assert {name: now[name] for name in finished} == finished
    assert not list(own.rglob("parts/*.part"))
    found, expected = _snapshot(own), _snapshot(data_root)
    # Shards are cut otherwise: what is in them is the same.
    places, keys = ["shard", "row", "shard_sha256"], ["uri", "pts_seconds"]
    pd.testing.assert_frame_equal(
        *(
            one.index().drop(columns=places).sort_values(keys, ignore_index=True)
            for one in (found, expected)
        )
    )
    pd.testing.assert_frame_equal(
        *(
            one.outcomes().drop(columns="seconds").sort_values("uri", ignore_index=True)
            for one in (found, expected)
        )
    )


def test_training_on_faces_refuses_it(data_root: Path) -> None:
    with pytest.raises(ShardError, match="ingested for voice, not for faces"):
        _ = _snapshot(data_root).config


def test_the_same_name_for_faces_is_refused(media: Path, data_root: Path) -> None:
    done = _ingest(media, data_root)
    assert done.returncode == 2
    assert "was ingested for voice, not for faces" in done.stderr


def test_options_of_faces_are_refused(media: Path, data_root: Path) -> None:
    done = _ingest(media, data_root, "--modality", "voice", "--frames", "8")
    assert done.returncode == 2
    assert "--frames goes with --modality faces" in done.stderr


def test_forgetting_removes_its_windows(media: Path, data_root: Path) -> None:
    before = _snapshot(data_root)
    gone = before.index()["media_id"].iloc[0]
    done = run_deepfake("forget", gone, "--data-root", str(data_root), cwd=data_root.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    after = _snapshot(data_root)
    assert gone not in set(after.index()["media_id"])
    assert after.index()["media_id"].nunique() == 7
    assert not after.missing_shards()
    reader = after.reader()
    for row in after.index().itertuples():
        decode_sound(reader.encoded(row.shard, row.row))
    with pytest.raises((ShardError, FileNotFoundError)):
        first = before.index().iloc[0]
        before.reader().encoded(first["shard"], int(first["row"]))
