"""Where the registry of a data root is: `MLFLOW_TRACKING_URI`, else below or beside the root."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["absolute_uri", "describe_other_registry", "tracking_uri"]

_DATABASE = Path("mlruns", "mlflow.db")
_VARIABLE = "MLFLOW_TRACKING_URI"
_DEFAULT_ROOT = "data"


def tracking_uri(data_root: Path) -> str:
    """Return the MLflow store of a data root, whatever the working folder is.

    That is what `MLFLOW_TRACKING_URI` names, else a SQLite file in `<data-root>/mlruns`. Of a root
    called `data` it is in `mlruns` beside it, in a checkout of this project, and where earlier
    versions have made one there.

    Args:
        data_root: The data root on this machine.
    """
    if named := os.environ.get(_VARIABLE, "").strip():
        return named
    return _sqlite_uri(_database_of(data_root.resolve()))


def absolute_uri(uri: str) -> str:
    """Return a store's URI so that it holds in every working folder.

    Example:
        >>> absolute_uri("https://mlflow.example")
        'https://mlflow.example'
    """
    scheme, _, rest = uri.partition(":///")
    if scheme != "sqlite" or not rest or rest.startswith((":memory:", "/")):
        return uri
    return f"{scheme}:///{Path(rest).absolute().as_posix()}"


def describe_other_registry(data_root: Path) -> str | None:
    """Return a sentence about a registry in the working folder that is not the data root's.

    Earlier versions kept the registry in the working folder.

    Args:
        data_root: The data root on this machine.

    Returns:
        None where there is none, or `MLFLOW_TRACKING_URI` says which is used.
    """
    here = _DATABASE.resolve()
    if os.environ.get(_VARIABLE, "").strip() or not here.is_file():
        return None
    if here == _database_of(data_root.resolve()):
        return None
    return (
        f"./{_DATABASE} is not the registry of the data root {data_root} and is not used; "
        f"to use it: export {_VARIABLE}={_sqlite_uri(here)}"
    )


def _database_of(data_root: Path) -> Path:
    own, beside = data_root / _DATABASE, data_root.parent / _DATABASE
    if own.is_file() or data_root.name != _DEFAULT_ROOT:
        return own
    return beside if beside.is_file() or _is_checkout(data_root.parent) else own


def _is_checkout(folder: Path) -> bool:
    return (folder / "prefect.yaml").is_file() and (folder / "deepfake").is_dir()


def _sqlite_uri(database: Path) -> str:
    return f"sqlite:///{database.as_posix()}"
