"""Automations: what the server does when a run falls silent, and when a corpus has grown."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState, RunDeployment
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification

from flows.server.events import GROWN, growth_resource

__all__ = ["ON_GROWTH", "TAG", "ZOMBIES", "crash_zombies", "retrain_on_growth"]

TAG = "deepfake"
"""Of every deployment of `prefect.yaml`, and so of their runs."""

ZOMBIES = "deepfake: runs that fell silent are Crashed"

ON_GROWTH = "retrain when a corpus has grown"

_SILENT_SECONDS = 90
"""Three heartbeats: one that is late on a busy machine is no death."""

_ENDINGS = ("Completed", "Failed", "Crashed", "Cancelled", "Cancelling")
_RESTS = ("Paused", "Suspended", "AwaitingRetry", "Scheduled", "Pending")
"""States in which a run is alive without a heartbeat."""


def crash_zombies() -> AutomationCore:
    """Return the automation that marks a run as Crashed once its heartbeats have stopped.

    Otherwise a run whose machine, worker and process died together stays Running for ever and
    keeps its slot in every concurrency limit.

    Only runs of this project's deployments, by their tag: others may send heartbeats less often,
    by Prefect's default every 180 seconds.

    Source: docs.prefect.io/v3/advanced/detect-zombie-flows
    """
    heard = "prefect.flow-run.heartbeat"
    states = {f"prefect.flow-run.{name}" for name in (*_ENDINGS, *_RESTS)}
    trigger = EventTrigger(
        after={heard},
        expect={heard, *states},
        match=ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"]}),
        match_related=ResourceSpecification(
            {
                "prefect.resource.id": [f"prefect.tag.{TAG}"],
                "prefect.resource.role": ["tag"],
            }
        ),
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive,
        threshold=1,
        within=timedelta(seconds=_SILENT_SECONDS),
    )
    action = ChangeFlowRunState(
        state=StateType.CRASHED,
        message=f"No heartbeat in {_SILENT_SECONDS} s: its process or machine is gone.",
    )
    return AutomationCore(
        name=ZOMBIES,
        description="Made by `deepfake setup`.",
        trigger=trigger,
        actions=[action],
    )


def retrain_on_growth(deployment_id: UUID, *, corpora: Iterable[str]) -> AutomationCore:
    """Return the automation that retrains once one of these corpora has new media.

    The run gets no parameters of its own: it learns from all that the deployment names.

    Args:
        deployment_id: Of `retrain/local`.
        corpora: Names; the growth of another corpus starts nothing.
    """
    trigger = EventTrigger(
        expect={GROWN},
        match=ResourceSpecification(
            {"prefect.resource.id": [growth_resource(name) for name in corpora]}
        ),
        posture=Posture.Reactive,
        threshold=1,
        within=timedelta(0),
    )
    return AutomationCore(
        name=ON_GROWTH,
        description="`ingest` found new media in a corpus named with `deepfake setup --dataset`.",
        trigger=trigger,
        actions=[RunDeployment(deployment_id=deployment_id)],
        # Deleted with the deployment.
        owner_resource=f"prefect.deployment.{deployment_id}",
    )
