"""The limits that a challenger must keep to become champion."""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from deepfake.config import first_problem
from deepfake.errors import ConfigError

__all__ = ["DEFAULT_POLICY", "PromotionPolicy", "load_policy"]

DEFAULT_POLICY = "default"


class PromotionPolicy(BaseModel):
    """The limits; all of them must hold."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    held_out: str | None = Field(
        default=None, min_length=1, validation_alias=AliasChoices("held_out", "benchmark")
    )
    """Name of the held-out set that decides, formerly `benchmark`; None: nothing is promoted."""
    min_gain: float = Field(default=0.005, ge=0, lt=1)
    """AUC that the challenger must gain; the interval of the gain must also lie above 0."""
    max_regression: float = Field(default=0.03, ge=0, lt=1)
    """AUC, or share of reals called real, that a slice, method or corpus may be worse by."""
    min_slice_files: int = Field(default=30, ge=1)
    """A smaller slice is shown and not judged: it is worse or better by chance."""
    max_ece_rise: float = Field(default=0.02, ge=0, lt=1)
    """What the expected calibration error may rise by."""
    max_cost_ratio: float = Field(default=1.25, gt=0)
    """Cost of a face, or of a window of speech, challenger over champion."""


def load_policy(name: str = DEFAULT_POLICY, *, held_out: str | None = None) -> PromotionPolicy:
    """Return a policy.

    Args:
        name: `default`, or the path of a TOML file with fields of `PromotionPolicy`; what it leaves
            out is as in the default.
        held_out: The held-out set that decides; None for the one that the policy names.

    Raises:
        ConfigError: There is no such file, or it is not a policy.
    """
    path = Path(name)
    if name != DEFAULT_POLICY and not path.is_file():
        raise ConfigError(
            f"no policy {name!r}", hint=f"Name a TOML file, or {DEFAULT_POLICY!r}: the one here."
        )
    own = resources.files(__package__ or "").joinpath("policy.toml")
    policy = _parse((own if name == DEFAULT_POLICY else path).read_text(encoding="utf-8"), name)
    return policy if held_out is None else policy.model_copy(update={"held_out": held_out})


def _parse(text: str, name: str) -> PromotionPolicy:
    try:
        return PromotionPolicy.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"the policy {name} is no TOML ({error})") from error
    except ValidationError as error:
        raise ConfigError(f"the policy {name}: {first_problem(error)}") from error
