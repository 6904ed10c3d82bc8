"""Hash and probe the files of a corpus, a batch at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prefect.task_runners import TaskRunner

from deepfake.corpora.ingest import AnyExtractJob
from deepfake.corpora.manifest import record_of_row, row_of_record
from deepfake.corpora.manifest_row import ManifestRow
from deepfake.corpora.probe import reuse_probes
from flows.runners import run_batches
from tasks.probe import probe
from tasks.progress import show_step
from tasks.settings import pack_records, unpack_records

__all__ = ["probe_files"]

_BATCH_FILES = 500


def probe_files(
    rows: Sequence[ManifestRow],
    *,
    before: Sequence[ManifestRow],
    job: AnyExtractJob,
    runner: TaskRunner[Any],
) -> tuple[list[ManifestRow], int]:
    """Hash and probe the files that an earlier manifest does not describe.

    Args:
        rows: As listed now.
        before: Rows of the earlier manifest.
        job: What the media workers are started with.
        runner: Where batches run.

    Returns:
        All rows with what was found, sorted by uri, and how many were probed now.
    """
    known, unknown = reuse_probes(rows, before=before)
    seen = {row.uri for row in before}
    calls = [
        {
            "rows": pack_records([record_of_row(row) for row in unknown[i : i + _BATCH_FILES]]),
            "job": job,
            "hashing": "full",
        }
        for i in range(0, len(unknown), _BATCH_FILES)
    ]
    with show_step("probe", total=len(unknown)):
        # A run that was killed while it probed finds what it had probed. A file that the last
        # manifest names and could not describe is looked at again.
        results = run_batches(
            probe,
            calls,
            runner=runner,
            is_refreshed=lambda call: any(r["uri"] in seen for r in unpack_records(call["rows"])),
            count=lambda call: len(unpack_records(call["rows"])),
        )
    probed = [row_of_record(record) for batch in results for record in unpack_records(batch)]
    return sorted([*known, *probed], key=lambda row: row.uri), len(unknown)
