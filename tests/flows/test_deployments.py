"""What `deepfake setup` reads out of `prefect.yaml`, before any server is asked."""

from __future__ import annotations

import uuid
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from deepfake.errors import ConfigError
from flows.server.deployments import Deployment, create_schedule, read_deployments, triggers_of
from tests.places import CHECKOUT

_FILE = CHECKOUT / "prefect.yaml"


@pytest.fixture(scope="module")
def deployments() -> dict[str, Deployment]:
    return {one.name: one for one in read_deployments(_FILE, data_root="/srv/data")}


def test_each_works_on_the_data_root_that_was_named(deployments: dict[str, Deployment]) -> None:
    assert {one.settings["parameters"]["data_root"] for one in deployments.values()} == {
        "/srv/data"
    }


def test_each_runs_where_the_file_lies(deployments: dict[str, Deployment]) -> None:
    step = "prefect.deployments.steps.set_working_directory"
    for one in deployments.values():
        assert one.settings["pull_steps"] == [{step: {"directory": str(_FILE.parent)}}]
        assert one.settings["work_pool_name"] == "local"


def test_retraining_waits_to_be_switched_on(deployments: dict[str, Deployment]) -> None:
    scheduled = {name: one.schedules for name, one in deployments.items() if one.schedules}
    assert set(scheduled) == {"retrain/local"}
    assert [s.active for s in scheduled["retrain/local"]] == [False]


def test_retraining_is_for_the_corpus_that_has_grown(deployments: dict[str, Deployment]) -> None:
    made = cast(Any, SimpleNamespace(id=uuid.uuid4()))
    found = [a for one in deployments.values() for a in triggers_of(one, made)]
    (automation,) = found
    (action,) = automation.actions
    assert action.deployment_id == made.id  # type: ignore[union-attr]
    assert action.parameters == {"dataset": ["{{ event.payload.corpus }}"]}  # type: ignore[union-attr]
    assert automation.trigger.expect == {"deepfake.corpus.grown"}  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("deployments: [", "no deployments can be read"),
        ("name: x", "no deployments can be read"),
        ("deployments:\n- {name: local}", "makes no sense"),
        ("deployments:\n- {name: local, entrypoint: 'flows/nothing.py:x'}", "makes no sense"),
        ("deployments:\n- {name: local, entrypoint: 'flows/score.py:x'}", "makes no sense"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "prefect.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        read_deployments(path, data_root="data")


@pytest.mark.parametrize(
    ("cron", "timezone"), [("x", "UTC"), ("0 3 * *", "UTC"), ("0 3 * * 1", "X")]
)
def test_what_is_no_time_is_refused(cron: str, timezone: str) -> None:
    with pytest.raises(ConfigError, match="no schedule"):
        create_schedule(cron, timezone=timezone)
