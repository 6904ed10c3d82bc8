"""What is kept of the speech of a medium."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["NO_SOUND", "StoredWindow"]

NO_SOUND = "it has no sound"
"""Why nothing is said of the voice or the lips of a silent video."""


@dataclass(frozen=True, slots=True)
class StoredWindow:
    """A window of speech, encoded as it is stored.

    Attributes:
        encoded: FLAC.
        pts_seconds: Where it begins in the file, seconds.
        end_seconds: Where it ends; later than its length says where a pause was cut out.
        speech_seconds: Of it; less than it is long where speech was repeated to fill it.
        loudness_dbfs: Effective value, decibels of full scale.
        bandwidth_hz: The highest frequency with notable power.
    """

    encoded: bytes
    pts_seconds: float
    end_seconds: float
    speech_seconds: float
    loudness_dbfs: float
    bandwidth_hz: float
