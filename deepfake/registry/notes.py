"""Sentences for a summary on what MLflow did not take; the files are there all the same."""

from __future__ import annotations

from pathlib import Path

from deepfake.errors import TrackingError

__all__ = ["not_logged_note", "not_registered_note"]


def not_logged_note(error: TrackingError, folder: Path) -> str:
    """Return the sentence on a run that is not in MLflow."""
    return f"not in MLflow ({error}); everything lies in {folder}"


def not_registered_note(error: TrackingError, bundle: Path) -> str:
    """Return the sentence on a detector that did not become a version."""
    return f"not registered ({error}); the detector lies in {bundle}"
