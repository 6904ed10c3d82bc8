"""What the Prefect server does of its own accord."""

from __future__ import annotations

from datetime import timedelta

from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification

__all__ = ["ZOMBIES", "crash_zombies"]

ZOMBIES = "deepfake: runs that fell silent are Crashed"

_SILENT_SECONDS = 90
"""Three heartbeats: one that is late on a busy machine is no death."""

_ENDINGS = ("Completed", "Failed", "Crashed", "Cancelled", "Cancelling")
_RESTS = ("Paused", "Suspended", "AwaitingRetry", "Scheduled", "Pending")
"""States in which a run is alive without a heartbeat."""


def crash_zombies(*, silent_seconds: int = _SILENT_SECONDS) -> AutomationCore:
    """Return the automation that marks a run as Crashed once its heartbeats have stopped.

    A run whose machine, worker and process died at once stays Running for ever otherwise, and
    holds its place under every concurrency limit.

    Source: docs.prefect.io/v3/advanced/detect-zombie-flows

    Args:
        silent_seconds: After the last heartbeat; more than the 30 s between two of them.
    """
    heard = "prefect.flow-run.heartbeat"
    states = {f"prefect.flow-run.{name}" for name in (*_ENDINGS, *_RESTS)}
    trigger = EventTrigger(
        after={heard},
        expect={heard, *states},
        match=ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"]}),
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive,
        threshold=1,
        within=timedelta(seconds=silent_seconds),
    )
    action = ChangeFlowRunState(
        state=StateType.CRASHED,
        message=f"No heartbeat in {silent_seconds} s: its process or machine is gone.",
    )
    return AutomationCore(
        name=ZOMBIES,
        description="Made by `deepfake setup`.",
        trigger=trigger,
        actions=[action],
    )
