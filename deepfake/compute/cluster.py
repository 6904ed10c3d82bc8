"""Whether batches can run on a Dask cluster."""

from __future__ import annotations

from deepfake.errors import ConfigError

__all__ = ["check_dask_address"]


def check_dask_address(address: str | None, *, task_runner: str) -> None:
    """Reject the address of a cluster that no batch would run on.

    Args:
        address: Of a running scheduler; None for none.
        task_runner: `threads` or `dask`.

    Raises:
        ConfigError: Batches run in threads.
    """
    if address is not None and task_runner != "dask":
        raise ConfigError(
            f"the Dask scheduler {address} is named, but batches run in threads",
            hint="Add --task-runner dask, or leave --dask-address out.",
        )
