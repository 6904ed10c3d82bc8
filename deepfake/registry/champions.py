"""List versions, promote one to champion, and roll back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from deepfake.errors import ConfigError, TrackingError, UnknownModelError
from deepfake.registry.champion_history import (
    Promotion,
    aliases_of,
    champions_before,
    now,
    read_history,
    write_event,
)
from deepfake.registry.mlflow_values import legal_name
from deepfake.registry.model_versions import CHAMPION, MODEL_NAME, register_bundle
from deepfake.registry.store import client_of, is_absent, mask_credentials, translate_mlflow_errors

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

__all__ = [
    "CHALLENGER",
    "RegisteredVersion",
    "champion_history",
    "list_rolled_back",
    "list_versions",
    "promote",
    "register_once",
    "roll_back",
]

CHALLENGER = "challenger"

_DIGEST = "model_digest"
_MAX_CHARS = 1000


@dataclass(frozen=True, slots=True)
class RegisteredVersion:
    """One version of a registered model.

    Attributes:
        name: Of the model.
        version: Its number.
        aliases: `champion`, `challenger`, and what people gave.
        tags: Digests of data and bundle, the decision, who promoted it and why.
        run_id: The run whose bundle it is; None where it was registered from elsewhere.
        created_at: ISO 8601, UTC.
    """

    name: str
    version: int
    aliases: tuple[str, ...]
    tags: Mapping[str, str]
    run_id: str | None
    created_at: str


def list_versions(name: str = MODEL_NAME, *, uri: str) -> list[RegisteredVersion]:
    """Return the versions of a model, the newest first; none where there is no such model.

    Raises:
        TrackingError: The store cannot be reached.
    """
    if is_absent(uri):
        return []
    client = client_of(uri)
    with translate_mlflow_errors(f"the versions of {name!r} cannot be listed"):
        found = _versions(client, name)
        aliases = aliases_of(client, name)
        return [_registered(version, aliases) for version in found]


def champion_history(name: str = MODEL_NAME, *, uri: str) -> list[Promotion]:
    """Return every change of champion that took place, the oldest first.

    Raises:
        TrackingError: The store cannot be reached.
    """
    if is_absent(uri):
        return []
    client = client_of(uri)
    with translate_mlflow_errors(f"the history of {name!r} cannot be read"):
        return list(read_history(client, name).events)


def register_once(
    run_id: str,
    *,
    name: str,
    digest: str,
    tags: Mapping[str, str] | None = None,
    uri: str,
) -> int:
    """Return the version of a bundle, registering it if it is not registered.

    Args:
        run_id: The run that holds the bundle.
        name: Of the model.
        digest: The bundle's digest, by which a registered one is found.
        tags: Of the version; written again to one that exists.
        uri: The store.

    Raises:
        TrackingError: The store refused.
    """
    client = client_of(uri)
    all_tags = {**(tags or {}), _DIGEST: digest}
    with translate_mlflow_errors(f"the versions of {name!r} cannot be looked up"):
        version = _known(client, name, digest=digest)
        if version is not None:
            _tag(client, name, version, all_tags)
            return version
    return register_bundle(run_id, name=name, tags=all_tags, uri=uri)


def promote(
    name: str,
    version: int,
    *,
    author: str,
    reason: str,
    expected: int | Literal["nobody"] | None = None,
    uri: str,
) -> Promotion:
    """Make a version champion; the alias moves last.

    Args:
        name: Of the model.
        version: Which.
        author: Who does it.
        reason: The reason.
        expected: The version that must be champion now, or `nobody`; None accepts any.
        uri: The store.

    Returns:
        The promotion; the earlier one where the version is champion already.

    Raises:
        UnknownModelError: There is no such version.
        TrackingError: Another version is champion than expected, or the store refused.
    """
    client = client_of(uri)
    with translate_mlflow_errors(f"version {version} of {name!r} cannot become champion"):
        _check_there(client, name, version)
        was = aliases_of(client, name).get(CHAMPION)
        if expected is not None and (was or "nobody") != expected:
            raise TrackingError(
                f"version {was} of {name!r} is champion now, not {expected}",
                hint="Nothing was promoted. Compare again with the present champion.",
            )
        return _move(client, name, version, action="promote", author=author, reason=reason)


def roll_back(name: str = MODEL_NAME, *, author: str, reason: str, uri: str) -> Promotion:
    """Restore the champion before the present one; can be repeated, until nobody is champion.

    Where nobody is, the packaged detector serves, as before the first promotion.

    Args:
        name: Of the model.
        author: Who does it.
        reason: The reason.
        uri: The store.

    Raises:
        ConfigError: Nobody is champion.
        TrackingError: The store refused.
    """
    if is_absent(uri):
        raise UnknownModelError(f"there is no registry at {mask_credentials(uri)}")
    client = client_of(uri)
    with translate_mlflow_errors(f"the last champion of {name!r} cannot be restored"):
        history = read_history(client, name)
        if history.champion is None:
            raise ConfigError(
                f"{name!r} has no champion to roll back from",
                hint="`deepfake models list` shows the versions, `promote` makes one champion.",
            )
        before = champions_before(history.events)[-1]
        return _move(client, name, before, action="rollback", author=author, reason=reason)


def list_rolled_back(name: str = MODEL_NAME, *, uri: str) -> set[int]:
    """Return the versions that a roll-back removed and nobody promoted since.

    Raises:
        TrackingError: The store cannot be reached.
    """
    given_up: set[int] = set()
    for event in champion_history(name, uri=uri):
        if event.action == "rollback" and event.was is not None:
            given_up.add(event.was)
        if event.version is not None:
            given_up.discard(event.version)
    return given_up


def _move(
    client: MlflowClient,
    name: str,
    version: int | None,
    *,
    action: Literal["promote", "rollback"],
    author: str,
    reason: str,
) -> Promotion:
    history = read_history(client, name)
    if history.champion == version:
        return history.events[-1]
    event = Promotion(
        action, version, history.champion, author[:_MAX_CHARS], reason[:_MAX_CHARS], now()
    )
    write_event(client, name, history, event)
    was = "none" if event.was is None else str(event.was)
    details = {"who": event.who, "why": event.why, "at": event.at, "was": was}
    if version is None:
        client.delete_registered_model_alias(name, CHAMPION)
        return event
    _tag(client, name, version, {f"{action}.{key}": value for key, value in details.items()})
    client.set_registered_model_alias(name, CHAMPION, str(version))
    if aliases_of(client, name).get(CHALLENGER) == version:
        client.delete_registered_model_alias(name, CHALLENGER)
    return event


def _versions(client: MlflowClient, name: str) -> list[ModelVersion]:
    found = list(client.search_model_versions(f"name = '{name}'", max_results=1000))
    return sorted(found, key=lambda version: -int(version.version))


def _known(client: MlflowClient, name: str, *, digest: str) -> int | None:
    """Return the first version with a bundle's digest."""
    same = [int(v.version) for v in _versions(client, name) if v.tags.get(_DIGEST) == digest]
    return min(same, default=None)


def _check_there(client: MlflowClient, name: str, version: int) -> None:
    known = sorted(int(v.version) for v in _versions(client, name))
    if version not in known:
        versions = ", ".join(map(str, known)) or "none"
        raise UnknownModelError(f"{name!r} has no version {version} (there are: {versions})")


def _tag(client: MlflowClient, name: str, version: int, tags: Mapping[str, str]) -> None:
    for key, value in tags.items():
        client.set_model_version_tag(name, str(version), legal_name(key), value)


def _registered(found: ModelVersion, aliases: Mapping[str, int]) -> RegisteredVersion:
    number = int(found.version)
    made = datetime.fromtimestamp(int(found.creation_timestamp) / 1000, tz=UTC)
    return RegisteredVersion(
        name=str(found.name),
        version=number,
        aliases=tuple(sorted(alias for alias, version in aliases.items() if version == number)),
        tags=dict(found.tags),
        run_id=found.run_id or None,
        created_at=made.isoformat(timespec="seconds"),
    )
