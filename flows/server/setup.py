"""Create what a Prefect server needs: work pool, limits, deployments, automations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import (
    DeploymentScheduleCreate,
    GlobalConcurrencyLimitCreate,
    GlobalConcurrencyLimitUpdate,
    WorkPoolCreate,
)
from prefect.events.schemas.automations import AutomationCore
from prefect.exceptions import ObjectNotFound
from prefect.workers.process import ProcessWorker

from deepfake.errors import ConfigError
from deepfake.registry import MODEL_NAME, champion_or_none, ensure_first_champion
from deepfake.storage import is_store_uri
from flows.server.automations import crash_zombies
from flows.server.deployments import (
    Deployment,
    create_schedule,
    put_deployment,
    read_deployments,
    triggers_of,
)
from flows.server.limits import TRAINING_LIMIT

__all__ = ["POOL", "SCHEDULED", "Step", "set_up"]

POOL = "local"
"""The work pool of `prefect.yaml`."""
SCHEDULED = "retrain/local"
"""The deployment that a schedule is for."""

_OFF = "off"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was checked.

    Attributes:
        kind: What it is, for a person.
        name: Which.
        outcome: `created`, `updated` or `unchanged`; of a schedule what it is.
    """

    kind: str
    name: str
    outcome: str


def set_up(
    file: Path, *, data_root: str, schedule: str | None = None, timezone: str = "UTC"
) -> list[Step]:
    """Make whatever the Prefect server in use lacks; doing it twice changes nothing.

    Args:
        file: The `prefect.yaml`.
        data_root: What the deployments work on.
        schedule: A cron expression: when to retrain; `off` for never; None leaves it as it is.
        timezone: Of the schedule.

    Returns:
        What was done, in order.

    Raises:
        ConfigError: The file or the schedule makes no sense, or the server does not answer.
        TrackingError: The model registry refused or does not answer.
    """
    root = data_root if is_store_uri(data_root) else str(Path(data_root).resolve())
    wanted = read_deployments(file, data_root=root)
    chosen = None
    if schedule not in (None, _OFF):
        chosen = create_schedule(schedule, timezone=timezone)
    try:
        with get_client(sync_client=True) as client:
            done = list(_steps(client, wanted, schedule=chosen))
            if schedule == _OFF:
                _switch_off(client)
            return [*done, *_schedules(client), *_champion()]
    except (httpx.HTTPError, RuntimeError) as error:
        raise ConfigError(
            f"the Prefect server refused or does not answer ({error})",
            hint="`deepfake up` starts one; `deepfake doctor` says which is in use.",
        ) from error


def _steps(
    client: SyncPrefectClient,
    wanted: list[Deployment],
    *,
    schedule: DeploymentScheduleCreate | None,
) -> Iterator[Step]:
    yield _put_pool(client)
    yield _put_limit(client)
    for one in wanted:
        own = schedule if one.name == SCHEDULED else None
        outcome, made = put_deployment(client, one, schedule=own)
        yield Step("deployment", one.name, outcome)
        for automation in triggers_of(one, made):
            yield _put_automation(client, automation)
    yield _put_automation(client, crash_zombies())


def _champion() -> Iterator[Step]:
    """Make the packaged detector champion where there is none, for `retrain` to challenge."""
    before = champion_or_none(MODEL_NAME)
    version = ensure_first_champion(MODEL_NAME)
    if version is not None:
        outcome = "unchanged" if before is not None else "created"
        yield Step("champion", f"{MODEL_NAME} version {version}", outcome)


def _switch_off(client: SyncPrefectClient) -> None:
    found = client.read_deployment_by_name(SCHEDULED)
    for one in found.schedules:
        client.update_deployment_schedule(found.id, one.id, active=False)


def _put_pool(client: SyncPrefectClient) -> Step:
    try:
        found = client.read_work_pool(POOL)
    except ObjectNotFound:
        template = ProcessWorker.get_default_base_job_template()
        client.create_work_pool(
            WorkPoolCreate(name=POOL, type=ProcessWorker.type, base_job_template=template)
        )
        return Step("work pool", POOL, "created")
    if found.type != ProcessWorker.type:
        raise ConfigError(
            f"the work pool {POOL!r} is of the type {found.type!r}, not {ProcessWorker.type!r}",
            hint=f"Delete it with `prefect work-pool delete {POOL}`, or rename it.",
        )
    return Step("work pool", POOL, "unchanged")


def _put_limit(client: SyncPrefectClient) -> Step:
    kind = "concurrency limit"
    try:
        found = client.read_global_concurrency_limit_by_name(TRAINING_LIMIT)
    except ObjectNotFound:
        client.create_global_concurrency_limit(
            GlobalConcurrencyLimitCreate(name=TRAINING_LIMIT, limit=1)
        )
        return Step(kind, TRAINING_LIMIT, "created")
    if found.limit == 1 and found.active:
        return Step(kind, TRAINING_LIMIT, "unchanged")
    client.update_global_concurrency_limit(
        TRAINING_LIMIT, GlobalConcurrencyLimitUpdate(limit=1, active=True)
    )
    return Step(kind, TRAINING_LIMIT, "updated")


def _put_automation(client: SyncPrefectClient, wanted: AutomationCore) -> Step:
    kind = "automation"
    found = client.read_automations_by_name(wanted.name)
    if not found:
        client.create_automation(wanted)
        return Step(kind, wanted.name, "created")
    # Whether it is switched on is for its owner to say.
    kept = wanted.model_copy(update={"enabled": found[0].enabled})
    if _content(found[0]) == _content(kept):
        return Step(kind, wanted.name, "unchanged")
    client.update_automation(found[0].id, kept)
    return Step(kind, wanted.name, "updated")


def _content(automation: AutomationCore) -> dict[str, object]:
    names = set(AutomationCore.model_fields) - {"owner_resource"}
    return automation.model_dump(include=names)


def _schedules(client: SyncPrefectClient) -> Iterator[Step]:
    for one in client.read_deployment_by_name(SCHEDULED).schedules:
        schedule = one.schedule.model_dump(mode="json")
        when = f"{schedule.get('cron', schedule)} {schedule.get('timezone') or 'UTC'}"
        yield Step("schedule", SCHEDULED, f"{when}, {'on' if one.active else 'off'}")
