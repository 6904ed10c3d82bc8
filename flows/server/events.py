"""Events of flows that an automation may wait for."""

from __future__ import annotations

__all__ = ["GROWN", "growth_resource"]

GROWN = "deepfake.corpus.grown"
"""The event that a corpus has new media."""


def growth_resource(corpus: str) -> str:
    """Return the resource of the event `GROWN` of a corpus."""
    return f"deepfake.corpus.{corpus}"
