"""`deepfake ingest --modality sync` as its user runs it: twice, killed, and forgotten."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from deepfake.corpora.shards import SYNC, Snapshot, open_snapshot
from deepfake.errors import ShardError
from deepfake.media.run_codec import decode_run
from deepfake.storage import DataRoot
from tests.command_line import Completed, kill_deepfake, run_deepfake
from tests.media_factory import write_clip
from tests.sound_factory import make_speech, write_samples
from tests.talking_clip import write_talking_clip

pytestmark = pytest.mark.slow

_MODALITY = ("--modality", "sync")


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a corpus of six clips of faces that speak, a silent one, and sound alone."""
    folder = tmp_path_factory.mktemp("media") / "lips"
    for number in range(6):
        label = "real" if number % 2 else "fake"
        (folder / label).mkdir(parents=True, exist_ok=True)
        write_talking_clip(folder / label / f"{number}.mp4", seconds=6.0, seed=number)
    write_clip(folder / "real" / "silent.mp4", num_frames=5)
    write_samples(folder / "fake" / "voice.flac", make_speech(4.0)[None], codec="flac")
    return folder


def _arguments(media: Path, data_root: Path) -> tuple[str, ...]:
    return ("ingest", str(media), "--corpus", "lips", "--data-root", str(data_root))


def _ingest(media: Path, data_root: Path, *more: str) -> Completed:
    return run_deepfake(*_arguments(media, data_root), *more, cwd=data_root.parent)


@pytest.fixture(scope="module")
def data_root(media: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the data root of a finished ingest."""
    data_root = tmp_path_factory.mktemp("sync") / "data"
    done = _ingest(media, data_root, *_MODALITY)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "12 runs of mouths" in done.stdout
    return data_root


def _snapshot(data_root: Path) -> Snapshot:
    return open_snapshot(DataRoot(data_root), "lips")


def _decode_all(snapshot: Snapshot) -> None:
    reader = snapshot.reader()
    for row in snapshot.index().to_dict("records"):
        run = decode_run(reader.encoded(row["shard"], row["row"]), record=row)
        assert run.mouths.shape == (50, 64, 64)


def test_every_file_has_a_status_and_every_run_its_mouths(data_root: Path) -> None:
    snapshot = _snapshot(data_root)
    statuses = snapshot.outcomes()["status"].value_counts().to_dict()
    assert statuses == {"ok": 6, "no_speech": 1, "no_picture": 1}
    assert snapshot.kind == SYNC
    assert snapshot.index()["media_id"].nunique() == 6
    _decode_all(snapshot)


def test_again_decodes_nothing(media: Path, data_root: Path) -> None:
    before = _snapshot(data_root).digest
    done = _ingest(media, data_root, *_MODALITY)
    assert "nothing to decode: all shards are there already" in done.stdout
    assert _snapshot(data_root).digest == before


def test_a_killed_run_ends_in_the_index_of_an_undisturbed_one(
    media: Path, tmp_path: Path, data_root: Path
) -> None:
    own = tmp_path / "data"
    more = (*_MODALITY, "--batch-files", "2", "--num-workers", "1")
    shards = own / "shards" / "lips"
    kill_deepfake(
        *(*_arguments(media, own), *more),
        cwd=tmp_path,
        when=lambda: len(list(shards.rglob("*.arrow"))) >= 2,
    )
    finished = {path.name: path.stat().st_mtime_ns for path in shards.rglob("*.arrow")}
    done = _ingest(media, own, *more)
    assert f"reused: {len(finished)}" in done.stdout
    now = {path.name: path.stat().st_mtime_ns for path in shards.rglob("*.arrow")}
    assert {name: now[name] for name in finished} == finished
    places, keys = ["shard", "row", "shard_sha256"], ["uri", "run_index", "track_id"]
    pd.testing.assert_frame_equal(
        *(
            _snapshot(root).index().drop(columns=places).sort_values(keys, ignore_index=True)
            for root in (own, data_root)
        )
    )


def test_another_modality_and_its_options_are_refused(media: Path, data_root: Path) -> None:
    done = _ingest(media, data_root)
    assert done.returncode == 2
    assert "was ingested for sync, not for faces" in done.stderr
    done = _ingest(media, data_root, *_MODALITY, "--window-seconds", "3")
    assert done.returncode == 2
    assert "--window-seconds goes with --modality voice, not with sync" in done.stderr


def test_forgetting_removes_its_runs(data_root: Path) -> None:
    before = _snapshot(data_root)
    gone = before.index()["media_id"].iloc[0]
    done = run_deepfake("forget", gone, "--data-root", str(data_root), cwd=data_root.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    after = _snapshot(data_root)
    assert gone not in set(after.index()["media_id"])
    assert not after.missing_shards()
    _decode_all(after)
    with pytest.raises((ShardError, FileNotFoundError)):
        first = before.index().iloc[0]
        before.reader().encoded(first["shard"], int(first["row"]))
