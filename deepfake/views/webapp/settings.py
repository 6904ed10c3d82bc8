"""What whoever starts the page decides, handed to its process in its environment."""

from __future__ import annotations

import json
import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from deepfake.config import MediaLimits, WorkerLimits

__all__ = ["AppSettings", "settings_of_page"]

_VARIABLE = "DEEPFAKE_APP"


class AppSettings(BaseModel):
    """How the page works, and how much it takes.

    Attributes:
        weights: The detector that is offered first; None for the champion, else the packaged one.
        data_root: Where notes on outputs and converted networks lie.
        outputs: Results of bulk jobs that are offered, beside those noted under the data root.
        device: Where networks compute.
        max_mb: Of an upload, MiB.
        max_seconds: Of a video.
        max_pixels: Of a frame.
        cpu_seconds: That a file may cost.
        memory_mb: That a worker may take, MiB.
        is_showing_places: Whether visitors are told where things lie on this machine; not where
            others than its user can come.
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
    is_showing_places: bool = True

    @property
    def media_limits(self) -> MediaLimits:
        """How large a medium may be."""
        return MediaLimits(max_pixels=self.max_pixels, max_bytes=self.max_mb * 2**20)

    @property
    def worker_limits(self) -> WorkerLimits:
        """What a file may cost."""
        return WorkerLimits(cpu_seconds=self.cpu_seconds, memory_bytes=self.memory_mb * 2**20)

    def as_environment(self) -> dict[str, str]:
        """Return the variables that carry it into the page's process."""
        return {_VARIABLE: self.model_dump_json()}


def settings_of_page() -> AppSettings:
    """Return what the page was started with; without a word the defaults."""
    return AppSettings.model_validate(json.loads(os.environ.get(_VARIABLE, "{}")))
