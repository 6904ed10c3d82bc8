"""What is worth another try of a task."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from distributed.client import FutureCancelledError
from distributed.comm import CommClosedError
from distributed.scheduler import KilledWorker

from deepfake.errors import DataError, StoreError, WorkerError
from tasks.settings import is_worth_retrying


def _lost() -> KilledWorker:
    return KilledWorker("score-1", SimpleNamespace(address="tcp://gone"), 3)


@pytest.mark.parametrize(
    ("error", "is_tried_again"),
    [
        (_lost(), True),
        (CommClosedError("gone"), True),
        (FutureCancelledError("score-1", "gone"), True),
        (WorkerError("lost"), True),
        (StoreError("busy"), True),
        (ConnectionResetError("gone"), True),
        (DataError("no"), False),
        (ValueError("no"), False),
    ],
)
def test_what_is_worth_another_try(error: Exception, is_tried_again: bool) -> None:
    state: Any = SimpleNamespace(result=lambda raise_on_failure: error)
    unused: Any = None
    assert is_worth_retrying(unused, unused, state) is is_tried_again
