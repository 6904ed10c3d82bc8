"""What a run knows of files: which to probe, which to score, what is gone, what a crash left."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import replace
from pathlib import Path

import pytest

from deepfake.config import MediaLimits
from deepfake.corpora.manifest_row import ManifestRow
from deepfake.errors import DataError
from deepfake.scoring import ChangedFile, Part, ScoringState, open_state
from deepfake.types import Kind, Status
from tests.deepfake.scoring.state.known_files import known_files

_LONG_AGO = 10**18
_NOW = _LONG_AGO + 10**12

Opening = Callable[..., AbstractContextManager[ScoringState]]


@pytest.fixture
def opened(tmp_path: Path) -> Opening:
    def open_it(
        version: str = "v1", folder: str = "/media"
    ) -> AbstractContextManager[ScoringState]:
        return open_state(tmp_path / "state.sqlite", folder=folder, version=version)

    return open_it


def _listed(name: str, *, size: int = 10, mtime_ns: int = _LONG_AGO) -> ManifestRow:
    return ManifestRow(f"/media/{name}", "media", size_bytes=size, mtime_ns=mtime_ns)


def _probed(row: ManifestRow, content: str | None = None) -> ManifestRow:
    return replace(row, media_id=content or row.uri, kind=Kind.IMAGE)


def _learn(state: ScoringState, rows: Sequence[ManifestRow]) -> list[ManifestRow]:
    """List and probe files, and return those that are to be scored."""
    known, unknown = state.record_listed(rows)
    probed = [_probed(row) for row in unknown]
    state.record_probed(probed, began_ns=_NOW)
    return state.claim([*known, *probed])


def _score(state: ScoringState, rows: Sequence[ManifestRow], status: str = "ok") -> Part:
    media = tuple((str(row.media_id), status) for row in rows)
    part = Part(f"part-{state.run}-{len(media)}", state.run, media)
    state.commit(part)
    return part


def test_a_second_run_has_nothing_to_do(opened: Opening) -> None:
    rows = [_listed("a"), _listed("b")]
    with opened() as state:
        assert [row.uri for row in _learn(state, rows)] == ["/media/a", "/media/b"]
        part = _score(state, state.record_listed(rows)[0])
    with opened() as state:
        state.reconcile([part])
        assert state.record_listed(rows)[1] == []
        assert _learn(state, rows) == []
    with opened() as state:
        assert state.mark_vanished() == 2, "the files of this test were never on disk"


def test_only_what_changed_is_probed_again(opened: Opening) -> None:
    with opened() as state:
        _learn(state, [_listed("same"), _listed("longer"), _listed("later")])
    with opened() as state:
        known, unknown = state.record_listed(
            [_listed("same"), _listed("longer", size=11), _listed("later", mtime_ns=_LONG_AGO + 1)]
        )
        assert [row.uri for row in known] == ["/media/same"]
        assert known[0].media_id == "/media/same"
        assert {row.uri for row in unknown} == {"/media/longer", "/media/later"}


def test_a_file_that_changed_just_before_it_was_hashed_is_hashed_again(opened: Opening) -> None:
    fresh = _listed("fresh", mtime_ns=_NOW - 10**9)
    with opened() as state:
        _learn(state, [fresh])
    with opened() as state:
        assert state.record_listed([fresh])[1] == [fresh]
        state.record_probed([_probed(fresh)], began_ns=_NOW + 10**12)
    with opened() as state:
        assert state.record_listed([fresh])[1] == []


@pytest.mark.parametrize(
    ("status", "is_probed_again"),
    [
        (Status.EMPTY, False),
        (Status.UNSUPPORTED, False),
        (Status.DECODE_ERROR, False),
        (Status.TIMEOUT, True),
        (Status.CRASHED, True),
        (Status.UNREADABLE, True),
    ],
)
def test_what_may_pass_is_probed_again(
    opened: Opening, status: Status, is_probed_again: bool
) -> None:
    row = _listed("odd")
    with opened() as state:
        state.record_listed([row])
        refused = replace(row, status=status, media_id="m", message="why")
        state.record_probed([refused], began_ns=_NOW)
        assert [file.row.message for file in known_files(state)] == ["why"]
    with opened() as state:
        assert bool(state.record_listed([row])[1]) is is_probed_again


def test_what_was_too_large_is_looked_at_again_under_other_limits(opened: Opening) -> None:
    rows = [_listed("fine"), _listed("big"), _listed("grows")]
    first, other = MediaLimits(max_frames=10), MediaLimits(max_frames=20)
    with opened() as state:
        state.apply_limits(first)
        fine, big, grows = state.record_listed(rows)[1]
        big = replace(big, media_id="big", status=Status.TOO_LARGE)
        state.record_probed([_probed(fine), big, _probed(grows)], began_ns=_NOW)
        claimed = state.claim([_probed(fine), big, _probed(grows)])
        media = tuple(zip([str(r.media_id) for r in claimed], ["ok", "too_large"], strict=True))
        part = Part("part", state.run, media)
        state.commit(part)
    with opened() as state:
        state.reconcile([part])
        state.apply_limits(first)
        known, unknown = state.record_listed(rows)
        assert (unknown, state.claim(known)) == ([], [])
    for version in ("v1", "v1"):
        with opened(version) as state:
            state.reconcile([part])
            state.apply_limits(other)
            known, unknown = state.record_listed(rows)
            assert [row.uri for row in unknown] == ["/media/big"], "until it is probed"
            assert [row.uri for row in state.claim(known)] == ["/media/grows"]
    with opened() as state:
        state.reconcile([part])
        state.apply_limits(other)
        state.record_probed([_probed(_listed("big"))], began_ns=_NOW)
        assert state.record_listed(rows)[1] == []


def test_limits_of_another_version_leave_scores_alone(opened: Opening) -> None:
    rows = [_listed("grows")]
    with opened() as state:
        state.apply_limits(MediaLimits())
        _learn(state, rows)
        part = _score(state, state.record_listed(rows)[0], "too_large")
    with opened("v2") as state:
        state.apply_limits(MediaLimits(max_frames=7))
    with opened() as state:
        state.reconcile([part])
        state.apply_limits(MediaLimits())
        assert state.claim(state.record_listed(rows)[0]) == []


def test_one_content_is_claimed_once_and_reported_under_each_name(opened: Opening) -> None:
    rows = [_probed(_listed("a"), "same"), _probed(_listed("b"), "same")]
    with opened() as state:
        state.record_listed([_listed("a"), _listed("b")])
        state.record_probed(rows, began_ns=_NOW)
        claimed = state.claim(rows)
        assert len(claimed) == 1
        assert state.claim(rows) == [], "it is under way"
        part = _score(state, claimed)
        assert [(f.row.uri, f.part) for f in known_files(state)] == [
            ("/media/a", part.key),
            ("/media/b", part.key),
        ]


def test_another_detector_scores_everything_beside_the_first(opened: Opening) -> None:
    rows = [_listed("a")]
    with opened("v1") as state:
        first = _score(state, _learn(state, rows))
    with opened("v2") as state:
        assert len(_learn(state, rows)) == 1
    with opened("v1") as state:
        state.reconcile([first])
        assert _learn(state, rows) == []


def test_failures_that_may_pass_are_scored_again_when_asked_for(opened: Opening) -> None:
    rows = [_probed(_listed("slow"))]
    with opened() as state:
        _score(state, _learn(state, [_listed("slow")]), status="timeout")
    with opened() as state:
        assert state.claim(rows) == []
        (claimed,) = state.claim(rows, is_retrying_failed=True)
        part = _score(state, [claimed])
        assert [file.part for file in known_files(state)] == [part.key]
        assert len(state.unused_parts()) == 1


def test_a_part_that_a_killed_run_did_not_note_is_found(opened: Opening) -> None:
    with opened() as state:
        (row,) = _learn(state, [_listed("a")])
        stray = Part("stray", state.run, ((str(row.media_id), "ok"),))
    with opened() as state:
        state.reconcile([stray])
        assert _learn(state, [_listed("a")]) == []
        assert [file.part for file in known_files(state)] == ["stray"]


def test_media_of_a_part_that_is_gone_are_scored_again(opened: Opening) -> None:
    with opened() as state:
        _score(state, _learn(state, [_listed("a")]))
        state.mark_written()
    with opened() as state:
        state.reconcile([])
        assert state.is_dirty
        assert len(_learn(state, [_listed("a")])) == 1


def test_of_two_parts_with_one_medium_the_later_holds(opened: Opening) -> None:
    with opened() as state:
        (row,) = _learn(state, [_listed("a")])
        old = Part("z-old", 1, ((str(row.media_id), "timeout"),))
        new = Part("a-new", 2, ((str(row.media_id), "ok"),))
        state.reconcile([new, old])
        assert [file.part for file in known_files(state)] == ["a-new"]
        assert state.unused_parts() == ["z-old"]


def test_a_part_is_small_by_the_scores_that_hold(opened: Opening) -> None:
    with opened() as state:
        first = _score(state, _learn(state, [_listed("a"), _listed("b"), _listed("c")]))
        second = _score(state, _learn(state, [_listed("d")]))
        assert state.small_parts(below=3) == [second]
        again = Part("again", state.run, first.media[:1])
        state.commit(again)
        held = {part.key: part.media for part in state.small_parts(below=3)}
        left = tuple(sorted(first.media[1:]))
        assert held == {first.key: left, second.key: second.media, "again": again.media}
        assert state.small_parts(below=1) == []


def test_what_vanished_is_marked_and_what_a_filter_left_out_is_not(
    opened: Opening, tmp_path: Path
) -> None:
    there, gone = tmp_path / "there.png", tmp_path / "gone.png"
    for path in (there, gone):
        path.write_bytes(b"x")
    rows = [ManifestRow(str(p), "media", size_bytes=1, mtime_ns=_LONG_AGO) for p in (there, gone)]
    with opened(folder=str(tmp_path)) as state:
        _score(state, _learn(state, rows))
    gone.unlink()
    with opened(folder=str(tmp_path)) as state:
        assert state.mark_vanished() == 1
        statuses = {Path(f.row.uri).name: f.row.status for f in known_files(state)}
        assert statuses == {"there.png": Status.OK, "gone.png": Status.VANISHED}
        assert state.mark_vanished() == 0
    gone.write_bytes(b"y")
    with opened(folder=str(tmp_path)) as state:
        assert state.record_listed([rows[1]])[1] == [rows[1]], "it is back, and may be another"


def test_a_file_that_changed_under_way_frees_its_content_for_another_name(opened: Opening) -> None:
    rows = [_probed(_listed("a"), "same"), _probed(_listed("b"), "same")]
    with opened() as state:
        state.record_listed([_listed("a"), _listed("b")])
        state.record_probed(rows, began_ns=_NOW)
        (claimed,) = state.claim(rows)
        moved = ChangedFile(claimed.uri, "same", "error", "was changed")
        (other,) = state.release([moved])
        assert {claimed.uri, other.uri} == {"/media/a", "/media/b"}
        assert state.claim([other]) == [other]
        assert [f.row.message for f in known_files(state)] == ["was changed"]


def test_a_limit_leaves_files_for_the_next_run(opened: Opening) -> None:
    rows = [_listed(name) for name in "abc"]
    with opened() as state:
        _, unknown = state.record_listed(rows)
        probed = [_probed(row) for row in unknown]
        state.record_probed(probed, began_ns=_NOW)
        claimed = state.claim(probed, limit=2)
        assert len(claimed) == 2
        _score(state, claimed)
        assert state.num_waiting == 1
        assert len(known_files(state)) == 2
    with opened() as state:
        assert len(_learn(state, rows)) == 1


def test_tables_are_due_only_after_changes(opened: Opening) -> None:
    with opened() as state:
        part = _score(state, _learn(state, [_listed("a")]))
        assert state.is_dirty
        state.mark_written()
        assert not state.is_dirty
    with opened() as state:
        state.reconcile([part])
        _learn(state, [_listed("a")])
        assert not state.is_dirty
        assert state.num_changes == 0
        _learn(state, [_listed("b")])
        assert state.is_dirty
    with opened(folder="/media/sub") as state:
        assert state.is_dirty, "these tables are of another folder"


def test_files_of_other_folders_are_not_shown(opened: Opening) -> None:
    with opened(folder="/") as state:
        rows = ["/media/a", "/media/deep/b", "/media0/c", "/media", "/other/d"]
        state.record_listed([ManifestRow(u, "m", status=Status.MISSING) for u in rows])
    with opened(folder="/media") as state:
        assert [f.row.uri for f in known_files(state)] == ["/media", "/media/a", "/media/deep/b"]
        assert state.num_files == 3


def test_state_of_another_version_is_refused(opened: Opening, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "state.sqlite")) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(DataError, match="another version"), opened():
        pass


def test_a_damaged_state_is_put_aside_and_made_anew(opened: Opening, tmp_path: Path) -> None:
    with opened() as state:
        part = _score(state, _learn(state, [_listed("a")]))
    path = tmp_path / "state.sqlite"
    path.write_bytes(b"no database at all" * 500)
    with opened() as state:
        state.reconcile([part])
        assert _learn(state, [_listed("a")]) == [], "the part is there, the file is hashed again"
    assert path.with_suffix(".damaged").read_bytes().startswith(b"no database")


@pytest.fixture
def many() -> Iterator[ManifestRow]:
    return (_listed(f"{i:06}") for i in range(3000))


def test_thousands_of_files_go_through(opened: Opening, many: Iterator[ManifestRow]) -> None:
    rows = list(many)
    with opened() as state:
        for at in range(0, len(rows), 500):
            _score(state, _learn(state, rows[at : at + 500]))
        assert state.num_files == 3000
        assert [f.row.uri for f in known_files(state)] == [row.uri for row in rows]


def _change(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(statement)


@pytest.mark.parametrize(
    "change", ["status = 'odd'", "kind = 'odd'", "size_bytes = 'many'", "message = x'ff'"]
)
def test_what_is_noted_without_sense_is_found_out_again(
    opened: Opening, tmp_path: Path, change: str
) -> None:
    rows = [_listed("a")]
    with opened() as state:
        _score(state, _learn(state, rows))
    _change(tmp_path / "state.sqlite", f"UPDATE files SET {change}")
    with opened() as state:
        assert state.record_listed(rows)[1] == rows
        state.record_probed([_probed(row) for row in rows], began_ns=_NOW)
        assert [f.row.status for f in known_files(state)] == [Status.OK]


@pytest.mark.parametrize(
    "change", ["status = 'odd'", "kind = 'odd'", "size_bytes = 'many'", "message = x'ff'"]
)
def test_no_table_tells_what_makes_no_sense(opened: Opening, tmp_path: Path, change: str) -> None:
    with opened() as state:
        state.record_listed([replace(_listed("a"), status=Status.UNREADABLE, message="why")])
    _change(tmp_path / "state.sqlite", f"UPDATE files SET {change}")
    with opened() as state, pytest.raises(DataError, match="is invalid") as caught:
        known_files(state)
    assert caught.value.hint


@pytest.mark.parametrize("value", ["'text'", "-1", "9223372036854775807", "x'00'"])
def test_a_count_without_sense_begins_anew(opened: Opening, tmp_path: Path, value: str) -> None:
    with opened() as state:
        _learn(state, [_listed("a")])
    _change(tmp_path / "state.sqlite", f"UPDATE meta SET value = {value} WHERE name = 'run'")
    with opened() as state:
        assert state.run == 1


def test_a_status_of_a_score_without_sense_is_no_score(opened: Opening, tmp_path: Path) -> None:
    with opened() as state:
        _score(state, _learn(state, [_listed("a")]))
    _change(tmp_path / "state.sqlite", "UPDATE scored SET status = 'odd'")
    with opened() as state:
        assert len(_learn(state, [_listed("a")])) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE files DROP COLUMN is_racy",
        "ALTER TABLE meta RENAME COLUMN name TO called",
        "CREATE TRIGGER t AFTER UPDATE ON files BEGIN DELETE FROM files; END",
        "CREATE VIEW v AS SELECT 1",
    ],
)
def test_a_state_of_other_tables_is_put_aside(
    opened: Opening, tmp_path: Path, statement: str
) -> None:
    with opened() as state:
        _learn(state, [_listed("a")])
    _change(tmp_path / "state.sqlite", statement)
    with opened() as state:
        assert state.record_listed([_listed("a")])[1] == [_listed("a")]
    assert (tmp_path / "state.damaged").exists()
