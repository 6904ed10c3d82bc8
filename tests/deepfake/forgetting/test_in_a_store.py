"""Corpora and scores in a store forget as those on a disk do, on this machine and on another."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from deepfake.corpora.shards import open_snapshot
from deepfake.errors import DataError, StoreError
from deepfake.evidence import evidence_folder, list_evidence
from deepfake.forgetting import forget
from deepfake.scoring import find_parts, make_receipt, open_state, read_listing
from deepfake.storage import StorePath, cache_folder, read_json
from deepfake.views.report import read_report, write_report
from tests.deepfake.forgetting.kept import Kept, crop_bytes, make_kept, mentions
from tests.deepfake.scoring.state.known_files import known_files
from tests.sample_data import make_detector


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_detector(tmp_path_factory.mktemp("detector") / "bundle")


@pytest.fixture
def kept(
    bucket: StorePath, detector: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Kept]:
    # What is not for a store is kept in `data` where the command is called.
    monkeypatch.chdir(tmp_path)
    made = make_kept(tmp_path / "here", detector, place=bucket)
    yield made


def _left(kept: Kept, tmp_path: Path, *needles: str) -> list[str]:
    """Return what names any of these: objects, and files of this machine beside the media."""
    copy = tmp_path / "looked-through"
    shutil.rmtree(copy, ignore_errors=True)
    bucket = kept.root.path.parent
    assert isinstance(bucket, StorePath)
    for path, _ in bucket.iter_objects():
        local = copy / "bucket" / path.relative_to(bucket)
        local.parent.mkdir(parents=True, exist_ok=True)
        path.get(local)
    shutil.copytree(tmp_path / "data", copy / "data")
    shutil.copytree(cache_folder(), copy / "cache")
    return mentions(copy, *needles)


def test_nothing_of_it_is_left_in_the_store_or_here(kept: Kept, tmp_path: Path) -> None:
    media_id, uri = kept.media_id(1), kept.uri(1)
    copy = str(kept.media / "copy-of-1.png")
    held = _left(kept, tmp_path, media_id, uri, copy)
    for place in (
        "bucket/data/shards",
        "bucket/data/manifests",
        "bucket/data/benchmarks",
        "bucket/data/splits",
        "bucket/out/versions",
        "bucket/out/scores.csv",
        "bucket/out/.listing-",
        "data/evaluations",
        "data/logs",
        "cache/copies",
        "cache/outputs",
    ):
        assert any(name.startswith(place) for name in held), (place, held)
    dry = forget(kept.root, uri, is_dry_run=True)
    done = forget(kept.root, uri)
    assert {(r.path, r.what) for r in dry.removals} == {(r.path, r.what) for r in done.removals}
    assert {uri, copy} == done.media.uris
    assert _left(kept, tmp_path, media_id, uri, copy) == []
    remains = " ".join(done.remains)
    assert "versioning" in remains and "Other machines" in remains
    assert forget(kept.root, uri).removals == ()


def test_others_keep_all_that_was_kept_of_them(kept: Kept) -> None:
    others = [0, 2, 3, 4, 5]
    old = open_snapshot(kept.root, "c")
    forget(kept.root, kept.media_id(1))
    snapshot = open_snapshot(kept.root, "c")
    index, reader = snapshot.index(), snapshot.reader()
    assert snapshot.digest != old.digest and not old.folder.is_dir()
    assert snapshot.missing_shards() == []
    assert sorted(index["media_id"].unique()) == sorted(kept.media_id(n) for n in others)
    for row in index.itertuples():
        expected = crop_bytes(str(row.media_id), int(str(row.track_id)))
        assert bytes(reader.encoded(str(row.shard), int(str(row.row)))) == expected
    versions = kept.output.versions()
    assert len(versions) == 2
    for version in versions:
        folder = kept.output.version(version)
        assert list(list_evidence(evidence_folder(folder))) == sorted(map(kept.media_id, others))
        assert read_json(folder / "run.json")["statuses"] == {"ok": 5}
        assert {m for p in find_parts(kept.output.parts(version)) for m, _ in p.media} == set(
            map(kept.media_id, others)
        )
    top = kept.output.path
    assert read_json(top / "run.json")["statuses"] == {"ok": 5}
    assert isinstance(top, StorePath)
    names = _downloaded(top / "scores.parquet")["uri"].to_pylist()
    assert names == [kept.uri(n) for n in others]
    with (top / "scores.csv").open() as stream:
        assert pd.read_csv(stream)["uri"].tolist() == names


def _downloaded(path: StorePath) -> Any:
    with path.open() as stream:
        return pq.read_table(stream)


def test_the_next_ingest_and_scoring_have_nothing_to_do(kept: Kept) -> None:
    forget(kept.root, kept.uri(2))
    Path(kept.uri(2)).unlink()
    digest = open_snapshot(kept.root, "c").digest
    assert kept.plan().unfinished == ()
    snapshot, is_new = kept.ingest()
    assert (snapshot.digest, is_new) == (digest, False)
    version = kept.output.versions()[0]
    with open_state(kept.output.state, folder=str(kept.media), version=version) as state:
        read_listing(kept.output.path, state)
        state.reconcile(find_parts(kept.output.parts(version)))
        assert state.num_waiting == 0
        assert kept.uri(2) not in known_files(state)


def test_another_machine_that_knows_nothing_forgets_by_what_the_store_tells(
    kept: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEEPFAKE_CACHE", str(tmp_path / "another"))
    monkeypatch.chdir(tmp_path / "here")
    Path(kept.uri(3)).unlink()
    done = forget(kept.root, kept.uri(3), outputs=[kept.output.path])
    assert len(done.media.media_ids) == 1, "out of the listing and the tables"
    (media_id,) = done.media.media_ids
    shutil.rmtree(tmp_path / "another", ignore_errors=True)
    left = _left_in_bucket(kept, tmp_path, media_id, kept.uri(3))
    assert left == []


def _left_in_bucket(kept: Kept, tmp_path: Path, *needles: str) -> list[str]:
    cache_folder().mkdir(parents=True, exist_ok=True)
    return [n for n in _left(kept, tmp_path, *needles) if n.startswith("bucket")]


def test_a_store_that_fails_on_the_way_is_gone_on_with(kept: Kept, tmp_path: Path) -> None:
    media_id, uri = kept.media_id(1), kept.uri(1)
    failures = 0
    for after in range(0, 200, 7):
        with pytest.MonkeyPatch.context() as patch:
            left = after

            def failing(original: Any) -> Any:
                def run(*arguments: Any, **more: Any) -> Any:
                    nonlocal left
                    left -= 1
                    if left < 0:
                        raise OSError("the network is down")
                    return original(*arguments, **more)

                return run

            for name in ("put_file", "pipe_file", "rm_file", "cp_file"):
                patch.setattr(MemoryFileSystem, name, failing(getattr(MemoryFileSystem, name)))
            try:
                forget(kept.root, uri)
                break
            except (StoreError, DataError):
                failures += 1
        # Whatever lease was not given back is that of a process that is alive: this one.
        (kept.output.path / ".lease.json").unlink(missing_ok=True)
    forget(kept.root, "f" * 64)
    assert failures > 3
    assert _left(kept, tmp_path, media_id, uri) == []
    assert open_snapshot(kept.root, "c").missing_shards() == []


def test_an_output_at_work_elsewhere_is_refused(kept: Kept) -> None:
    with kept.output.lock(), pytest.raises(DataError, match="another run is at work"):
        forget(kept.root, kept.uri(1))
    assert len(_downloaded(kept.output.path / "scores.parquet")) == 7  # type: ignore[arg-type]


def test_a_report_that_shows_it_goes(kept: Kept) -> None:
    output = kept.output.path
    version = kept.output.version(kept.output.versions()[0])
    page = output / "report.html"
    write_report(page, read_report(output, version_dir=version))
    assert kept.uri(1) in page.read_text()
    forget(kept.root, kept.uri(1))
    assert not page.is_file()


def test_a_receipt_is_made_here_and_on_another_machine(
    kept: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = make_receipt(kept.output, kept.uri(2))
    monkeypatch.setenv("DEEPFAKE_CACHE", str(tmp_path / "another"))
    assert not kept.output.state.is_file()
    there = make_receipt(kept.output, kept.media_id(2))
    assert there.model_dump(exclude={"made_at"}) == here.model_dump(exclude={"made_at"})
    Path(kept.uri(2)).write_text("somebody else")
    with pytest.raises(DataError, match="no longer what was scored"):
        make_receipt(kept.output, kept.uri(2))
