"""A medium is forgotten: no byte of it is left anywhere, and nothing else is touched."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from deepfake.corpora.manifest import read_manifest
from deepfake.corpora.shards import list_shards, open_snapshot
from deepfake.corpora.splits import read_assignments
from deepfake.errors import ConfigError, DataError
from deepfake.evidence import evidence_folder, list_evidence, read_record
from deepfake.forgetting import forget
from deepfake.scoring import ScoresFolder, find_parts, open_state
from deepfake.storage import DataRoot, read_json, sampled_digest_of
from deepfake.views.report import read_report, write_report
from tests.deepfake.forgetting.kept import Kept, crop_bytes, make_kept, mentions
from tests.deepfake.scoring.state.known_files import known_files
from tests.sample_data import make_detector


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """Return what is kept; tests take copies of it."""
    detector = make_detector(tmp_path_factory.mktemp("detector") / "bundle")
    return make_kept(tmp_path_factory.mktemp("kept") / "here", detector)


@pytest.fixture
def kept(full: Kept) -> Kept:
    """Return what is kept, to be changed: names lead to where it was made, so it stays there."""
    saved = full.path.with_name("saved")
    if not saved.exists():
        shutil.copytree(full.path, saved)
    shutil.rmtree(full.path)
    shutil.copytree(saved, full.path)
    return full


def _forget(kept: Kept, named: str, **more: Any) -> Any:
    return forget(kept.root, named, **more)


def _tree(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith(("-shm", "-wal", ".lock"))
    }


def test_nothing_of_it_is_left_and_its_other_name_goes_too(kept: Kept) -> None:
    media_id, uri = kept.media_id(1), kept.uri(1)
    copy = str(kept.media / "copy-of-1.png")
    held = mentions(kept.path, media_id, uri, copy)
    for place in (
        "data/shards",
        "data/manifests",
        "data/evaluations",
        "data/benchmarks",
        "data/splits",
        "data/logs",
        "data/.prefect",
        "out/versions",
        "out/state.sqlite",
        "out/scores.csv",
        "out/log",
    ):
        assert any(name.startswith(place) for name in held), place
    done = _forget(kept, uri)
    assert done.media.media_ids == {media_id, sampled_digest_of(Path(uri))}
    assert done.media.uris == {uri, copy}
    assert mentions(kept.path / "data", media_id, uri, copy) == []
    assert mentions(kept.path / "out", media_id, uri, copy) == []
    assert [w for w in done.warnings if uri in w or copy in w], "the files are still there"
    assert Path(uri).exists()
    again = _forget(kept, uri)
    assert again.removals == ()


def test_others_keep_all_that_was_kept_of_them(kept: Kept) -> None:
    others = [0, 2, 3, 4, 5]
    before = {n: mentions(kept.path / "out", kept.media_id(n)) for n in others}
    old = open_snapshot(kept.root, "c")
    _forget(kept, kept.media_id(1))
    snapshot = open_snapshot(kept.root, "c")
    index, reader = snapshot.index(), snapshot.reader()
    assert snapshot.digest != old.digest
    assert not old.folder.exists()
    assert snapshot.missing_shards() == []
    assert sorted(index["media_id"].unique()) == sorted(kept.media_id(n) for n in others)
    for row in index.itertuples():
        expected = crop_bytes(str(row.media_id), int(str(row.track_id)))
        assert bytes(reader.encoded(str(row.shard), int(str(row.row)))) == expected
    assert len(snapshot.outcomes()) == len(read_manifest(kept.root.manifest("c"))) == len(others)
    assert snapshot.description()["num_crops"] == len(index) == 2 * len(others)
    for folder in (kept.output.path, *(kept.output.version(v) for v in kept.output.versions())):
        for name, count in (("scores", 5), ("tracks", 5), ("frames", 5)):
            table = pq.read_table(folder / f"{name}.parquet")
            assert len(table) == count
        assert b"notes" in pq.read_schema(folder / "scores.parquet").metadata
        csv_rows = pd.read_csv(folder / "scores.csv")
        assert (
            csv_rows["uri"].tolist() == pq.read_table(folder / "scores.parquet")["uri"].to_pylist()
        )
        assert read_json(folder / "run.json")["statuses"] == {"ok": 5}
    after = {n: mentions(kept.path / "out", kept.media_id(n)) for n in others}
    assert {n: len(v) for n, v in after.items()} == {n: len(v) for n, v in before.items()}


def test_its_evidence_goes_and_that_of_others_stays(kept: Kept) -> None:
    folders = [evidence_folder(kept.output.version(v)) for v in kept.output.versions()]
    assert all((folder / kept.media_id(1) / "crop-0.jpg").is_file() for folder in folders)
    done = _forget(kept, kept.uri(1))
    paths = [removal.path for removal in done.removals if removal.what.startswith("evidence")]
    assert paths == [str(folder / kept.media_id(1)) for folder in folders]
    for folder in folders:
        left = sorted(kept.media_id(n) for n in (0, 2, 3, 4, 5))
        assert list(list_evidence(folder)) == left
        record = read_record(folder, kept.media_id(3))
        assert record is not None and record.pictures == ("crop-0.jpg",)


def test_a_report_that_shows_it_goes_and_another_stays(kept: Kept) -> None:
    output = kept.output.path
    version = Path(str(kept.output.version(kept.output.versions()[0])))
    path = write_report(output / "report.html", read_report(output, version_dir=version))
    assert kept.uri(1) in path.read_text()
    dry = _forget(kept, kept.uri(1), is_dry_run=True)
    assert str(path) in {removal.path for removal in dry.removals} and path.is_file()
    _forget(kept, kept.uri(1))
    assert not path.exists()
    again = write_report(path, read_report(output, version_dir=version))
    assert kept.uri(1) not in again.read_text()
    _forget(kept, kept.uri(1))
    assert again.is_file(), "it shows nothing of what is forgotten"


def test_the_next_ingest_extracts_nothing_and_finds_the_same_snapshot(kept: Kept) -> None:
    shards = set(list_shards(kept.root.corpus_shards("c")))
    (held,) = [
        k for k, m in list_shards(kept.root.corpus_shards("c")).items() if kept.media_id(2) in m
    ]
    _forget(kept, kept.media_id(2))
    Path(kept.uri(2)).unlink()
    rewritten = set(list_shards(kept.root.corpus_shards("c"))) - shards
    assert len(rewritten) == 1
    assert held not in list_shards(kept.root.corpus_shards("c"))
    plan = kept.plan()
    assert plan.unfinished == ()
    assert rewritten <= {batch.key for batch in plan.batches}
    digest = open_snapshot(kept.root, "c").digest
    snapshot, is_new = kept.ingest()
    assert (snapshot.digest, is_new) == (digest, False)


def test_the_next_scoring_has_nothing_to_do(kept: Kept) -> None:
    _forget(kept, kept.uri(2))
    Path(kept.uri(2)).unlink()
    version = kept.output.versions()[0]
    parts = list(find_parts(kept.output.parts(version)))
    with open_state(kept.output.state, folder=str(kept.media), version=version) as state:
        before = state.num_waiting
        state.reconcile(parts)
        assert before == state.num_waiting == 0
        assert len(known_files(state)) == 6
        assert state.unused_parts() == []
    scored = {media_id for part in parts for media_id, _ in part.media}
    assert scored == {kept.media_id(n) for n in (0, 1, 3, 4, 5)}


def test_a_dry_run_tells_the_same_and_changes_nothing(kept: Kept) -> None:
    before = _tree(kept.path)
    dry = _forget(kept, kept.uri(1), is_dry_run=True)
    assert _tree(kept.path) == before
    done = _forget(kept, kept.uri(1))
    assert {(r.path, r.what) for r in dry.removals} == {(r.path, r.what) for r in done.removals}


def test_an_output_at_work_is_refused_before_anything_is_removed(kept: Kept) -> None:
    before = _tree(kept.root.path)
    with kept.output.lock(), pytest.raises(DataError, match="another run is at work"):
        _forget(kept, kept.uri(1))
    assert _tree(kept.root.path) == before
    assert mentions(kept.path / "out", kept.media_id(1))


def test_outputs_are_noted_and_others_can_be_named(kept: Kept, tmp_path: Path) -> None:
    elsewhere = ScoresFolder(tmp_path / "elsewhere")
    shutil.copytree(kept.output.path, elsewhere.path)
    done = _forget(kept, kept.media_id(3))
    assert mentions(elsewhere.path, kept.media_id(3)), "nobody knows of it"
    done = _forget(kept, kept.media_id(3), outputs=[elsewhere.path])
    assert done.removals
    assert mentions(elsewhere.path, kept.media_id(3), kept.uri(3)) == []
    shutil.rmtree(kept.output.path)
    gone = _forget(kept, kept.media_id(4))
    assert any("is not there now" in w and str(kept.output.path) in w for w in gone.warnings)
    assert mentions(kept.root.path, kept.media_id(4)) == []


def test_all_media_of_a_corpus_leave_no_snapshot(kept: Kept) -> None:
    for number in range(6):
        _forget(kept, kept.uri(number))
    corpus_dir = kept.root.corpus_shards("c")
    assert not (corpus_dir / "latest").exists()
    assert list(corpus_dir.rglob("*.arrow")) == list(corpus_dir.glob("*/index.parquet")) == []
    assert read_assignments(kept.root.splits / "c.json").members == {}
    assert len(pq.read_table(kept.output.path / "scores.parquet")) == 0


def test_a_file_that_has_other_bytes_now_is_another_medium(kept: Kept) -> None:
    old, uri = kept.media_id(2), kept.uri(2)
    Path(uri).write_text("somebody else by now")
    kept.ingest()
    new = kept.media_id(2)
    assert mentions(kept.root.path / "shards", old), "an older snapshot keeps its part"
    _forget(kept, old)
    assert mentions(kept.path / "data", old) == mentions(kept.path / "out", old) == []
    assert new in open_snapshot(kept.root, "c").index()["media_id"].tolist()
    _forget(kept, uri)
    assert mentions(kept.path / "data", new, uri) == []


def test_what_cannot_be_forgotten_is_said(kept: Kept) -> None:
    bundle = kept.root.runs / "learnt" / "bundle"
    bundle.mkdir(parents=True)
    (bundle / "detector.json").write_text('{"data_digests": {"c": "0"}}')
    (kept.root.prefect_home / "prefect.db").write_text(f"... {kept.uri(1)} ...")
    remains = " ".join(_forget(kept, kept.uri(1)).remains)
    assert str(bundle) in remains
    for word in ("weights", "MLflow", "backups", "prefect server database reset"):
        assert word in remains


def test_of_a_medium_that_was_only_scored_nobody_is_said_to_have_learnt(kept: Kept) -> None:
    shutil.rmtree(kept.root.shards)
    remains = " ".join(_forget(kept, kept.uri(1)).remains)
    assert "backups" in remains
    assert "weights" not in remains and "MLflow" not in remains


def test_what_is_unknown_is_no_error_and_a_folder_is(kept: Kept, tmp_path: Path) -> None:
    root = DataRoot(tmp_path / "none")
    assert forget(root, "f" * 64).removals == ()
    assert not root.path.exists()
    with pytest.raises(ConfigError, match="this is a folder"):
        _forget(kept, str(kept.media))


def test_a_damaged_shard_is_given_up_and_not_served(kept: Kept) -> None:
    corpus_dir = kept.root.corpus_shards("c")
    (key,) = [k for k, m in list_shards(corpus_dir).items() if kept.media_id(2) in m]
    path = corpus_dir / "parts" / f"{key}.arrow"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    done = _forget(kept, kept.media_id(2))
    assert any("ingest the corpus again" in removal.what for removal in done.removals)
    assert mentions(kept.root.path, kept.media_id(2)) == []
    assert not (corpus_dir / "latest").exists()
    Path(kept.uri(2)).unlink()
    assert len(kept.plan().unfinished) == 1
    kept.ingest()
    assert open_snapshot(kept.root, "c").missing_shards() == []


def _known(kept: Kept) -> list[Any]:
    with closing(sqlite3.connect(kept.output.state)) as db:
        tables = ("files", "scored", "parts")
        return [sorted(db.execute(f"SELECT * FROM {table}"), key=str) for table in tables]


class _Killed(BaseException):
    """As a kill: nothing may catch it."""


def _killing(monkeypatch: pytest.MonkeyPatch, *, after: int) -> None:
    """Let the process die at the n-th change of the disk."""
    left = after

    def before(original: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **more: Any) -> Any:
            nonlocal left
            left -= 1
            if left < 0:
                raise _Killed
            return original(*arguments, **more)

        return run

    for name in ("replace", "unlink"):
        monkeypatch.setattr(Path, name, before(getattr(Path, name)))
    monkeypatch.setattr(shutil, "rmtree", before(shutil.rmtree))

    class Connection(sqlite3.Connection):
        def __exit__(self, *error: Any) -> Any:
            before(lambda: None)()
            return super().__exit__(*error)

    connect = sqlite3.connect
    monkeypatch.setattr(
        sqlite3, "connect", lambda *a, **k: connect(*a, **{**k, "factory": Connection})
    )


@pytest.mark.slow
@pytest.mark.parametrize("start", range(4))
def test_killed_anywhere_and_run_again_it_is_as_if_undisturbed(kept: Kept, start: int) -> None:
    media_id, uri = kept.media_id(1), kept.uri(1)
    saved = kept.path.with_name("saved")
    _forget(kept, uri)
    expected = {k: v for k, v in _tree(kept.path).items() if "state" not in k}
    known = _known(kept)
    kills = 0
    for after in range(start, 400, 4):
        shutil.rmtree(kept.path)
        shutil.copytree(saved, kept.path)
        with pytest.MonkeyPatch.context() as monkeypatch:
            _killing(monkeypatch, after=after)
            try:
                _forget(kept, uri)
                break
            except _Killed:
                kills += 1
        # Whatever is asked for next, what was begun is brought to its end.
        _forget(kept, "f" * 64 if (kept.root.path / "forgetting.json").is_file() else uri)
        assert mentions(kept.path / "data", media_id, uri) == []
        assert mentions(kept.path / "out", media_id, uri) == []
        found = {k: v for k, v in _tree(kept.path).items() if "state" not in k}
        assert found == expected
        assert _known(kept) == known
    assert kills > 8
