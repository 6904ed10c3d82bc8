"""The concurrency limit that lets one training run at a time, whoever starts it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from prefect.client.orchestration import get_client
from prefect.concurrency.sync import concurrency
from prefect.exceptions import ObjectNotFound
from prefect.settings import get_current_settings

from deepfake.errors import ConfigError
from flows.server.temporary import is_temporary

__all__ = ["TRAINING_LIMIT", "one_training"]

TRAINING_LIMIT = "deepfake-training"
"""Name of the global concurrency limit of `train`, `retrain` and `sweep`."""


@contextmanager
def one_training() -> Iterator[None]:
    """Wait until no other training runs on this Prefect server, and keep others waiting meanwhile.

    Without a server of its own (`PREFECT_API_URL`) no other training is known, and nothing waits.

    Raises:
        ConfigError: The server has no such limit.
    """
    if is_temporary() or get_current_settings().api.url is None:
        yield
        return
    _check_limit()
    # A lease that cannot be renewed for a while is no reason to lose hours of training.
    with concurrency(TRAINING_LIMIT, strict=True, raise_on_lease_renewal_failure=False):
        yield


def _check_limit() -> None:
    with get_client(sync_client=True) as client:
        try:
            client.read_global_concurrency_limit_by_name(TRAINING_LIMIT)
        except ObjectNotFound:
            raise ConfigError(
                f"the Prefect server has no concurrency limit {TRAINING_LIMIT!r}",
                hint="Run `deepfake setup` once against it.",
            ) from None
