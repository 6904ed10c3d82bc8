"""What of a file is looked at: the faces in its picture, or the voice in its sound."""

from __future__ import annotations

from typing import Literal, TypeAlias

__all__ = ["Modality"]

Modality: TypeAlias = Literal["faces", "voice"]
