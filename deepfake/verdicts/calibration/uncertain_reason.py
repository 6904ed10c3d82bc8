"""Why a verdict is uncertain."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["UncertainReason"]


@dataclass(frozen=True, slots=True)
class UncertainReason:
    """Why a verdict is uncertain.

    Attributes:
        cause: The reason without numbers; evaluations count files by it.
        message: The reason with what was measured of this file.

    Example:
        >>> str(UncertainReason.measured("the face is too small", "40 pixels"))
        'the face is too small: 40 pixels'
    """

    cause: str
    message: str

    @classmethod
    def measured(cls, cause: str, numbers: str) -> UncertainReason:
        """Return a reason with numbers after a colon."""
        return cls(cause, f"{cause}: {numbers}")

    def __str__(self) -> str:
        return self.message
