"""Remove media from the listing that a scored folder in a store keeps for other machines."""

from __future__ import annotations

import pyarrow.parquet as pq

from deepfake.forgetting.media_to_forget import MediaToForget
from deepfake.forgetting.scrub import drop_rows, scrub_table
from deepfake.scoring.output.listing import ROWS_A_BATCH, named_listing, put_listing
from deepfake.storage import Location, StorePath, local_copy

__all__ = ["remove_from_listing"]


def remove_from_listing(folder: Location, media: MediaToForget, *, is_dry_run: bool = False) -> int:
    """Remove media from the listing of a scored folder, and return how many rows they had.

    Args:
        folder: The scored folder; only one in an object store keeps a listing.
        media: The media to forget.
        is_dry_run: Only count.

    Raises:
        DataError: A listing is damaged.
        StoreError: The store refused or did not answer.
    """
    if not isinstance(folder, StorePath):
        return 0
    total = 0
    for path in list(folder.glob(".listing-*.parquet")):
        count = scrub_table(path, media, is_dry_run=True)
        total += count
        if not count or is_dry_run:
            continue
        if named_listing(folder)[0] == path.name:
            # Under a new name: a machine that has read the old one must see that it has changed.
            with local_copy(path) as local, pq.ParquetFile(local) as source:
                put_listing(
                    folder, (drop_rows(rows, media) for rows in source.iter_batches(ROWS_A_BATCH))
                )
        path.unlink(missing_ok=True)
    return total
