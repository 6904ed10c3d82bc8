"""Report to Prefect that media no longer look like the detector's own."""

from __future__ import annotations

from typing import Any

from prefect.artifacts import create_table_artifact
from prefect.events import emit_event

from deepfake.scoring.drift import is_moved

__all__ = ["DRIFTED", "publish_drift"]

DRIFTED = "deepfake.scores.drifted"
"""Emitted where a feature is over the limit; may start labelling or a training."""

_COLUMNS = ("kind", "name", "index", "chance", "level", "num_media", "num_reference")


def publish_drift(summary: dict[str, Any]) -> None:
    """Leave an artifact for people, and an event for programs where media have moved.

    Args:
        summary: Of a scoring run.
    """
    drift = summary["drift"]
    if drift is None:
        return
    create_table_artifact(
        key="score-drift",
        table=[{name: found[name] for name in _COLUMNS} for found in drift["features"]],
        description=f"{summary['output']}: {drift['note']}",
    )
    if not drift["is_drifted"]:
        return
    detector = summary["detector"]
    moved = [found for found in drift["features"] if is_moved(found)]
    emit_event(
        event=DRIFTED,
        resource={
            "prefect.resource.id": f"deepfake.scores.{detector['name']}",
            "prefect.resource.name": summary["output"],
        },
        payload={
            "output": summary["output"],
            "detector": detector["name"],
            "model_digest": drift["detector"],
            "limit": drift["limit"],
            "compared": drift["note"],
            "moved": [{name: found[name] for name in _COLUMNS} for found in moved],
            # For a training that such an event starts.
            "corpora": sorted(drift["reference"] or {}),
        },
    )
