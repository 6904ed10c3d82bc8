"""Register detector bundles as versions of a model, and resolve `models:/` URIs."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from deepfake.errors import TrackingError, UnknownModelError
from deepfake.registry.log_runs import BUNDLE_ARTIFACT
from deepfake.registry.mlflow_values import legal_name
from deepfake.registry.store import client_of, is_absent, mask_credentials, translate_mlflow_errors

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

__all__ = [
    "CHAMPION",
    "MODEL_NAME",
    "ResolvedModel",
    "champion_or_none",
    "register_bundle",
    "resolve_model_uri",
    "set_alias",
]

MODEL_NAME = "deepfake-detector"

VOICE_MODEL_NAME = "voice-detector"
"""Detectors of voices have a champion of their own."""

SYNC_MODEL_NAME = "sync-detector"
"""So have those of lips against sound."""

CHAMPION = "champion"

_MODEL_URI = re.compile(r"models:/(?P<name>[^/@]+)(?:@(?P<alias>[\w-]+)|/(?P<version>\d+|latest))")
_NOT_FOUND = frozenset({"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "NOT_FOUND"})


class ResolvedModel(NamedTuple):
    """A registered version and the local folder of its bundle."""

    path: Path
    name: str
    version: int


def register_bundle(
    run_id: str,
    *,
    name: str = MODEL_NAME,
    alias: str | None = None,
    tags: Mapping[str, str] | None = None,
    uri: str,
) -> int:
    """Register the bundle of a run as the next version of a model, and return its number.

    Args:
        run_id: A run that `log_training` filled.
        name: Of the registered model; created if absent.
        alias: Given to the new version, taken from an older one.
        tags: Of the version.
        uri: The store.

    Raises:
        TrackingError: The run has no bundle, or the store refused.
    """
    from mlflow.exceptions import MlflowException

    client = client_of(uri)
    with translate_mlflow_errors(f"the detector cannot be registered as {name!r}"):
        names = [entry.path for entry in client.list_artifacts(run_id, BUNDLE_ARTIFACT)]
        if f"{BUNDLE_ARTIFACT}/detector.json" not in names:
            raise TrackingError(f"the run {run_id} has no detector bundle among its artifacts")
        try:
            client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        source = f"{client.get_run(run_id).info.artifact_uri}/{BUNDLE_ARTIFACT}"
        legal = {legal_name(key): value for key, value in (tags or {}).items()}
        made = client.create_model_version(name, source, run_id, tags=legal)
        version = int(made.version)
        if alias is not None:
            client.set_registered_model_alias(name, alias, str(version))
    return version


def set_alias(name: str, *, alias: str, version: int, uri: str) -> None:
    """Move an alias to a version.

    Raises:
        TrackingError: There is no such version, or the store refused.
    """
    client = client_of(uri)
    with translate_mlflow_errors(f"version {version} of {name!r} cannot be called {alias!r}"):
        client.set_registered_model_alias(name, alias, str(version))


def resolve_model_uri(model_uri: str, *, uri: str, cache: Path) -> ResolvedModel:
    """Resolve `models:/NAME@ALIAS` or `models:/NAME/VERSION` to a bundle.

    Args:
        model_uri: `models:/NAME/latest` is the highest version.
        uri: The store.
        cache: Where bundles from another machine are kept.

    Raises:
        UnknownModelError: The URI is malformed, or names nothing.
        TrackingError: The store cannot be reached, or the bundle's files are gone.
    """
    match = _MODEL_URI.fullmatch(model_uri)
    if match is None:
        raise UnknownModelError(
            f"{model_uri!r} is not a model URI",
            hint="It is models:/NAME@ALIAS, models:/NAME/VERSION or models:/NAME/latest.",
        )
    if is_absent(uri):
        raise UnknownModelError(
            f"{model_uri!r} is not known: there is no registry at {mask_credentials(uri)} yet",
            hint="`deepfake train` makes one.",
        )
    client = client_of(uri)
    found = _find(client, model_uri, **match.groupdict())
    path = _fetch(client, found, uri=uri, cache=cache)
    return ResolvedModel(path=path, name=str(found.name), version=int(found.version))


def champion_or_none(name: str = MODEL_NAME, *, uri: str, cache: Path) -> ResolvedModel | None:
    """Return the version with the alias `champion`, or None where there is none.

    Raises:
        TrackingError: The store cannot be reached; that is not the same as no champion.
    """
    try:
        return resolve_model_uri(f"models:/{name}@{CHAMPION}", uri=uri, cache=cache)
    except UnknownModelError:
        return None


def _find(
    client: MlflowClient, model_uri: str, *, name: str, alias: str | None, version: str | None
) -> ModelVersion:
    from mlflow.exceptions import MlflowException

    with translate_mlflow_errors(f"{model_uri!r} cannot be looked up"):
        try:
            if alias is not None:
                return client.get_model_version_by_alias(name, alias)
            if version == "latest":
                return _latest(client, name)
            return client.get_model_version(name, str(version))
        except MlflowException as error:
            if error.error_code not in _NOT_FOUND:
                raise
            raise UnknownModelError(
                f"{model_uri!r} is not in the registry", hint=_known_models(client)
            ) from error


def _latest(client: MlflowClient, name: str) -> ModelVersion:
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST

    versions = client.search_model_versions(f"name = '{name}'", max_results=1000)
    if not versions:
        raise MlflowException(f"no version of {name!r}", error_code=RESOURCE_DOES_NOT_EXIST)
    return max(versions, key=lambda v: int(v.version))


def _known_models(client: MlflowClient) -> str:
    known = [
        f"{model.name} ({', '.join(sorted(model.aliases)) or 'no alias'})"
        for model in client.search_registered_models(max_results=20)
    ]
    return f"Known are: {'; '.join(known)}." if known else "Nothing is registered yet."


def _fetch(client: MlflowClient, found: ModelVersion, *, uri: str, cache: Path) -> Path:
    with translate_mlflow_errors(
        f"the bundle of {found.name} version {found.version} cannot be downloaded"
    ):
        source = client.get_model_version_download_uri(found.name, found.version)
        if urlsplit(source).scheme in {"", "file"}:
            return _local(source)
        return _download(source, uri=uri, cache=cache)


def _local(source: str) -> Path:
    from mlflow.utils.file_utils import local_file_uri_to_path

    path = Path(local_file_uri_to_path(source))  # type: ignore[no-untyped-call]
    if path.is_file():
        raise TrackingError(
            "the registered version is a file, not a detector bundle",
            path=path,
            hint="Versions are registered by `train`, `calibrate` and `retrain`.",
        )
    if not path.is_dir():
        raise TrackingError(
            "the registered bundle is gone", path=path, hint="Register the detector again."
        )
    return path


def _download(source: str, *, uri: str, cache: Path) -> Path:
    from mlflow.artifacts import download_artifacts

    key = hashlib.sha256(f"{uri}\n{source}".encode()).hexdigest()[:16]
    target = cache / key
    if not target.is_dir():
        temporary = cache / f"{key}.part"
        temporary.mkdir(parents=True, exist_ok=True)
        fetched = download_artifacts(artifact_uri=source, dst_path=str(temporary), tracking_uri=uri)
        Path(fetched).replace(target)  # renamed only when complete
    return target
