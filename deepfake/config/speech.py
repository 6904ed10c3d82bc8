"""Settings of speech: what is taken for speech, and how it is cut."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from deepfake.config.base import Settings
from deepfake.config.settings import MediaLimits

__all__ = ["SAMPLE_RATE", "SpeechConfig", "SpeechExtractConfig"]


SAMPLE_RATE = 16_000
"""Samples a second of sound that is looked at: speech has little above 8 kHz."""


class SpeechConfig(Settings):
    """Which parts of a file's sound are listened to: windows of speech, without pauses."""

    window_seconds: float = Field(default=4.0, ge=1.0, le=10.0)
    max_windows: int = Field(default=16, ge=1)
    """With more, windows spread evenly over the speech are kept."""
    min_speech_seconds: float = Field(default=2.0, gt=0)
    """A file with less speech is not judged."""
    max_sound_seconds: float = Field(default=600.0, gt=0)
    """What is behind that is not listened to."""
    aggressiveness: int = Field(default=2, ge=0, le=3)
    """Of WebRTC's voice activity detector: 3 takes the least for speech."""
    max_pause_seconds: float = Field(default=0.3, ge=0)
    """A longer pause is cut out."""
    min_segment_seconds: float = Field(default=0.2, ge=0)
    """What is shorter between two pauses is no speech."""


class SpeechExtractConfig(Settings):
    """Everything between a file and its windows of speech."""

    speech: SpeechConfig = SpeechConfig()
    limits: MediaLimits = MediaLimits()

    @property
    def window_settings(self) -> dict[str, Any]:
        """What can change a window, as JSON: everything but the limits."""
        return self.speech.model_dump(mode="json")
