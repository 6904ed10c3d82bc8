"""Recipes: complete training settings in TOML files, used by name.

`deepfake train --recipe NAME` uses one; options of the command line replace its settings.
"""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from deepfake.config import TrainConfig, first_problem
from deepfake.errors import ConfigError

__all__ = ["DEFAULT_RECIPE", "list_recipes", "load_recipe"]

DEFAULT_RECIPE = "baseline"


def list_recipes() -> list[str]:
    """Return the names of the recipes that come with the package.

    Example:
        >>> "sbi" in list_recipes()
        True
    """
    folder = resources.files(__name__)
    return sorted(p.name[:-5] for p in folder.iterdir() if p.name.endswith(".toml"))


def load_recipe(name: str = DEFAULT_RECIPE) -> TrainConfig:
    """Return the settings of a recipe.

    Args:
        name: One of `list_recipes`, or the path of a TOML file with fields of `TrainConfig`.

    Raises:
        ConfigError: There is no such recipe, or it holds what is no setting.
    """
    is_own = name in list_recipes()
    path = Path(name)
    if not is_own and not path.is_file():
        raise ConfigError(
            f"no recipe {name!r}: there are {', '.join(list_recipes())}",
            hint="Name one of these, or a TOML file of your own.",
        )
    text = (
        resources.files(__name__).joinpath(f"{name}.toml").read_text(encoding="utf-8")
        if is_own
        else path.read_text(encoding="utf-8")
    )
    try:
        values: dict[str, Any] = tomllib.loads(text)
        return TrainConfig.model_validate(values)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"the recipe {name} is no TOML ({error})") from error
    except ValidationError as error:
        raise ConfigError(f"the recipe {name}: {first_problem(error)}") from error
