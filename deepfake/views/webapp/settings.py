"""Settings of the web page, passed to its process in an environment variable."""

from __future__ import annotations

import json
import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from deepfake.config import MediaLimits, WorkerLimits

__all__ = ["AppSettings", "read_settings"]

_VARIABLE = "DEEPFAKE_APP"


class AppSettings(BaseModel):
    """Settings and limits of the web page.

    Attributes:
        weights: The detector offered first; None for the champion, else the packaged one.
        data_root: Folder with the notes on scored folders and the converted networks.
        outputs: Scored folders that are offered, beside those noted under the data root.
        device: Device that networks run on.
        max_mb: Size of an upload, at most, MiB.
        max_seconds: Duration of a video or of sound, at most.
        max_pixels: Pixels of a frame, at most.
        cpu_seconds: CPU time for a file, at most.
        memory_mb: Memory of a worker, at most, MiB.
        is_showing_paths: Whether visitors see paths on this machine; off where anybody but its user
            can reach the page.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    weights: str | None = None
    data_root: Path = Path("data")
    outputs: tuple[str, ...] = ()
    device: str = "cpu"
    max_mb: int = Field(default=200, ge=1)
    max_seconds: float = Field(default=600.0, gt=0)
    max_pixels: int = Field(default=50_000_000, ge=1)
    cpu_seconds: float = Field(default=300.0, gt=0)
    memory_mb: int = Field(default=4096, ge=1)
    is_showing_paths: bool = True

    @property
    def media_limits(self) -> MediaLimits:
        """How large a medium may be."""
        return MediaLimits(max_pixels=self.max_pixels, max_bytes=self.max_mb * 2**20)

    @property
    def worker_limits(self) -> WorkerLimits:
        """What a file may cost."""
        return WorkerLimits(cpu_seconds=self.cpu_seconds, memory_bytes=self.memory_mb * 2**20)

    def as_environment(self) -> dict[str, str]:
        """Return the environment variables that pass the settings to the page's process."""
        return {_VARIABLE: self.model_dump_json()}


def read_settings() -> AppSettings:
    """Return the settings that the page was started with; the defaults if there are none."""
    return AppSettings.model_validate(json.loads(os.environ.get(_VARIABLE, "{}")))
