"""Automations: what the Prefect server does when a run falls silent."""

from __future__ import annotations

from datetime import timedelta

from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification

__all__ = ["TAG", "ZOMBIES", "crash_zombies"]

TAG = "deepfake"
"""Of every deployment of `prefect.yaml`, and so of their runs."""

ZOMBIES = "deepfake: runs that fell silent are Crashed"

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
