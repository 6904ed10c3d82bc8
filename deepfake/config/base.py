"""The base class of settings."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import (
    BaseModel,
    ConfigDict,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
)

__all__ = ["Settings", "StoredRecord", "first_problem"]


class Settings(BaseModel):
    """Settings of one stage: frozen, and without fields that nobody knows.

    Attributes:
        added_later: Fields that are younger than digests on disk. Where they have their default,
            which must change nothing, they are not written, so that those digests stay.
    """

    # Built when first used: every command imports the settings of all.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
    added_later: ClassVar[frozenset[str]] = frozenset()

    @model_serializer(mode="wrap")
    def _without_defaults_of_later_fields(
        self, serialize: SerializerFunctionWrapHandler
    ) -> dict[str, Any]:
        settings: dict[str, Any] = serialize(self)
        for name in self.added_later:
            if getattr(self, name) == type(self).model_fields[name].get_default():
                settings.pop(name, None)
        return settings


class StoredRecord(BaseModel):
    """A record in a file: frozen, without unknown fields, all numbers finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def first_problem(error: ValidationError) -> str:
    """Return the first of pydantic's errors: the field with its parents, and what is wrong.

    Example:
        >>> class Square(Settings):
        ...     side: int
        >>> try:
        ...     Square.model_validate({"side": "long"})
        ... except ValidationError as error:
        ...     print(first_problem(error))
        side: Input should be a valid integer, unable to parse string as an integer
    """
    first = error.errors()[0]
    where = ".".join(str(name) for name in first["loc"]) or "the whole"
    return f"{where}: {first['msg']}"
