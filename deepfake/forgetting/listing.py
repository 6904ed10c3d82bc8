"""Remove media from the listing that an output in a store keeps for other machines."""

from __future__ import annotations

import pyarrow.parquet as pq

from deepfake.forgetting.scrub import Subject, left_of, scrub_table
from deepfake.scoring.output.listing import ROWS_A_BATCH, named_listing, put_listing
from deepfake.storage import Location, StorePath, local_copy

__all__ = ["forget_in_listing"]


def forget_in_listing(folder: Location, subject: Subject, *, is_dry_run: bool = False) -> int:
    """Remove media from what is kept for other machines, and return how many rows were theirs.

    Args:
        folder: The output.
        subject: The media.
        is_dry_run: Only count.

    Raises:
        DataError: A listing is damaged.
        StoreError: The store refused or did not answer.
    """
    if not isinstance(folder, StorePath):
        return 0
    total = 0
    for path in list(folder.glob(".listing-*.parquet")):
        count = scrub_table(path, subject, is_dry_run=True)
        total += count
        if not count or is_dry_run:
            continue
        if named_listing(folder)[0] == path.name:
            # Under a name of its own: whoever took over the old one knows by it what to read.
            with local_copy(path) as local, pq.ParquetFile(local) as source:
                put_listing(
                    folder, (left_of(rows, subject) for rows in source.iter_batches(ROWS_A_BATCH))
                )
        path.unlink(missing_ok=True)
    return total
