"""Listing files one by one: filters, symlinks, cycles of symlinks, special files."""

from __future__ import annotations

import itertools
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deepfake.corpora.layouts import MediaFilter, stream_media
from deepfake.errors import ConfigError
from deepfake.types import Status


def _tree(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")


def _found(
    root: Path, media_filter: MediaFilter | None = None, skipped: Path | None = None
) -> list[str]:
    rows = stream_media(root, media_filter=media_filter, skipped=skipped)
    return sorted(str(Path(row.uri).relative_to(root)) for row in rows)


def test_every_file_that_is_not_hidden_is_found(tmp_path: Path) -> None:
    _tree(tmp_path, "a.png", "deep/er/b.mp4", "no extension", ".hidden/c.png", ".d.png")
    assert _found(tmp_path) == ["a.png", "deep/er/b.mp4", "no extension"]


def test_results_of_scoring_are_not_media(tmp_path: Path) -> None:
    _tree(tmp_path, "a.png", "results/state.sqlite", "results/.lock", "results/evidence/b.jpg")
    _tree(tmp_path, "other/state.sqlite", "other/c.png")
    assert _found(tmp_path) == ["a.png", "other/c.png", "other/state.sqlite"]


def test_the_first_file_does_not_wait_for_the_last(tmp_path: Path) -> None:
    _tree(tmp_path, *(f"{i}/{i}.png" for i in range(50)))
    rows = stream_media(tmp_path)
    first = next(rows)
    for path in tmp_path.iterdir():
        (path / "late.png").write_bytes(b"x")
    assert first.status is Status.OK
    assert sum(1 for row in rows if row.uri.endswith("late.png")) >= 49


@pytest.mark.parametrize(
    ("include", "exclude", "expected"),
    [
        (["*.mp4"], [], ["b.mp4", "raw/c.mp4"]),
        ([], ["raw/"], ["a.png", "b.mp4"]),
        (["*.mp4"], ["/b.*"], ["raw/c.mp4"]),
        (["raw/**"], ["*.mp4"], ["raw/d.jpg"]),
        ([], ["*", "!*.png"], ["a.png"]),
    ],
)
def test_patterns(
    tmp_path: Path, include: list[str], exclude: list[str], expected: list[str]
) -> None:
    _tree(tmp_path, "a.png", "b.mp4", "raw/c.mp4", "raw/d.jpg")
    assert _found(tmp_path, MediaFilter(tuple(include), tuple(exclude))) == expected


def test_a_pattern_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="invalid file pattern"):
        MediaFilter(include=("!",))


def test_only_what_changed_since(tmp_path: Path) -> None:
    _tree(tmp_path, "old.png", "new.png")
    os.utime(tmp_path / "old.png", (1_000_000_000, 1_000_000_000))
    since = datetime(2020, 1, 1, tzinfo=UTC)
    assert _found(tmp_path, MediaFilter(changed_since=since)) == ["new.png"]


def test_a_folder_has_its_own_name_although_links_lead_to_it(tmp_path: Path) -> None:
    _tree(tmp_path, "z-real/a.png")
    (tmp_path / "a-link").symlink_to(tmp_path / "z-real")
    (tmp_path / "b-link").symlink_to("z-real")
    assert _found(tmp_path) == ["z-real/a.png"]


def test_a_folder_elsewhere_is_walked_once(tmp_path: Path) -> None:
    _tree(tmp_path, "elsewhere/a.png", "root/b.png")
    root = tmp_path / "root"
    for name in ("one", "two"):
        (root / name).symlink_to(tmp_path / "elsewhere")
    assert len(_found(root)) == 2


def test_rings_of_links_end(tmp_path: Path) -> None:
    _tree(tmp_path, "a/x.png", "b/y.png", "c/z.png")
    for one, other in itertools.permutations("abc", 2):
        (tmp_path / one / f"to-{other}").symlink_to(tmp_path / other)
    (tmp_path / "up").symlink_to(tmp_path)
    (tmp_path / "itself").symlink_to("itself")
    assert _found(tmp_path) == ["a/x.png", "b/y.png", "c/z.png", "itself"]


def test_a_linked_file_is_a_file_and_a_dangling_link_a_row(tmp_path: Path) -> None:
    _tree(tmp_path, "a.png")
    (tmp_path / "b.png").symlink_to("a.png")
    (tmp_path / "c.png").symlink_to("nothing")
    statuses = {Path(row.uri).name: row.status for row in stream_media(tmp_path)}
    assert statuses == {"a.png": Status.OK, "b.png": Status.OK, "c.png": Status.MISSING}


def test_the_output_is_not_among_the_media(tmp_path: Path) -> None:
    _tree(tmp_path, "a.png", "out/scores.csv")
    (tmp_path / "link").symlink_to("out")
    assert _found(tmp_path, skipped=tmp_path / "out") == ["a.png"]


def test_one_file_is_a_folder_of_one(tmp_path: Path) -> None:
    _tree(tmp_path, "a.png")
    (row,) = stream_media(tmp_path / "a.png")
    assert row.uri == str(tmp_path / "a.png")


def test_each_name_is_written_down_as_another_one(tmp_path: Path) -> None:
    """Bytes that are no text are spelled out, and there are names that look like that."""
    names = [
        b"\xff.png",
        b"\\xff.png",
        b"\xff\\xfe",
        b"\\xff\xfe",
        b"\\xff\\xfe",
        b"in\xe9/a",
        b"b\\c",
    ]
    for name in names:
        path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    rows = list(stream_media(tmp_path))
    uris = {row.uri.removeprefix(f"{tmp_path}/"): row.status for row in rows}
    assert uris == {
        "./\\xff.png": Status.UNSUPPORTED,
        "\\xff.png": Status.OK,
        "./\\xff\\\\xfe": Status.UNSUPPORTED,
        "./\\\\xff\\xfe": Status.UNSUPPORTED,
        "\\xff\\xfe": Status.OK,
        "./in\\xe9/a": Status.UNSUPPORTED,
        "b\\c": Status.OK,
    }
    assert len(rows) == len(names)
