"""Read deployments from `prefect.yaml`, create or change them on the server."""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.objects import ConcurrencyOptions
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule
from prefect.events import DeploymentEventTrigger
from prefect.events.schemas.automations import AutomationCore
from prefect.exceptions import ObjectNotFound
from prefect.utilities.callables import parameter_schema
from pydantic import ValidationError

from deepfake.errors import ConfigError

__all__ = [
    "PACKAGED_FILE",
    "Deployment",
    "create_schedule",
    "find_deployment",
    "put_deployment",
    "read_deployments",
    "triggers_of",
]

PACKAGED_FILE = Path(__file__).with_name("prefect.yaml")
"""The `prefect.yaml` that comes with the package: in a checkout, a link to the one at its root."""

_VARIABLE = re.compile(r"\{\{ *\$(\w+) *\}\}")


@dataclass(frozen=True, slots=True)
class Deployment:
    """The desired state of a deployment.

    Attributes:
        flow: The flow.
        settings: Keywords of `create_deployment`, without the flow.
        schedules: Those that it begins with.
        triggers: Events that start it.
    """

    flow: Flow[..., Any]
    settings: dict[str, Any]
    schedules: tuple[DeploymentScheduleCreate, ...]
    triggers: tuple[DeploymentEventTrigger, ...]

    @property
    def name(self) -> str:
        """`FLOW/DEPLOYMENT`."""
        return f"{self.flow.name}/{self.settings['name']}"

    def with_parameters(self, parameters: Mapping[str, Any]) -> Deployment:
        """Return the deployment with further parameters."""
        merged = {**self.settings["parameters"], **parameters}
        return replace(self, settings={**self.settings, "parameters": merged})


def read_deployments(path: Path, *, data_root: str, folder: Path) -> list[Deployment]:
    """Return the deployments that a `prefect.yaml` describes.

    Args:
        path: The file.
        data_root: Goes to each deployment that names a data root.
        folder: Where runs work: `{{ $PWD }}` in the file, and what relative paths begin at.

    Raises:
        ConfigError: It is not there, or is no such file.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        described = list(content["deployments"])
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError) as error:
        raise ConfigError(
            f"no deployments can be read here ({error})",
            path=path,
            hint="Leave --file out, or name a prefect.yaml of this project with it.",
        ) from error
    try:
        return [_read(one, folder=folder.absolute(), data_root=data_root) for one in described]
    except (KeyError, TypeError, ValueError, ImportError, AttributeError) as error:
        raise ConfigError(f"a deployment is invalid ({error})", path=path) from error


def _read(described: Mapping[str, Any], *, folder: Path, data_root: str) -> Deployment:
    place, _, function = str(described["entrypoint"]).partition(":")
    module = place.removesuffix(".py").replace("/", ".")
    flow: Flow[..., Any] = getattr(importlib.import_module(module), function)
    parameters = dict(described.get("parameters") or {})
    if "data_root" in parameters:
        parameters["data_root"] = data_root
    pool, limit = described["work_pool"], described.get("concurrency_limit")
    options = None
    if limit is not None:
        options = ConcurrencyOptions(collision_strategy=limit["collision_strategy"])
    settings = {
        "name": described["name"],
        "description": described.get("description") or flow.description,
        "tags": list(described.get("tags") or ()),
        # By the module's name: runs need no checkout, and survive a move of the installation.
        "entrypoint": f"{module}.{function}",
        "work_pool_name": pool["name"],
        "job_variables": dict(pool.get("job_variables") or {}),
        "parameters": parameters,
        "parameter_openapi_schema": parameter_schema(flow).model_dump(mode="json"),
        "enforce_parameter_schema": flow.should_validate_parameters,
        "pull_steps": _filled(described.get("pull") or [], folder=folder),
        "concurrency_limit": None if limit is None else int(limit["limit"]),
        "concurrency_options": options,
    }
    return Deployment(
        flow=flow,
        settings=settings,
        schedules=tuple(_schedule(one) for one in described.get("schedules") or ()),
        triggers=tuple(
            DeploymentEventTrigger.model_validate(dict(one))
            for one in described.get("triggers") or ()
        ),
    )


def _filled(value: Any, *, folder: Path) -> Any:
    """Return a value with environment variables substituted, as Prefect itself does."""
    if isinstance(value, Mapping):
        return {key: _filled(part, folder=folder) for key, part in value.items()}
    if isinstance(value, list):
        return [_filled(part, folder=folder) for part in value]
    if not isinstance(value, str):
        return value
    known = {**os.environ, "PWD": str(folder)}
    return _VARIABLE.sub(lambda match: known[match.group(1)], value)


def _schedule(described: Mapping[str, Any]) -> DeploymentScheduleCreate:
    return create_schedule(
        described["cron"],
        timezone=described.get("timezone", "UTC"),
        is_active=bool(described.get("active", True)),
    )


def create_schedule(
    cron: str, *, timezone: str, is_active: bool = True
) -> DeploymentScheduleCreate:
    """Return a schedule.

    Raises:
        ConfigError: No cron expression, or no time zone.
    """
    try:
        schedule = CronSchedule(cron=cron, timezone=timezone)
    except ValidationError as error:
        raise ConfigError(
            f"no schedule: {cron!r} in the time zone {timezone!r} ({error.errors()[0]['msg']})",
            hint='A schedule is minute, hour, day, month, weekday, such as "0 3 * * 1".',
        ) from error
    return DeploymentScheduleCreate(schedule=schedule, active=is_active)


def put_deployment(
    client: SyncPrefectClient,
    deployment: Deployment,
    *,
    schedules: Sequence[DeploymentScheduleCreate] | None = None,
) -> tuple[str, DeploymentResponse]:
    """Create or change a deployment, and say which it was.

    Schedules are their owner's: those of a deployment that is there stay as they are.

    Args:
        client: Of the server.
        deployment: As it shall be.
        schedules: Instead of all that it has; None keeps them.
    """
    existing = find_deployment(client, deployment.name)
    if schedules is not None:
        chosen = list(schedules)
    elif existing is not None:
        chosen = [
            DeploymentScheduleCreate(schedule=s.schedule, active=s.active)
            for s in existing.schedules
        ]
    else:
        chosen = list(deployment.schedules)
    if existing is not None and _as_deployed(existing) == _as_wanted(deployment, chosen):
        return "unchanged", existing
    flow_id = client.create_flow_from_name(deployment.flow.name)
    client.create_deployment(flow_id=flow_id, schedules=chosen, **deployment.settings)
    made = client.read_deployment_by_name(deployment.name)
    return ("created" if existing is None else "updated"), made


def find_deployment(client: SyncPrefectClient, name: str) -> DeploymentResponse | None:
    """Return the deployment `FLOW/DEPLOYMENT` of a server; None where there is none."""
    try:
        return client.read_deployment_by_name(name)
    except ObjectNotFound:
        return None


_SAME = (
    "description",
    "tags",
    "entrypoint",
    "work_pool_name",
    "job_variables",
    "parameters",
    "parameter_openapi_schema",
    "enforce_parameter_schema",
    "pull_steps",
)


def _as_deployed(found: DeploymentResponse) -> dict[str, Any]:
    limit = found.global_concurrency_limit
    return {
        **{name: getattr(found, name) for name in _SAME},
        "concurrency_limit": None if limit is None else limit.limit,
        "collision_strategy": _strategy(found.concurrency_options),
        "schedules": [(_plain(s.schedule), s.active) for s in found.schedules],
    }


def _as_wanted(deployment: Deployment, schedules: list[DeploymentScheduleCreate]) -> dict[str, Any]:
    return {
        **{name: deployment.settings[name] for name in _SAME},
        "concurrency_limit": deployment.settings["concurrency_limit"],
        "collision_strategy": _strategy(deployment.settings["concurrency_options"]),
        "schedules": [(_plain(s.schedule), s.active) for s in schedules],
    }


def _strategy(options: ConcurrencyOptions | None) -> str | None:
    return None if options is None else str(options.collision_strategy)


def _plain(schedule: Any) -> dict[str, Any]:
    plain: dict[str, Any] = schedule.model_dump(mode="json")
    return plain


def triggers_of(deployment: Deployment, made: DeploymentResponse) -> Iterator[AutomationCore]:
    """Yield the automations that start a deployment on its events."""
    for trigger in deployment.triggers:
        own = trigger.model_copy()
        own.set_deployment_id(made.id)
        yield own.as_automation()
