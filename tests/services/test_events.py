"""An ingest that adds files emits an event; one that adds none does not."""

from __future__ import annotations

import json
import shutil
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from deepfake.corpora.shards import open_snapshot
from deepfake.storage import DataRoot
from tests.command_line import run_deepfake
from tests.sample_data import make_corpus
from tests.services.processes import Server, prefect_server

pytestmark = [pytest.mark.services, pytest.mark.timeout(3600)]

_CORPUS = "Tiny_1.0"
_ARRIVES_SECONDS = 30.0


def _events(server: Server) -> list[dict[str, Any]]:
    """Return the events of that name, the oldest first."""
    asked = {"filter": {"event": {"name": ["deepfake.corpus.grown"]}}, "limit": 50}
    request = urllib.request.Request(
        f"{server.environment['PREFECT_API_URL']}/events/filter",
        data=json.dumps(asked).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return list(reversed(json.load(answer)["events"]))


def _wait_for(server: Server, count: int) -> list[dict[str, Any]]:
    deadline = time.monotonic() + _ARRIVES_SECONDS
    while len(_events(server)) < count and time.monotonic() < deadline:
        time.sleep(0.5)
    return _events(server)


def test_an_ingest_that_added_media_says_so_once(tmp_path: Path) -> None:
    media = make_corpus(tmp_path / "media", clips=0, stills=2)
    data_root = tmp_path / "data"

    def ingest(server: Server) -> None:
        done = run_deepfake(
            *("ingest", media, "--corpus", _CORPUS, "--data-root", data_root, "--num-workers", "1"),
            cwd=tmp_path,
            environment=server.environment,
            timeout_seconds=900,
        )
        assert done.returncode == 0, done.stderr

    with prefect_server(tmp_path / "prefect") as server:
        ingest(server)
        (event,) = _wait_for(server, 1)
        assert event["resource"]["prefect.resource.id"] == f"deepfake.corpus.{_CORPUS}"
        payload = event["payload"]
        assert payload["snapshot"] == open_snapshot(DataRoot(data_root), _CORPUS).digest
        assert (payload["num_added"], payload["num_files"]) == (4, 4)
        ingest(server)
        shutil.copy(media / "real" / "still-0.png", media / "real" / "same-content.png")
        ingest(server)
        fresh = make_corpus(tmp_path / "more", clips=0, stills=3)
        shutil.copy(fresh / "real" / "still-2.png", media / "real" / "new.png")
        ingest(server)
        events = _wait_for(server, 2)
        assert [e["payload"]["num_added"] for e in events] == [4, 1]
        assert events[1]["payload"]["num_files"] == 6
