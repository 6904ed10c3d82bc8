"""Read and write the history of champions: tags of the registered model, one an event.

An event is written before the alias moves. One whose alias did not move was interrupted, and does
not count.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from deepfake.errors import TrackingError
from deepfake.registry.model_versions import CHAMPION

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import RegisteredModel

__all__ = [
    "History",
    "Promotion",
    "aliases_of",
    "champions_before",
    "now",
    "read_history",
    "write_event",
]

_EVENT = "champion."


@dataclass(frozen=True, slots=True)
class Promotion:
    """A change of champion.

    Attributes:
        action: `promote`, `rollback`, or `found`: the alias was moved by other means.
        version: Champion from then on; None for nobody, so that the packaged detector serves.
        was: Champion until then; None for nobody.
        who: Did it.
        why: For what reason.
        at: ISO 8601, UTC.
    """

    action: Literal["promote", "rollback", "found"]
    version: int | None
    was: int | None
    who: str
    why: str
    at: str


@dataclass(frozen=True, slots=True)
class History:
    """The champions of a model.

    Attributes:
        events: The changes that took place.
        num_written: How many of them are written.
        champion: The version that has the alias.
    """

    events: tuple[Promotion, ...]
    num_written: int
    champion: int | None


def read_history(client: MlflowClient, name: str) -> History:
    """Return the history of a model.

    Raises:
        TrackingError: A tag is damaged.
    """
    written = _written(client, name)
    champion = aliases_of(client, name).get(CHAMPION)
    if written and written[-1].version != champion and written[-1].was == champion:
        written = written[:-1]  # interrupted before the alias moved
    events = list(written)
    last = events[-1].version if events else None
    if champion is not None and champion != last:
        why = "the alias was moved by other means"
        events.append(Promotion("found", champion, last, "unknown", why, now()))
    return History(tuple(events), len(written), champion)


def write_event(client: MlflowClient, name: str, history: History, event: Promotion) -> None:
    """Write an event and those not written yet, over an interrupted one."""
    for number, one in enumerate((*history.events, event), start=1):
        if number > history.num_written:
            value = json.dumps(asdict(one), sort_keys=True)
            client.set_registered_model_tag(name, f"{_EVENT}{number:04d}", value)


def _written(client: MlflowClient, name: str) -> list[Promotion]:
    tags = _model_tags(client, name)
    events = []
    for key in sorted(tags):
        if key.startswith(_EVENT):
            try:
                events.append(Promotion(**json.loads(tags[key])))
            except (ValueError, TypeError) as error:
                raise TrackingError(f"the tag {key} of {name!r} is damaged ({error})") from error
    return events


def champions_before(events: Sequence[Promotion]) -> list[int | None]:
    """Return what roll-backs return to in turn, the last one first: champions, at the end nobody.

    Example:
        >>> at = ("ann", "", "2026-11-30T00:00:00+00:00")
        >>> champions_before([Promotion("promote", 2, None, *at), Promotion("promote", 3, 2, *at)])
        [None, 2]
    """
    stack: list[int | None] = [None]
    for event in events:
        if event.action == "rollback" and event.version in stack:
            while stack[-1] != event.version:
                stack.pop()
        elif stack[-1] != event.version:
            stack.append(event.version)
    return stack[:-1]


def now() -> str:
    """Return the time, ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _model(client: MlflowClient, name: str) -> RegisteredModel | None:
    from mlflow.exceptions import MlflowException

    try:
        return client.get_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None


def _model_tags(client: MlflowClient, name: str) -> dict[str, str]:
    found = _model(client, name)
    return {} if found is None else dict(found.tags)


def aliases_of(client: MlflowClient, name: str) -> dict[str, int]:
    """Return the version that each alias of a model names; none where there is no such model."""
    found = _model(client, name)
    return {} if found is None else {a: int(v) for a, v in found.aliases.items()}
