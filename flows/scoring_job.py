"""What becomes of the files of a folder that is scored, from the listing to the last part."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from deepfake.config import digest_of
from deepfake.corpora.batches import cut_batches
from deepfake.corpora.manifest import ManifestRow, record_of_row, row_of_record
from deepfake.errors import ConfigError
from deepfake.scoring import (
    BatchAccount,
    DriftWatch,
    Hold,
    Moved,
    Part,
    RunRecord,
    ScoringState,
    part_path,
)
from deepfake.storage import Location, to_uri
from flows.parameters import (
    Hashing,
)
from flows.runners import InFlight
from tasks import score as steps
from tasks.probe import probe
from tasks.progress import expect
from tasks.settings import packed, unpacked

__all__ = ["ScoringJob"]

_FIRST_FILES = 32
_CHUNK_FILES = 500
_CHUNK_BYTES = 4 * 2**30
_ARRIVAL_SECONDS = 60.0
"""Longer than a network's file system remembers that there was no such file."""
_LEAST_COST = 64
"""Of a batch that is handed out although it is not full, in pictures; one video."""


class ScoringJob:
    """Files on their way: listed, probed, batched, scored, noted.

    Args:
        state: What is known.
        batches: What is out.
        record: Of the run, for people and programs that watch it.
        hold: On the output.
        parts: Where parts go.
        is_elsewhere: Whether other machines put them there.
        setup: Of the media workers.
        hashing: How contents are told apart.
        limit: How many media are scored, at most.
        batch_files: Files of a batch, at most.
        is_retrying_failed: Whether what may pass is tried again.
        drift: Sees what is probed.
    """

    def __init__(
        self,
        state: ScoringState,
        batches: InFlight,
        record: RunRecord,
        *,
        hold: Hold,
        parts: Location,
        is_elsewhere: bool,
        setup: dict[str, Any],
        hashing: Hashing,
        limit: int | None,
        batch_files: int | None,
        is_retrying_failed: bool,
        drift: DriftWatch,
    ) -> None:
        self._state = state
        self._drift = drift
        self._batches = batches
        self._record = record
        self._hold = hold
        self._parts = parts
        self._is_shared = not is_elsewhere
        self.setup = setup
        self._hashing = hashing
        self._left = limit
        self._batch_files = batch_files
        self._is_retrying_failed = is_retrying_failed
        self._waiting: list[ManifestRow] = []

    def run(self, rows: Iterable[ManifestRow]) -> None:
        """Take files as they are listed, until each has its score."""
        for chunk in _chunked(rows):
            self._observe(chunk)
            self._batches.take_ended()
            if self._left == 0:
                break
        self._record.listing_ended()
        self._batches.wait()
        while self._waiting:
            self._hand_out(least=0)
            self._batches.wait()
        if self._left != 0:
            self._record.vanished(self._state.mark_vanished())

    def _observe(self, rows: list[ManifestRow]) -> None:
        self._record.listed(len(rows))
        known, unknown = self._state.observe(rows)
        self._queue(known)
        if unknown:
            call = {
                "rows": packed([record_of_row(row) for row in unknown]),
                "limits": self.setup["media_limits"],
                "hashing": self._hashing,
                "setup": self.setup,
            }
            began = time.time_ns()
            self._batches.submit(
                probe, call, on_result=lambda found: self._probed(found, began_ns=began)
            )

    def _probed(self, records: str, *, began_ns: int) -> None:
        rows = [row_of_record(record) for record in unpacked(records)]
        self._record.probed(rows, hashing=self._hashing)
        self._drift.probed(rows)
        self._state.record(rows, began_ns=began_ns)
        self._queue(rows)

    def _queue(self, rows: Sequence[ManifestRow]) -> None:
        claimed = self._state.claim(
            rows, limit=self._left, is_retrying_failed=self._is_retrying_failed
        )
        if self._left is not None:
            self._left -= len(claimed)
        expect(len(claimed))
        self._record.claimed(len(claimed))
        self._waiting += claimed
        # Workers that have nothing else to do need not wait until a batch is full.
        self._hand_out(least=_LEAST_COST if self._batches.has_room(steps.score) else None)

    def _hand_out(self, *, least: int | None) -> None:
        batches, self._waiting = cut_batches(
            self._waiting, least=least, max_files=self._batch_files
        )
        for batch in batches:
            number = self._state.run
            requests = [
                {
                    "uri": row.uri,
                    "media_id": row.media_id,
                    "size_bytes": row.size_bytes,
                    "mtime_ns": row.mtime_ns,
                }
                for row in batch
            ]
            key = digest_of(self._state.version, str(number), *(str(r.media_id) for r in batch))
            call = {
                "parts": to_uri(self._parts),
                "key": key,
                "number": number,
                "requests": packed(requests),
                "setup": self.setup,
            }
            self._batches.submit(steps.score, call, on_result=self._scored, count=len(requests))

    def _scored(self, done: dict[str, Any]) -> None:
        self._hold.check()
        if not self._is_shared:
            _check_arrival(part_path(self._parts, done["key"], "scores"))
            self._is_shared = True
        media = tuple((media_id, status) for media_id, status in done["media"])
        part = Part(done["key"], done["number"], media)
        self._record.committed(part, BatchAccount(**done["account"]))
        self._state.commit(part)
        self._queue(self._state.release([Moved(**moved) for moved in done["moved"]]))


def _check_arrival(part: Location) -> None:
    """Find out at the first part whether what other machines write is seen here."""
    deadline = time.monotonic() + _ARRIVAL_SECONDS
    while not part.is_file():
        if time.monotonic() > deadline:
            raise ConfigError(
                "what a Dask worker has written does not arrive here",
                path=part,
                hint="Name an output that all machines share: a shared folder, or a store's URI.",
            )
        time.sleep(1.0)


def _chunked(rows: Iterable[ManifestRow]) -> Iterator[list[ManifestRow]]:
    """Yield files in handfuls; the first is small, so that the first scores come soon."""
    chunk: list[ManifestRow] = []
    size, most = 0, _FIRST_FILES
    for row in rows:
        chunk.append(row)
        size += row.size_bytes or 0
        if len(chunk) >= most or size >= _CHUNK_BYTES:
            yield chunk
            chunk, size, most = [], 0, _CHUNK_FILES
    if chunk:
        yield chunk
