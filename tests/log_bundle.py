"""Put a bundle into MLflow that no training of a test has made."""

from __future__ import annotations

from pathlib import Path

from deepfake.registry import BUNDLE_ARTIFACT
from deepfake.registry.open_run import open_run

__all__ = ["log_bundle"]


def log_bundle(bundle: Path, *, experiment: str, run_name: str, uri: str) -> str:
    """Log a bundle as the artifact of a new run, and return the run's id."""
    opened = open_run(experiment, run_name=run_name, tags=None, run_id=None, uri=uri)
    with opened as (client, run_id):
        client.log_artifacts(run_id, str(bundle), artifact_path=BUNDLE_ARTIFACT)
    return run_id
