"""Types of flow parameters: a bad value is refused before a run exists."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

__all__ = [
    "BatchFiles",
    "CorpusName",
    "Fraction",
    "LayoutName",
    "NumWorkers",
    "Positive",
    "TaskRunnerName",
]

CorpusName = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,99}$", description="Name of the corpus")
]
LayoutName = Literal["folder", "faceforensics", "dfdc", "celebdf", "csv"]
TaskRunnerName = Literal["threads", "dask"]
Positive = Annotated[int, Field(ge=1)]
NumWorkers = Annotated[int, Field(ge=0, description="Media workers; 0 for one a core")]
BatchFiles = Annotated[int | None, Field(ge=1, description="Files of a batch, at most")]
Fraction = Annotated[float, Field(gt=0, lt=1)]
