"""What of a medium is looked at."""

from __future__ import annotations

from typing import Literal, TypeAlias

__all__ = ["Modality"]

Modality: TypeAlias = Literal["faces", "voice", "sync"]
"""Faces in its pictures, speech in its sound, or lips together with the sound."""
