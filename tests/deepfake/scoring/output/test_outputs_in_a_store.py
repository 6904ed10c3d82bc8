"""An output in a store: parts, tables, the listing for other machines, one run at a time."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from deepfake.corpora.manifest_row import ManifestRow
from deepfake.errors import ConfigError, DataError
from deepfake.scoring import (
    Part,
    ScoresFolder,
    ScoringState,
    find_parts,
    open_state,
    read_listing,
    write_listing,
)
from deepfake.scoring.output import folder as module
from deepfake.scoring.output.tables import _sorted_rows
from deepfake.scoring.parts import read_part_tables, remove_part, write_part
from deepfake.scoring.schemas import TABLES
from deepfake.scoring.scorer_settings import ScoredMedium
from deepfake.storage import StorePath, write_json
from deepfake.types import Kind, Status
from tests.scores import make_score

_LONG_AGO = 10**18
_NOW = _LONG_AGO + 10**12


def _key(number: int) -> str:
    return f"{number:016x}"


def _medium(name: str) -> ScoredMedium:
    return ScoredMedium(make_score(f"s3://m/{name}", name, logit=1.5), (), ())


@pytest.fixture
def parts(bucket: StorePath) -> list[Part]:
    return [
        write_part(bucket, key=_key(n), run_number=3, media=[_medium(f"{n}a"), _medium(f"{n}b")])
        for n in range(20)
    ]


def test_parts_are_found_and_read_as_they_were_written(
    parts: list[Part], bucket: StorePath
) -> None:
    assert list(find_parts(bucket)) == parts
    tables = dict(read_part_tables(bucket, [part.key for part in parts], "scores"))
    assert list(tables) == [part.key for part in parts]
    assert tables[_key(7)]["media_id"].to_pylist() == ["7a", "7b"]


@pytest.mark.parametrize("name", [f"{_key(5)}.json", *(f"{_key(5)}.{t}.parquet" for t in TABLES)])
@pytest.mark.parametrize("is_gone", [True, False])
def test_a_part_that_was_put_over_or_lost_is_none(
    parts: list[Part], bucket: StorePath, name: str, is_gone: bool
) -> None:
    if is_gone:
        (bucket / name).unlink()
    else:
        content = bytearray((bucket / name).read_bytes())
        content[len(content) // 2] ^= 0x20
        (bucket / name).write_bytes(bytes(content))
    assert list(find_parts(bucket)) == [*parts[:5], *parts[6:]]
    assert not [path for path, _ in bucket.iter_objects() if path.name.startswith(_key(5))]


def test_a_part_that_is_put_over_during_a_run_is_removed_for_the_next(
    parts: list[Part], bucket: StorePath
) -> None:
    (bucket / f"{_key(5)}.scores.parquet").write_bytes(b"something else")
    with pytest.raises(DataError, match="was damaged after the run began"):
        list(read_part_tables(bucket, [part.key for part in parts], "scores"))
    assert len(list(find_parts(bucket))) == 19


def test_what_was_wrong_with_a_part_is_said_by_whoever_puts_them_together(
    parts: list[Part], bucket: StorePath, tmp_path: Path, cache: Path
) -> None:
    class First:
        """A file of each part."""

        def named_contents(self, *, size: int) -> Iterator[list[tuple[str, str, str]]]:
            assert size > len(parts)
            contents = [part.media[0][0] for part in parts]
            yield [(f"s3://media/{c}", c, p.key) for c, p in zip(contents, parts, strict=True)]

        def used_parts(self) -> list[str]:
            return [part.key for part in parts]

        def refused_files(self) -> Iterator[ManifestRow]:
            yield from ()

    files = First()
    rows = list(_sorted_rows("scores", bucket, files, scratch=tmp_path))
    assert sum(map(len, rows)) == 20
    (bucket / f"{_key(5)}.scores.parquet").unlink()
    assert len(list(_sorted_rows("scores", bucket, files, scratch=tmp_path))) == len(rows), (
        "the copy that is here is known to be right"
    )
    shutil.rmtree(cache)
    with pytest.raises(DataError, match="was damaged after the run began"):
        list(_sorted_rows("scores", bucket, files, scratch=tmp_path))


def test_removing_leaves_nothing(bucket: StorePath) -> None:
    write_part(bucket, key=_key(1), run_number=1, media=[_medium("a")])
    remove_part(bucket, _key(1))
    remove_part(bucket, _key(1))
    assert list(bucket.iter_objects()) == []


def _row(name: str) -> ManifestRow:
    listed = ManifestRow(f"s3://media/{name}", "media", size_bytes=10, mtime_ns=_LONG_AGO)
    return replace(listed, media_id=name, kind=Kind.IMAGE)


@pytest.fixture
def states(tmp_path: Path) -> Iterator[tuple[ScoringState, ScoringState]]:
    """Yield the states of two machines."""

    def path(name: str) -> Path:
        return tmp_path / f"{name}.sqlite"

    with (
        open_state(path("one"), folder="s3://media", version="v") as one,
        open_state(path("two"), folder="s3://media", version="v") as two,
    ):
        yield one, two


def test_what_one_machine_knows_another_need_not_find_out(
    bucket: StorePath, states: tuple[ScoringState, ScoringState]
) -> None:
    one, two = states
    failed = replace(_row("c"), media_id=None, kind=None, status=Status.EMPTY, message="no bytes")
    rows = [_row("a"), _row("b"), failed]
    read_listing(bucket, one)
    one.record_probed(rows, began_ns=_NOW)
    write_listing(bucket, one)
    read_listing(bucket, two)
    known, unknown = two.record_listed(
        [replace(r, media_id=None, status=Status.OK) for r in rows[:2]]
    )
    assert [row.uri for row in known] == ["s3://media/a", "s3://media/b"]
    assert unknown == []
    assert sorted(two.all_files()) == sorted(one.all_files())


def test_a_listing_is_written_when_there_is_something_new_and_read_when_it_is_anothers(
    bucket: StorePath, states: tuple[ScoringState, ScoringState]
) -> None:
    one, two = states
    one.record_probed([_row("a")], began_ns=_NOW)
    write_listing(bucket, one)
    before = {path.name for path, _ in bucket.iter_objects()}
    write_listing(bucket, one)
    assert {path.name for path, _ in bucket.iter_objects()} == before

    read_listing(bucket, two)
    two.record_probed([_row("b")], began_ns=_NOW)
    write_listing(bucket, two)
    assert len(list(bucket.iter_objects())) == 2, "the old one is gone"
    one.record_probed([_row("lost")], began_ns=_NOW)
    read_listing(bucket, one)
    assert [row[0] for row in one.all_files()] == ["s3://media/a", "s3://media/b"]

    one.record_probed([_row("unwritten")], began_ns=_NOW)
    read_listing(bucket, one)
    assert len(list(one.all_files())) == 3, "what this machine wrote last it need not read"


@pytest.mark.parametrize("index", ["[]", "{}", '{"file": "../x", "sha256": "0"}', "nonsense"])
def test_a_damaged_listing_costs_only_time(
    bucket: StorePath, states: tuple[ScoringState, ScoringState], index: str
) -> None:
    one, two = states
    one.record_probed([_row("a")], began_ns=_NOW)
    write_listing(bucket, one)
    (bucket / ".listing.json").write_bytes(index.encode())
    read_listing(bucket, two)
    assert list(two.all_files()) == []


def test_a_listing_whose_table_is_damaged_is_not_read(
    bucket: StorePath, states: tuple[ScoringState, ScoringState]
) -> None:
    one, two = states
    one.record_probed([_row("a")], began_ns=_NOW)
    write_listing(bucket, one)
    (table,) = bucket.glob("*.parquet")
    table.write_bytes(table.read_bytes()[:-1])
    read_listing(bucket, two)
    assert list(two.all_files()) == []


def test_beside_an_output_that_is_here_nothing_is_written(
    tmp_path: Path, states: tuple[ScoringState, ScoringState]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    write_listing(out, states[0])
    read_listing(out, states[0])
    assert list(out.iterdir()) == []


def test_the_newest_score_is_that_of_the_last_run_whoever_ran_before(
    bucket: StorePath, states: tuple[ScoringState, ScoringState]
) -> None:
    part = write_part(bucket, key=_key(1), run_number=41, media=[_medium("a")])
    states[0].reconcile([part])
    assert states[0].run == 42


def test_one_run_at_a_time(bucket: StorePath, cache: Path) -> None:
    folder = ScoresFolder(bucket / "scores")
    assert folder.owner() is None
    with folder.lock() as lock:
        lock.check()
        owner = folder.owner()
        assert owner is not None and owner["pid"] > 0
        with pytest.raises(DataError, match=f"process {owner['pid']} of "), folder.lock():
            pass
        (bucket / "scores" / ".lease.json").unlink()
        assert folder.state.is_relative_to(cache)
    assert list(bucket.iter_objects()) == []
    with folder.lock():
        pass


def test_a_hold_whose_lease_was_lost_says_so(
    bucket: StorePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ScoresFolder(bucket).lock() as lock:
        monkeypatch.setattr(module.Lease, "is_ours", False)
        with pytest.raises(DataError, match="the lease on this output was lost"):
            lock.check()


def test_tables_are_shown_at_the_top_with_the_one_that_tells_of_them_last(
    bucket: StorePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = ScoresFolder(bucket)
    for name in module.TABLE_FILES:
        (bucket / "versions" / "v" / name).write_bytes(name.encode())
    write_json(bucket / "versions" / "v" / "run.json", {"written": "1"})
    copied: list[str] = []
    copy = StorePath.copy_to

    def noted(self: StorePath, target: StorePath) -> None:
        copied.append(target.relative_to(bucket))
        copy(self, target)

    monkeypatch.setattr(StorePath, "copy_to", noted)
    folder.publish("v")
    assert copied == [*module.TABLE_FILES]
    assert copied[-1] == "run.json"
    folder.publish("v")
    assert len(copied) == len(module.TABLE_FILES), "nothing is copied twice"


def test_a_uri_that_became_a_path_is_refused() -> None:
    with pytest.raises(ConfigError, match="a store URI with one slash"):
        ScoresFolder(Path("s3://bucket/scores"))


def test_scores_of_a_part_can_be_read_by_anybody(parts: list[Part], bucket: StorePath) -> None:
    with (bucket / f"{_key(3)}.scores.parquet").open() as stream:
        assert pq.read_table(stream)["media_id"].to_pylist() == ["3a", "3b"]
