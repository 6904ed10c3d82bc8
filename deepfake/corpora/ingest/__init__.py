"""Ingest a labelled corpus: from its files to a snapshot of faces, speech or lips.

The steps, in the order in which they run; each leaves its result on disk:

    layouts.scan_corpus       list the files, with the labels that the corpus gives them
    probe.probe_rows          hash each file and read its header
    finish_manifest           assign groups and splits, write the manifest
    plan_extraction           divide the media into batches, find those that are done
    extract_batch             decode, find faces, speech or mouths, cut; write one shard a batch
    build_snapshot            write the index over all shards, name it the latest
"""

from deepfake.corpora.ingest.another_corpus import reject_another_corpus
from deepfake.corpora.ingest.extract import (
    BatchResult,
    extract_batch,
    mouth_worker_setup,
    speech_worker_setup,
    worker_setup,
)
from deepfake.corpora.ingest.extract_job import (
    AnyExtractJob,
    ExtractJob,
    SpeechExtractJob,
    SyncExtractJob,
)
from deepfake.corpora.ingest.finish_manifest import finish_manifest, read_previous_rows
from deepfake.corpora.ingest.plan import (
    IngestPlan,
    extract_digest,
    extract_digest_of,
    plan_extraction,
)
from deepfake.corpora.ingest.snapshot import build_snapshot, snapshot_digest

__all__ = [
    "AnyExtractJob",
    "BatchResult",
    "ExtractJob",
    "IngestPlan",
    "SpeechExtractJob",
    "SyncExtractJob",
    "build_snapshot",
    "extract_batch",
    "extract_digest",
    "extract_digest_of",
    "finish_manifest",
    "mouth_worker_setup",
    "plan_extraction",
    "read_previous_rows",
    "reject_another_corpus",
    "snapshot_digest",
    "speech_worker_setup",
    "worker_setup",
]
