"""Connect to an MLflow store, and translate its errors."""

from __future__ import annotations

import logging
import os
import re
import shlex
import shutil
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from deepfake.errors import DeepfakeError, TrackingError

if TYPE_CHECKING:
    from mlflow import MlflowClient

__all__ = [
    "check_tracking",
    "client_of",
    "is_absent",
    "make_store",
    "mask_credentials",
    "resolve_experiment",
    "translate_mlflow_errors",
    "ui_command",
]

_CONNECT_SECONDS = 5.0
# No telemetry by default. MLflow's seven retries would take four minutes. Standard output is for
# results.
_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}
_CHATTY = ("alembic", "mlflow.system_metrics", "mlflow.store")
_SECRETS = re.compile(r"(?i)\b((?:password|passwd|token|secret|key)=)[^&\s'\"]+")
_USERINFO = re.compile(r"://(?:[^\s/@:]*:\S*|[^\s/@]+)@")


def mask_credentials(uri: str) -> str:
    """Return a URI, or a text with URIs in it, without credentials.

    Example:
        >>> mask_credentials("postgresql://me:word@db.example/mlflow")
        'postgresql://***@db.example/mlflow'
    """
    return _SECRETS.sub(r"\1***", _USERINFO.sub("://***@", uri))


def client_of(uri: str) -> MlflowClient:
    """Return a client of a store; a SQLite store is created if absent.

    Raises:
        TrackingError: The store cannot be reached.
    """
    _prepare_environment()
    database = _database_of(uri)
    with translate_mlflow_errors(f"the tracking store {mask_credentials(uri)} cannot be used"):
        if database is None:
            _check_reachable(uri)
        else:
            database.parent.mkdir(parents=True, exist_ok=True)
        from mlflow import MlflowClient

        client = MlflowClient(tracking_uri=uri)
        client.search_experiments(max_results=1)  # the first query creates the tables
    return client


def make_store(uri: str) -> None:
    """Create the store's folder and tables if absent.

    Args:
        uri: The store.

    Raises:
        TrackingError: The store cannot be reached.
    """
    client_of(uri)


def is_absent(uri: str) -> bool:
    """Return whether the store is a file that does not exist yet; creates none."""
    database = _database_of(uri)
    return database is not None and not database.exists()


def resolve_experiment(client: MlflowClient, name: str, *, uri: str) -> str:
    """Return the id of an experiment, created if absent.

    On a SQLite store artifacts lie beside the database, in `artifacts/<name>`; a server decides for
    itself.

    Raises:
        TrackingError: The experiment was deleted, or the store refused.
    """
    from mlflow.exceptions import MlflowException

    with translate_mlflow_errors(f"the experiment {name!r} cannot be used"):
        found = client.get_experiment_by_name(name)
        if found is None:
            try:
                return str(client.create_experiment(name, artifact_location=_artifacts(uri, name)))
            except MlflowException as error:
                # Another process may have made it in between.
                found = client.get_experiment_by_name(name)
                if found is None:
                    raise error
    if found.lifecycle_stage != "active":
        raise TrackingError(
            f"the experiment {name!r} was deleted",
            hint=f"Bring it back with `mlflow experiments restore -x {found.experiment_id}`.",
        )
    return str(found.experiment_id)


@contextmanager
def translate_mlflow_errors(what: str) -> Iterator[None]:
    """Turn the errors of MLflow and its libraries into `TrackingError`."""
    from mlflow.exceptions import MlflowException
    from requests import RequestException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except DeepfakeError:
        raise
    except ModuleNotFoundError as error:
        raise TrackingError(
            f"{what} ({error})", hint="For PostgreSQL: pip install 'deepfake-pipeline[postgres]'"
        ) from error
    except (MlflowException, RequestException, SQLAlchemyError, OSError) as error:
        reason = mask_credentials(str(error)).strip().splitlines()
        raise TrackingError(
            f"{what} ({reason[0] if reason else type(error).__name__})",
            hint="`deepfake doctor` says which store is used and whether it answers; "
            "MLFLOW_TRACKING_URI names another.",
        ) from error


def check_tracking(uri: str) -> tuple[bool, str]:
    """Return whether the store answers, and a sentence about it; creates none.

    Args:
        uri: The store.
    """
    database = _database_of(uri)
    if database is not None and not database.exists():
        folder = next(f for f in database.absolute().parents if f.exists())
        if not os.access(folder, os.W_OK):
            return False, f"{mask_credentials(uri)} cannot be made: {folder} is not writable"
        return True, f"{mask_credentials(uri)} (made by the first run)"
    try:
        client_of(uri)
    except TrackingError as error:
        return False, f"{error}. {error.hint}"
    return True, f"{mask_credentials(uri)} (answers)"


def ui_command(uri: str) -> str:
    """Return the command that opens the MLflow UI on the store.

    A URI with credentials is not spelled out; the command then reads it from the environment.

    Args:
        uri: The store.
    """
    if uri.startswith(("http://", "https://")):
        return f"{shlex.quote(sys.executable)} -m webbrowser {shlex.quote(_without_userinfo(uri))}"
    named = '"$MLFLOW_TRACKING_URI"' if mask_credentials(uri) != uri else shlex.quote(uri)
    return f"MLFLOW_DISABLE_TELEMETRY=true {_mlflow_command()} ui --backend-store-uri {named}"


def _mlflow_command() -> str:
    beside = Path(sys.executable).with_name("mlflow")
    found = shutil.which("mlflow")
    if found is not None and Path(found) == beside:
        return "mlflow"
    if not beside.exists():
        return f"{shlex.quote(sys.executable)} -m mlflow"
    near = beside.relative_to(Path.cwd()) if beside.is_relative_to(Path.cwd()) else beside
    return shlex.quote(near.as_posix())


def _without_userinfo(uri: str) -> str:
    parts = urlsplit(uri)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _prepare_environment() -> None:
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    for name in _CHATTY:
        chosen = logging.getLogger(name)
        if chosen.level == logging.NOTSET:
            chosen.setLevel(logging.WARNING)


def _database_of(uri: str) -> Path | None:
    scheme, _, rest = uri.partition(":///")
    if scheme.partition("+")[0] != "sqlite" or not rest or rest.startswith(":memory:"):
        return None
    return Path(rest.partition("?")[0])


def _artifacts(uri: str, experiment: str) -> str | None:
    database = _database_of(uri)
    if database is None:
        return None
    folder = re.sub(r"[^\w.-]+", "_", experiment).strip(".") or "_"
    return (database.absolute().parent / "artifacts" / folder).as_uri()


def _check_reachable(uri: str) -> None:
    parts = urlsplit(uri)
    proxies = any(
        os.environ.get(name) for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy")
    )
    if parts.scheme not in {"http", "https"} or not parts.hostname or proxies:
        return
    # A host that drops packets would otherwise cost MLflow's two-minute time-out several times.
    port = parts.port or (443 if parts.scheme == "https" else 80)
    socket.create_connection((parts.hostname, port), timeout=_CONNECT_SECONDS).close()
