"""What workers that extract faces, speech or mouths are started with."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict

from deepfake.compute.workers import WorkerSetup
from deepfake.config import MediaLimits, SpeechExtractConfig, WorkerLimits
from deepfake.corpora.ingest.extract import mouth_worker_setup, speech_worker_setup, worker_setup
from deepfake.extract.extractor import ExtractorSetup
from deepfake.extract.lips import MouthExtractorSetup
from deepfake.storage import engine_cache

__all__ = ["AnyExtractJob", "ExtractJob", "SpeechExtractJob", "SyncExtractJob"]


class ExtractJob(BaseModel):
    """What workers that extract faces are started with, on any machine; it can be kept as JSON.

    Attributes:
        kind: Tells the kinds of jobs apart in JSON.
        extractor: How faces are found and cut out.
        worker_limits: What one file may cost.
        num_workers: Processes; 0 for one a core.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["extract"] = "extract"
    extractor: ExtractorSetup
    worker_limits: WorkerLimits = WorkerLimits()
    num_workers: int = 0

    @property
    def media_limits(self) -> MediaLimits:
        """How large a medium may be."""
        return self.extractor.config.limits

    def on_this_machine(self) -> ExtractJob:
        """Return the job with a cache folder of this machine, where none is named."""
        cache = self.extractor.cache or engine_cache()
        return self.model_copy(update={"extractor": replace(self.extractor, cache=cache)})

    def worker_setup(self) -> WorkerSetup:
        """Return the set-up of the worker processes."""
        extractor = self.extractor
        return worker_setup(
            extractor.config,
            decoder=extractor.decoder,
            device=extractor.device,
            cache=extractor.cache,
            limits=self.worker_limits,
            num_workers=self.num_workers,
        )


class SpeechExtractJob(BaseModel):
    """What workers that extract speech are started with, on any machine; it can be kept as JSON.

    Attributes:
        kind: Tells the kinds of jobs apart in JSON.
        config: How speech is found and cut.
        worker_limits: What one file may cost.
        num_workers: Processes; 0 for one a core.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["extract_speech"] = "extract_speech"
    config: SpeechExtractConfig
    worker_limits: WorkerLimits = WorkerLimits()
    num_workers: int = 0

    @property
    def media_limits(self) -> MediaLimits:
        """How large a medium may be."""
        return self.config.limits

    def on_this_machine(self) -> SpeechExtractJob:
        """Return the job itself: it names no folder."""
        return self

    def worker_setup(self) -> WorkerSetup:
        """Return the set-up of the worker processes."""
        return speech_worker_setup(
            self.config, limits=self.worker_limits, num_workers=self.num_workers
        )


class SyncExtractJob(BaseModel):
    """What workers that extract mouths are started with, on any machine; it can be kept as JSON.

    Attributes:
        kind: Tells the kinds of jobs apart in JSON.
        extractor: How mouths are found and cut out.
        worker_limits: What one file may cost.
        num_workers: Processes; 0 for one a core.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["extract_sync"] = "extract_sync"
    extractor: MouthExtractorSetup
    worker_limits: WorkerLimits = WorkerLimits()
    num_workers: int = 0

    @property
    def media_limits(self) -> MediaLimits:
        """How large a medium may be."""
        return self.extractor.config.limits

    def on_this_machine(self) -> SyncExtractJob:
        """Return the job with a cache folder of this machine, where none is named."""
        cache = self.extractor.cache or engine_cache()
        return self.model_copy(update={"extractor": replace(self.extractor, cache=cache)})

    def worker_setup(self) -> WorkerSetup:
        """Return the set-up of the worker processes."""
        extractor = self.extractor
        return mouth_worker_setup(
            extractor.config,
            device=extractor.device,
            cache=extractor.cache,
            limits=self.worker_limits,
            num_workers=self.num_workers,
        )


AnyExtractJob: TypeAlias = ExtractJob | SpeechExtractJob | SyncExtractJob
