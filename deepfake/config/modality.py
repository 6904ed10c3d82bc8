"""What of a medium is looked at."""

from __future__ import annotations

from typing import Literal, TypeAlias

__all__ = ["Modality"]

Modality: TypeAlias = Literal["faces", "voice"]
"""Faces in its pictures, or speech in its sound."""
