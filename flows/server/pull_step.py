"""The step with which a run of a deployment begins: it goes to the folder that paths begin at.

Prefect imports a flow while the working folder is on Python's search path. So that nothing that
lies there is imported, all flows are imported before.
"""

from __future__ import annotations

import importlib
import os
from pathlib import Path

import flows

__all__ = ["enter_folder"]


def enter_folder(directory: str) -> dict[str, str]:
    """Import the flows, then go to a folder.

    Args:
        directory: The folder.

    Returns:
        What Prefect expects of such a step.
    """
    for file in sorted(Path(flows.__file__).parent.glob("*.py")):
        if file.stem != "__init__":
            importlib.import_module(f"flows.{file.stem}")
    os.chdir(directory)
    return {"directory": directory}
