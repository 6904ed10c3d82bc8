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
from deepfake.storage import DataRoot, is_store_uri, location_of
from flows.server.automations import ON_GROWTH, crash_zombies, retrain_on_growth
from flows.server.deployments import (
    PACKAGED_FILE,
    Deployment,
    create_schedule,
    find_deployment,
    put_deployment,
    read_deployments,
    triggers_of,
)
from flows.server.limits import TRAINING_LIMIT
from flows.server.retrain_inputs import Retraining, kept_retraining, resolve_retraining

__all__ = ["POOL", "RETRAIN", "SetupResult", "set_up"]

POOL = "local"
"""The work pool of `prefect.yaml`."""
RETRAIN = "retrain/local"
"""The deployment that runs on a schedule and on events, once it has a corpus to retrain on."""

_OFF = "off"


@dataclass(frozen=True, slots=True)
class SetupResult:
    """One thing that was checked.

    Attributes:
        kind: What it is, for a person.
        name: Which.
        outcome: `created`, `updated`, `unchanged` or `removed`; for schedule and retraining their
            present value.
    """

    kind: str
    name: str
    outcome: str


def set_up(
    file: Path | None,
    *,
    data_root: str,
    dataset: list[str] | None = None,
    held_out: str | None = None,
    name: str | None = None,
    schedule: str | None = None,
    timezone: str = "UTC",
) -> list[SetupResult]:
    """Create whatever the Prefect server in use lacks; a second call changes nothing.

    Args:
        file: The `prefect.yaml`; None for the one that comes with the package.
        data_root: What the deployments work on.
        dataset: Corpora and folders to retrain on; None leaves them as they are.
        held_out: The held-out set that decides about a retraining; None leaves it as it is.
        name: The registered detector that is retrained; None leaves it as it is.
        schedule: A cron expression: when to retrain; `off` for never; None leaves it as it is.
        timezone: Of the schedule.

    Returns:
        What was done, in order.

    Raises:
        ConfigError: The file, the schedule or the inputs of retraining are invalid, or the server
            does not answer.
    """
    root = data_root if is_store_uri(data_root) else str(Path(data_root).resolve())
    wanted = read_deployments(file or PACKAGED_FILE, data_root=root, folder=Path.cwd())
    chosen = None
    if schedule not in (None, _OFF):
        chosen = create_schedule(schedule, timezone=timezone)
    try:
        with get_client(sync_client=True) as client:
            retraining = resolve_retraining(
                DataRoot(location_of(data_root)),
                dataset=dataset,
                held_out=held_out,
                name=name,
                kept=kept_retraining(find_deployment(client, RETRAIN)),
            )
            _check_schedule(chosen, retraining)
            done = list(_steps(client, wanted, schedule=chosen, retraining=retraining))
            if schedule == _OFF or retraining is None:
                _switch_off(client)
            return [*done, *_schedules(client), _retraining(retraining)]
    except (httpx.HTTPError, RuntimeError) as error:
        raise ConfigError(
            f"the Prefect server refused or does not answer ({error})",
            hint="`deepfake up` starts one; `deepfake doctor` says which is in use.",
        ) from error


def _check_schedule(
    schedule: DeploymentScheduleCreate | None, retraining: Retraining | None
) -> None:
    if schedule is not None and retraining is None:
        raise ConfigError(
            "--schedule needs a corpus to retrain on, and none is set",
            hint="Add --dataset CORPUS, and --held-out NAME for a held-out set that decides.",
        )


def _steps(
    client: SyncPrefectClient,
    wanted: list[Deployment],
    *,
    schedule: DeploymentScheduleCreate | None,
    retraining: Retraining | None,
) -> Iterator[SetupResult]:
    yield _put_pool(client)
    yield _put_limit(client)
    for one in wanted:
        if one.name == RETRAIN:
            yield from _put_retrain(client, one, schedule=schedule, retraining=retraining)
            continue
        outcome, made = put_deployment(client, one)
        yield SetupResult("deployment", one.name, outcome)
        for automation in triggers_of(one, made):
            yield _put_automation(client, automation)
    yield _put_automation(client, crash_zombies())


def _put_retrain(
    client: SyncPrefectClient,
    wanted: Deployment,
    *,
    schedule: DeploymentScheduleCreate | None,
    retraining: Retraining | None,
) -> Iterator[SetupResult]:
    """Create the deployment that retrains, and its triggers if it has a corpus to retrain on."""
    deployment = wanted if retraining is None else wanted.with_parameters(retraining.parameters())
    schedules = None if schedule is None else [schedule]
    outcome, made = put_deployment(client, deployment, schedules=schedules)
    yield SetupResult("deployment", RETRAIN, outcome)
    for automation in triggers_of(deployment, made):
        yield _put_automation(client, automation)
    if retraining is not None and retraining.corpora:
        yield _put_automation(client, retrain_on_growth(made.id, corpora=retraining.corpora))
    else:
        yield from _remove_automation(client, ON_GROWTH)


def _retraining(retraining: Retraining | None) -> SetupResult:
    nothing = "not automatic: no corpus is set; set one with --dataset CORPUS"
    return SetupResult("retraining", RETRAIN, nothing if retraining is None else str(retraining))


def _switch_off(client: SyncPrefectClient) -> None:
    deployment = client.read_deployment_by_name(RETRAIN)
    for one in deployment.schedules:
        if one.active:
            client.update_deployment_schedule(deployment.id, one.id, active=False)


def _put_pool(client: SyncPrefectClient) -> SetupResult:
    try:
        pool = client.read_work_pool(POOL)
    except ObjectNotFound:
        template = ProcessWorker.get_default_base_job_template()
        client.create_work_pool(
            WorkPoolCreate(name=POOL, type=ProcessWorker.type, base_job_template=template)
        )
        return SetupResult("work pool", POOL, "created")
    if pool.type != ProcessWorker.type:
        raise ConfigError(
            f"the work pool {POOL!r} is of the type {pool.type!r}, not {ProcessWorker.type!r}",
            hint=f"Delete it with `prefect work-pool delete {POOL}`, or rename it.",
        )
    return SetupResult("work pool", POOL, "unchanged")


def _put_limit(client: SyncPrefectClient) -> SetupResult:
    kind = "concurrency limit"
    try:
        limit = client.read_global_concurrency_limit_by_name(TRAINING_LIMIT)
    except ObjectNotFound:
        client.create_global_concurrency_limit(
            GlobalConcurrencyLimitCreate(name=TRAINING_LIMIT, limit=1)
        )
        return SetupResult(kind, TRAINING_LIMIT, "created")
    if limit.limit == 1 and limit.active:
        return SetupResult(kind, TRAINING_LIMIT, "unchanged")
    client.update_global_concurrency_limit(
        TRAINING_LIMIT, GlobalConcurrencyLimitUpdate(limit=1, active=True)
    )
    return SetupResult(kind, TRAINING_LIMIT, "updated")


def _put_automation(client: SyncPrefectClient, wanted: AutomationCore) -> SetupResult:
    kind = "automation"
    existing = client.read_automations_by_name(wanted.name)
    if not existing:
        client.create_automation(wanted)
        return SetupResult(kind, wanted.name, "created")
    # Its owner decides whether it is switched on.
    kept = wanted.model_copy(update={"enabled": existing[0].enabled})
    if _content(existing[0]) == _content(kept):
        return SetupResult(kind, wanted.name, "unchanged")
    client.update_automation(existing[0].id, kept)
    return SetupResult(kind, wanted.name, "updated")


def _remove_automation(client: SyncPrefectClient, name: str) -> Iterator[SetupResult]:
    for automation in client.read_automations_by_name(name):
        client.delete_automation(automation.id)
        yield SetupResult("automation", name, "removed")


def _content(automation: AutomationCore) -> dict[str, object]:
    names = set(AutomationCore.model_fields) - {"owner_resource"}
    return automation.model_dump(include=names)


def _schedules(client: SyncPrefectClient) -> Iterator[SetupResult]:
    for one in client.read_deployment_by_name(RETRAIN).schedules:
        schedule = one.schedule.model_dump(mode="json")
        when = f"{schedule.get('cron', schedule)} {schedule.get('timezone') or 'UTC'}"
        yield SetupResult("schedule", RETRAIN, f"{when}, {'on' if one.active else 'off'}")
