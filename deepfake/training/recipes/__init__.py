"""Recipes: complete training settings in TOML files, used by name.

`deepfake train --recipe NAME` uses one; options of the command line replace its settings.
"""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from deepfake.config import (
    Modality,
    SyncTrainConfig,
    TrainConfig,
    VoiceTrainConfig,
    first_problem,
)
from deepfake.errors import ConfigError

__all__ = [
    "DEFAULT_RECIPE",
    "DEFAULT_SYNC_RECIPE",
    "DEFAULT_VOICE_RECIPE",
    "default_recipe",
    "list_recipes",
    "load_recipe",
    "load_sync_recipe",
    "load_voice_recipe",
]

DEFAULT_RECIPE = "baseline"
DEFAULT_VOICE_RECIPE = "voice"
DEFAULT_SYNC_RECIPE = "sync"

_DEFAULTS: dict[Modality, str] = {
    "faces": DEFAULT_RECIPE,
    "voice": DEFAULT_VOICE_RECIPE,
    "sync": DEFAULT_SYNC_RECIPE,
}

_PREFIXES: dict[str, Modality] = {"voice": "voice", "sync": "sync"}
"""What the names of recipes begin with that are not for detectors of faces."""

_ConfigT = TypeVar("_ConfigT", TrainConfig, VoiceTrainConfig, SyncTrainConfig)


def default_recipe(modality: Modality) -> str:
    """Return the name of the recipe that is used where none is named."""
    return _DEFAULTS[modality]


def list_recipes(modality: Modality = "faces") -> list[str]:
    """Return the names of the recipes that come with the package.

    Args:
        modality: What the detectors are of that they train.

    Example:
        >>> "sbi" in list_recipes()
        True
        >>> list_recipes("voice")
        ['voice', 'voice_labels']
    """
    folder = resources.files(__name__)
    names = sorted(p.name[:-5] for p in folder.iterdir() if p.name.endswith(".toml"))
    return [name for name in names if _modality_of(name) == modality]


def _modality_of(name: str) -> Modality:
    found = [own for prefix, own in _PREFIXES.items() if name.startswith(prefix)]
    return found[0] if found else "faces"


def load_recipe(name: str = DEFAULT_RECIPE) -> TrainConfig:
    """Return the settings of a recipe.

    Args:
        name: One of `list_recipes`, or the path of a TOML file with fields of `TrainConfig`.

    Raises:
        ConfigError: There is no such recipe, or it holds what is no setting.
    """
    return _load(name, known=list_recipes(), model=TrainConfig)


def load_voice_recipe(name: str = DEFAULT_VOICE_RECIPE) -> VoiceTrainConfig:
    """Return the settings of a recipe for a detector of voices.

    Args:
        name: One of `list_recipes("voice")`, or the path of a TOML file with fields of
            `VoiceTrainConfig`.

    Raises:
        ConfigError: There is no such recipe, or it holds what is no setting.
    """
    return _load(name, known=list_recipes("voice"), model=VoiceTrainConfig)


def load_sync_recipe(name: str = DEFAULT_SYNC_RECIPE) -> SyncTrainConfig:
    """Return the settings of a recipe for a detector of lips against sound.

    Args:
        name: One of `list_recipes("sync")`, or the path of a TOML file with fields of
            `SyncTrainConfig`.

    Raises:
        ConfigError: There is no such recipe, or it holds what is no setting.
    """
    return _load(name, known=list_recipes("sync"), model=SyncTrainConfig)


def _load(name: str, *, known: list[str], model: type[_ConfigT]) -> _ConfigT:
    is_own = name in known
    path = Path(name)
    if not is_own and not path.is_file():
        raise ConfigError(
            f"no recipe {name!r}: there are {', '.join(known)}",
            hint="Name one of these, or a TOML file of your own.",
        )
    text = (
        resources.files(__name__).joinpath(f"{name}.toml").read_text(encoding="utf-8")
        if is_own
        else path.read_text(encoding="utf-8")
    )
    try:
        values: dict[str, Any] = tomllib.loads(text)
        return model.model_validate(values)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"the recipe {name} is no TOML ({error})") from error
    except ValidationError as error:
        raise ConfigError(f"the recipe {name}: {first_problem(error)}") from error
