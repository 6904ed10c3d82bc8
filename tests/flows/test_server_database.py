"""A new data root gets a copy of an empty Prefect database instead of running all migrations."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from flows.server.database import place_new_database
from flows.server.temporary import temporary_server


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DEEPFAKE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "prefect"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home with a space"
    folder.mkdir()
    return folder


def _rows(database: Path) -> dict[str, int]:
    """Return the number of rows of each table that has some."""
    with closing(sqlite3.connect(database)) as opened:
        tables = opened.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        counts = {
            name: opened.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]
            for (name,) in tables
        }
    return {name: count for name, count in counts.items() if count}


def _keep_some_database(home: Path) -> Path:
    kept = place_new_database(home)
    assert kept is not None
    kept.parent.mkdir(parents=True)
    with closing(sqlite3.connect(kept)) as opened:
        opened.execute("CREATE TABLE kept (number INTEGER)")
    return kept


def test_a_server_keeps_its_new_database_and_serves_from_a_copy(
    home: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    for number, folder in enumerate((home, tmp_path / "second")):
        monkeypatch.setenv("PREFECT_HOME", str(folder))
        with temporary_server() as wait:
            is_placed = (folder / "prefect.db").is_file()
            assert is_placed == (number == 1), "the first server makes it, the second gets a copy"
            wait()
        (kept,) = cache.iterdir()
        assert set(_rows(kept)) == {"alembic_version"}, "no row of the first server's own"


def test_a_database_that_is_there_stays(home: Path, cache: Path) -> None:
    _keep_some_database(home)
    (home / "prefect.db").write_bytes(b"somebody's")
    assert place_new_database(home) is None
    assert (home / "prefect.db").read_bytes() == b"somebody's"


def test_a_damaged_copy_is_made_again(home: Path, cache: Path) -> None:
    kept = _keep_some_database(home)
    content = kept.read_bytes()
    kept.write_bytes(b"no database" + content[11:])
    assert place_new_database(home) == kept
    assert list(home.iterdir()) == []
    kept.write_bytes(content)
    assert place_new_database(home) is None
    assert [path.name for path in home.iterdir()] == ["prefect.db"]


def test_another_database_of_the_user_is_left_alone(
    home: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _keep_some_database(home)
    monkeypatch.setenv("PREFECT_SERVER_DATABASE_CONNECTION_URL", "postgresql+asyncpg://host/db")
    assert place_new_database(home) is None
    assert list(home.iterdir()) == []
