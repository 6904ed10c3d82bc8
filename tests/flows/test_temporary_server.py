"""Whether a server is named is told without importing Prefect, which takes seconds."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.server import temporary

_PROFILES = """
active = "here"
[profiles.here]
PREFECT_LOGGING_LEVEL = "INFO"
[profiles.there]
PREFECT_API_URL = "http://127.0.0.1:4200/api"
"""


def test_the_active_profile_alone_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PREFECT_PROFILE", raising=False)
    path = tmp_path / "profiles.toml"
    path.write_text(_PROFILES)
    assert not temporary._may_name_server(str(path))
    monkeypatch.setenv("PREFECT_PROFILE", "there")
    assert temporary._may_name_server(str(path))
    path.write_text("active = [")
    assert temporary._may_name_server(str(path)), "Prefect says what is wrong with it"
    assert not temporary._may_name_server(str(tmp_path / "absent.toml"))
