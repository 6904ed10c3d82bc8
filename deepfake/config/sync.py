"""Settings of the comparison of lips with sound: which moments, and how mouths are cut."""

from __future__ import annotations

from typing import Any, TypeAlias

from pydantic import Field, model_validator

from deepfake.config.base import Settings
from deepfake.config.settings import ExtractConfig, FaceConfig, MediaLimits
from deepfake.config.speech import SpeechConfig, SpeechExtractConfig

__all__ = ["AnyExtractConfig", "MouthConfig", "SyncExtractConfig"]


class MouthConfig(Settings):
    """Which runs of moments are looked at, and how mouths are cut out of them."""

    fps: float = Field(default=25.0, gt=0)
    """Mouths a second; between two frames of the file the nearer one stands."""
    run_seconds: float = Field(default=2.0, ge=0.5, le=10.0)
    """Length of a run, at most."""
    min_run_seconds: float = Field(default=1.5, gt=0)
    """A face that is seen for less at a time is not compared."""
    max_runs: int = Field(default=2, ge=1)
    """Runs of a file, spread over its speech."""
    lead_seconds: float = Field(default=0.6, ge=0)
    """Sound kept before and after a run: the largest offset that is looked for."""
    max_faces: int = Field(default=3, ge=1)
    """Faces of a run, the largest ones."""
    detect_every: int = Field(default=5, ge=1)
    """Faces are detected in every so many frames; between them landmarks are interpolated."""
    size_px: int = Field(default=64, ge=16, le=256)
    """Side of the square around a mouth, as it is stored."""
    side: float = Field(default=1.6, gt=0)
    """Side of that square over the distance between eyes and mouth."""
    min_face_px: float = Field(default=48.0, gt=0)
    """A smaller face shows its lips too coarsely."""

    @model_validator(mode="after")
    def _runs_are_long_enough(self) -> MouthConfig:
        if self.min_run_seconds > self.run_seconds:
            raise ValueError(
                f"min_run_seconds must be at most run_seconds, got {self.min_run_seconds:g} and "
                f"{self.run_seconds:g}"
            )
        return self


class SyncExtractConfig(Settings):
    """Everything between a file and its runs of mouths with sound."""

    mouths: MouthConfig = MouthConfig()
    faces: FaceConfig = FaceConfig()
    speech: SpeechConfig = SpeechConfig(min_speech_seconds=1.0)
    limits: MediaLimits = MediaLimits()

    @property
    def run_settings(self) -> dict[str, Any]:
        """What can change a run, as JSON: everything but the limits."""
        return self.model_dump(mode="json", exclude={"limits"})


AnyExtractConfig: TypeAlias = ExtractConfig | SpeechExtractConfig | SyncExtractConfig
