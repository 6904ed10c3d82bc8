"""What open files have in common: a `with` block closes them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

__all__ = ["OpenFile"]


class OpenFile(ABC):
    """An open file; use it in a `with` block, or close it."""

    @abstractmethod
    def close(self) -> None:
        """Close the file; closing twice does no harm."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
