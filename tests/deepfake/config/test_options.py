"""Options as parameters of a flow: names, types, defaults, ranges and descriptions."""

from __future__ import annotations

import inspect
from typing import Annotated, Any, Literal

import pytest
from prefect.utilities.callables import parameter_schema
from pydantic import Field, ValidationError

from deepfake.config import options as every
from deepfake.config.options import Options, flow_parameters, iter_fields, takes_options
from deepfake.config.options.fields import CommandOnly
from deepfake.evaluation.promotion import DEFAULT_POLICY
from deepfake.registry import MODEL_NAME
from deepfake.scoring.drift import DEFAULT_LIMIT
from deepfake.training.recipes import DEFAULT_RECIPE
from deepfake.training.tuning import DEFAULT_SPACE


class _Shared(Options):
    """What two commands share."""

    seed: int = Field(0, description="Seed.")
    name: str = Field(description="Name.")


class _Own(_Shared):
    """A command."""

    size: Annotated[int | None, Field(ge=1, description="Pixels.")] = None
    mode: Literal["fast", "slow"] = Field("fast", description="How.")
    watch: Annotated[bool, CommandOnly()] = Field(False, description="Go on.")


@takes_options
def _flow(options: _Own) -> _Own:
    """Do it."""
    return options


def test_required_options_come_first_then_own_ones_then_shared_ones() -> None:
    assert [name for name, _ in iter_fields(_Own)] == ["name", "size", "mode", "watch", "seed"]


def test_a_function_of_options_is_called_with_them_by_name() -> None:
    assert _flow("x", size=3) == _Own(name="x", size=3)
    with pytest.raises(TypeError, match="watch"):
        _flow("x", watch=True)
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        _flow("x", size=0)


def test_prefect_sees_each_option() -> None:
    schema = parameter_schema(_flow)
    assert schema.required == ["name"]
    properties: dict[str, Any] = schema.properties
    assert set(properties) == {"name", "size", "mode", "seed"}
    assert properties["mode"]["enum"] == ["fast", "slow"]
    assert properties["mode"]["default"] == "fast"
    assert properties["mode"]["description"] == "How."
    assert {"type": "integer", "minimum": 1} in properties["size"]["anyOf"]


def test_what_only_the_command_acts_on_does_not_reach_the_flow() -> None:
    assert "watch" not in flow_parameters(_Own(name="x", watch=True))


_MODELS = [
    found
    for found in vars(every).values()
    if inspect.isclass(found) and issubclass(found, Options) and found is not Options
]


@pytest.mark.parametrize("model", _MODELS)
def test_every_command_and_option_is_described(model: type[Options]) -> None:
    assert model.__doc__ and model.__doc__ != Options.__doc__
    for name, field in iter_fields(model):
        assert field.description, name
        assert field.description.endswith((".", ")")), field.description


def test_defaults_are_those_of_the_library() -> None:
    recipe = every.TrainOptions.model_fields["recipe"]
    assert recipe.default is None
    assert f"Default: {DEFAULT_RECIPE}, " in str(recipe.description)
    assert every.SweepOptions.model_fields["space"].default == DEFAULT_SPACE
    assert every.RetrainOptions.model_fields["policy"].default == DEFAULT_POLICY
    assert every.ScoreOptions.model_fields["drift_limit"].default == DEFAULT_LIMIT
    for model in _MODELS:
        name = model.model_fields.get("name")
        is_registered = model is not every.JoinOptions
        if name is not None and isinstance(name.default, str) and is_registered:
            assert name.default == MODEL_NAME, model
