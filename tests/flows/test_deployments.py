"""What `deepfake setup` makes of `prefect.yaml` and its options, before any server is asked."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from prefect.server.events.schemas.automations import EventTrigger
from prefect.server.events.schemas.events import ReceivedEvent, Resource

from deepfake.errors import ConfigError
from deepfake.storage import DataRoot
from flows.server.automations import retrain_on_growth
from flows.server.deployments import (
    PACKAGED_FILE,
    Deployment,
    create_schedule,
    read_deployments,
    triggers_of,
)
from flows.server.events import GROWN, growth_resource
from flows.server.retrain_inputs import Retraining, kept_retraining, resolve_retraining
from tests.paths import CHECKOUT


@pytest.fixture(scope="module")
def deployments() -> dict[str, Deployment]:
    found = read_deployments(PACKAGED_FILE, data_root="/srv/data", folder=Path("/srv"))
    return {one.name: one for one in found}


def test_the_file_at_the_root_is_the_one_that_comes_with_the_package() -> None:
    assert PACKAGED_FILE.read_bytes() == (CHECKOUT / "prefect.yaml").read_bytes()


def test_each_works_on_the_data_root_that_was_named(deployments: dict[str, Deployment]) -> None:
    assert {one.settings["parameters"]["data_root"] for one in deployments.values()} == {
        "/srv/data"
    }


def test_a_run_takes_the_defaults_of_its_command(deployments: dict[str, Deployment]) -> None:
    for name, one in deployments.items():
        assert one.settings["parameters"] == {"data_root": "/srv/data"}, name


def test_each_works_in_the_folder_that_was_named(deployments: dict[str, Deployment]) -> None:
    step = "flows.server.pull_step.enter_folder"
    for one in deployments.values():
        assert one.settings["pull_steps"] == [{step: {"directory": "/srv"}}]
        assert one.settings["work_pool_name"] == "local"


def test_a_run_needs_no_checkout(deployments: dict[str, Deployment]) -> None:
    assert deployments["score/local"].settings["entrypoint"] == "flows.score.score"


def test_nothing_retrains_until_it_is_said_on_what(deployments: dict[str, Deployment]) -> None:
    made = cast(Any, SimpleNamespace(id=uuid.uuid4()))
    assert [one.schedules for one in deployments.values() if one.schedules] == []
    assert [a for one in deployments.values() for a in triggers_of(one, made)] == []
    root = DataRoot(Path("absent"))
    assert resolve_retraining(root, dataset=None, held_out=None, name=None, kept={}) is None
    with pytest.raises(ConfigError, match="no corpus to retrain on"):
        resolve_retraining(root, dataset=None, held_out="h", name=None, kept={})


def _corpora(root: DataRoot, *names: str) -> None:
    for name in names:
        folder = Path(str(root.corpus_shards(name)))
        folder.mkdir(parents=True)
        (folder / "latest").write_text("0" * 16)


def test_what_is_retrained_on_is_kept_until_something_else_is_said(tmp_path: Path) -> None:
    root = DataRoot(tmp_path / "data")
    _corpora(root, "ff", "desk")
    (tmp_path / "inbox").mkdir()
    said = ["ff", str(tmp_path / "inbox")]
    first = resolve_retraining(root, dataset=said, held_out=None, name="mine", kept={})
    assert first == Retraining(("ff",), (str(tmp_path / "inbox"),), None, "mine")
    deployed = cast(Any, SimpleNamespace(parameters={"data_root": "d", **first.parameters()}))
    kept = kept_retraining(deployed)
    assert resolve_retraining(root, dataset=None, held_out=None, name=None, kept=kept) == first
    other = resolve_retraining(root, dataset=["desk"], held_out=None, name=None, kept=kept)
    assert other == Retraining(("desk",), (), None, "mine")


def test_what_is_not_there_is_not_retrained_on(tmp_path: Path) -> None:
    root = DataRoot(tmp_path / "data")
    _corpora(root, "ff")
    with pytest.raises(ConfigError, match="'absent' is neither an ingested corpus"):
        resolve_retraining(root, dataset=["absent"], held_out=None, name=None, kept={})
    with pytest.raises(ConfigError, match="no held-out set 'absent'"):
        resolve_retraining(root, dataset=["ff"], held_out="absent", name=None, kept={})


def test_what_earlier_versions_deployed_unasked_is_not_kept() -> None:
    demo = {"dataset": ["demo"], "epochs": 1, "name": "deepfake-detector-demo"}
    assert kept_retraining(cast(Any, SimpleNamespace(parameters=demo))) == {}


def test_only_the_growth_of_corpora_that_were_named_starts_a_retraining() -> None:
    number = uuid.uuid4()
    automation = retrain_on_growth(number, corpora=("ff", "desk"))
    (action,) = automation.actions
    assert action.deployment_id == number  # type: ignore[union-attr]
    assert action.parameters is None, "it learns from all that the deployment names"  # type: ignore[union-attr]
    # As the server judges events.
    trigger = EventTrigger.model_validate(automation.trigger.model_dump(mode="json"))
    started = {name for name in ("ff", "desk", "others") if trigger.covers(_grown(name))}
    assert started == {"ff", "desk"} and trigger.expects(GROWN)


def _grown(corpus: str) -> ReceivedEvent:
    return ReceivedEvent(
        id=uuid.uuid4(),
        occurred=datetime.now(UTC),
        event=GROWN,
        resource=Resource({"prefect.resource.id": growth_resource(corpus)}),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("deployments: [", "no deployments can be read"),
        ("name: x", "no deployments can be read"),
        ("deployments:\n- {name: local}", "is invalid"),
        ("deployments:\n- {name: local, entrypoint: 'flows/nothing.py:x'}", "is invalid"),
        ("deployments:\n- {name: local, entrypoint: 'flows/score.py:x'}", "is invalid"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "prefect.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        read_deployments(path, data_root="data", folder=tmp_path)


@pytest.mark.parametrize(
    ("cron", "timezone"), [("x", "UTC"), ("0 3 * *", "UTC"), ("0 3 * * 1", "X")]
)
def test_what_is_no_time_is_refused(cron: str, timezone: str) -> None:
    with pytest.raises(ConfigError, match="no schedule"):
        create_schedule(cron, timezone=timezone)
