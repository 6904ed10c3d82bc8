"""Options of the commands about an installation and the servers beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from deepfake.config.options.fields import DataRootPath, Hidden, Options, OtherModelName

__all__ = ["DemoOptions", "DoctorOptions", "SetupOptions", "UpOptions"]

_PrefectFile = Annotated[
    Path | None,
    Field(
        description="The prefect.yaml that lists the deployments; default: the one of this program."
    ),
]


class SetupOptions(Options):
    """Create pool, limit, deployments and automations in Prefect; running it twice is harmless."""

    file: _PrefectFile = None
    dataset: list[str] | None = Field(
        None,
        description="A corpus or folder to retrain on, at the times of --schedule and, for a "
        "corpus, whenever it has grown; repeatable. Default: as set by the last `deepfake setup`, "
        "at first none.",
    )
    held_out: str | None = Field(
        None,
        description="The held-out set that decides whether a retrained detector is promoted; "
        "default: as set by the last `deepfake setup`.",
    )
    benchmark: Annotated[str | None, Hidden()] = Field(None, description="Former name of held_out.")
    name: OtherModelName = None
    schedule: str | None = Field(
        None,
        description='When to retrain, as a cron expression such as "0 3 * * 1"; off for never; '
        "default: unchanged.",
    )
    timezone: str = Field("UTC", description="Time zone of the schedule.")
    data_root: DataRootPath = "data"


class UpOptions(Options):
    """Run Prefect's server, a worker and MLflow's UI on this machine, until Ctrl-C."""

    file: _PrefectFile = None
    port: int = Field(
        4200, ge=0, le=65535, description="Port of the Prefect server; 0 for a free one."
    )
    mlflow_port: int = Field(
        5000, ge=0, le=65535, description="Port of the MLflow UI; 0 for a free one."
    )
    data_root: DataRootPath = "data"


class DemoOptions(Options):
    """Run the whole pipeline on media that it makes: of two people, too few to evaluate on."""

    data_root: DataRootPath = "data"


class DoctorOptions(Options):
    """Check the installation, and list what is missing or wrong."""

    data_root: DataRootPath = "data"
