"""Search spaces: which settings of a recipe are tried, in which ranges."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from deepfake.config import StoredRecord, TrainConfig, first_problem
from deepfake.errors import ConfigError
from deepfake.training.recipes import DEFAULT_RECIPE, load_recipe

__all__ = [
    "DEFAULT_SPACE",
    "Choices",
    "PrunerSettings",
    "Range",
    "SearchSpace",
    "list_spaces",
    "load_space",
]

DEFAULT_SPACE = "baseline"

Value = bool | int | float | str


class Range(StoredRecord):
    """A range of numbers, both ends included; whole numbers if both ends are.

    Attributes:
        low: The lower end.
        high: The upper end.
        log: Whether orders of magnitude are equally likely.
    """

    low: int | float
    high: int | float
    log: bool = False

    @model_validator(mode="after")
    def _ascends(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"low {self.low} must lie under high {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"log needs a positive low, got {self.low}")
        return self

    @property
    def is_integer(self) -> bool:
        """Whether only whole numbers are tried."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    @property
    def ends(self) -> tuple[Value, ...]:
        """Both ends, which must be valid for all between to be."""
        return self.low, self.high


class Choices(StoredRecord):
    """One of a few values.

    Attributes:
        choices: The values.
    """

    choices: tuple[Value, ...] = Field(min_length=2)

    @property
    def ends(self) -> tuple[Value, ...]:
        """All of them."""
        return self.choices


class PrunerSettings(StoredRecord):
    """When a trial that falls behind is stopped.

    Attributes:
        name: `median`: worse at its best epoch so far than the median of earlier trials at that
            epoch. `hyperband`: budgets of epochs, of which the better third goes on.
        startup_trials: Of `median`: trials that are never given up, to compare with.
        warmup_epochs: Epochs that every trial gets.
    """

    name: Literal["median", "hyperband"] = "median"
    startup_trials: int = Field(default=4, ge=0)
    warmup_epochs: int = Field(default=1, ge=0)


class SearchSpace(StoredRecord):
    """A recipe, and the settings to try on it.

    Attributes:
        recipe: What holds for all settings that are not named.
        fixed: Settings that hold for all trials instead of the recipe's.
        pruner: When a trial is given up.
        settings: What is tried, by the setting's name; nested ones with dots.
    """

    recipe: str = DEFAULT_RECIPE
    fixed: dict[str, Value] = Field(default_factory=dict)
    pruner: PrunerSettings = PrunerSettings()
    settings: dict[str, Range | Choices] = Field(min_length=1)

    def config(self, values: Mapping[str, Value]) -> TrainConfig:
        """Return the recipe with values of a trial put in.

        Raises:
            ConfigError: There is no such recipe or setting, or a value is not allowed.
        """
        plain = load_recipe(self.recipe).model_dump()
        for name, value in {**self.fixed, **values}.items():
            _put(plain, name, value)
        try:
            return TrainConfig.model_validate(plain)
        except ValidationError as error:
            raise ConfigError(f"{first_problem(error)}") from error


def _put(plain: dict[str, Any], name: str, value: Value) -> None:
    *parents, last = name.split(".")
    place = plain
    for parent in parents:
        place = place.get(parent, {})
    if not isinstance(place, dict) or last not in place or isinstance(place[last], dict):
        raise ConfigError(f"no setting {name!r}", hint="Those of a recipe's file are allowed.")
    place[last] = value


def list_spaces() -> list[str]:
    """Return the names of the search spaces that come with the package.

    Example:
        >>> "baseline" in list_spaces()
        True
    """
    folder = resources.files("deepfake.training.tuning")
    return sorted(p.name[:-5] for p in folder.iterdir() if p.name.endswith(".toml"))


def load_space(name: str = DEFAULT_SPACE) -> SearchSpace:
    """Return a search space.

    Args:
        name: One of `list_spaces`, or the path of a TOML file.

    Raises:
        ConfigError: There is none, or it holds what a training cannot be run with.
    """
    is_own, path = name in list_spaces(), Path(name)
    if not is_own and not path.is_file():
        raise ConfigError(
            f"no search space {name!r}: there are {', '.join(list_spaces())}",
            hint="Name one of these, or a TOML file of your own.",
        )
    source = (
        resources.files("deepfake.training.tuning").joinpath(f"{name}.toml") if is_own else path
    )
    try:
        space = SearchSpace.model_validate(tomllib.loads(source.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"the search space {name} is no TOML ({error})") from error
    except ValidationError as error:
        raise ConfigError(f"the search space {name}: {first_problem(error)}") from error
    for setting, value in _ends(space):
        try:
            space.config({setting: value})
        except ConfigError as error:
            raise ConfigError(f"the search space {name}: {error.message}") from error
    return space


def _ends(space: SearchSpace) -> Iterator[tuple[str, Value]]:
    for setting, values in space.settings.items():
        for value in values.ends:
            yield setting, value
