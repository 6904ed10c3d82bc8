"""The queue of uploads: several are scored at once, by media workers that all visitors share."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from deepfake.compute.devices import resolve_device
from deepfake.compute.workers import MediaWorkers
from deepfake.corpora.layouts import scan_media
from deepfake.corpora.manifest_row import ManifestRow
from deepfake.corpora.probe import probe_rows
from deepfake.detectors.bundles import DetectorSpec, load_bundle
from deepfake.detectors.identity import DetectorIdentity
from deepfake.errors import DeepfakeError
from deepfake.evidence import Evidence, create_request, evidence_setup, explain_media, has_score
from deepfake.registry.resolve import (
    resolve_detector,
    resolve_sync_detector,
    resolve_voice_detector,
)
from deepfake.scoring import ScoredMedium, ScorerSetup, score_probed, scorer_setup
from deepfake.storage import engine_cache
from deepfake.types import Kind
from deepfake.views.webapp.settings import AppSettings
from deepfake.views.webapp.upload_folder import UploadFolder
from deepfake.views.webapp.voice_clip import clip_request, cut_voice_clip

__all__ = ["QueuedUpload", "Stage", "UploadQueue", "UploadResult"]

_MAX_DETECTORS = 2
"""Detectors whose workers are kept running: each worker takes some 500 MB."""
_SHOWN_FRAMES = 32
_MAX_WAITING = 50
_MAX_WAITING_BYTES = 2 * 2**30
"""Size of all uploads that wait."""


class Stage(StrEnum):
    """The step that an upload has reached; the values are shown to the visitor."""

    WAITING = "waiting"
    READING = "reading the file"
    SCORING = "looking at faces, listening to voices"
    EXPLAINING = "making the evidence"
    DONE = "done"


@dataclass(frozen=True)
class UploadResult:
    """The score of an upload by one detector.

    Attributes:
        detector: Name and version of the detector.
        spec: Its description.
        score: The row of the scores table; `uri` is the visitor's name of the file.
        evidence: The evidence; None without a score.
        voice_detector: Name and version of the detector of voices; None where there is none.
        voice_notes: What a reader of its verdicts must know, a sentence each.
        voice_clip: WAV of the window of speech that looks most like a fake; None without one.
        sync_detector: Name and version of the detector of lips and sound; None where there is none.
        sync_notes: What a reader of its verdicts must know, a sentence each.
    """

    detector: str
    spec: DetectorSpec
    score: dict[str, Any]
    evidence: Evidence | None
    voice_detector: str | None = None
    voice_notes: tuple[str, ...] = ()
    voice_clip: bytes | None = None
    sync_detector: str | None = None
    sync_notes: tuple[str, ...] = ()


@dataclass(eq=False)
class QueuedUpload:
    """An upload in the queue.

    Attributes:
        name: File name, as the visitor sent it.
        num_bytes: Size of the file.
        stage: The step that it has reached.
        error: Why there is no result, as a sentence; None if there is one, or will be.
        results: One for each detector.
    """

    name: str
    num_bytes: int = 0
    stage: Stage = Stage.WAITING
    error: str | None = None
    results: list[UploadResult] = field(default_factory=list)
    future: Future[None] | None = None

    @property
    def is_done(self) -> bool:
        """Whether no more results will come."""
        return self.future is not None and self.future.done()

    @property
    def is_cancelled(self) -> bool:
        """Whether it was cancelled while it waited."""
        return self.future is not None and self.future.cancelled()


class _DetectorWorkers:
    """The running workers of one detector."""

    def __init__(self, weights: str, settings: AppSettings, cache: Path) -> None:
        identity, _ = resolve_detector(weights, data_root=settings.data_root)
        self.spec = load_bundle(identity.path).spec
        self.name = identity.full_name
        voice = _find_voice_detector(settings)
        sync = _find_sync_detector(settings)
        self.sync_name = None if sync is None else sync.full_name
        self.voice_name = None if voice is None else voice.full_name
        self.setup = ScorerSetup(
            identity,
            device=resolve_device(settings.device),
            limits=settings.media_limits,
            cache=cache,
            voice=voice,
            sync=sync,
        )
        bundle = self.setup.voice_bundle
        self.voice_notes = () if bundle is None else tuple(bundle.spec.reading_notes)
        lips = self.setup.sync_bundle
        self.sync_notes = () if lips is None else tuple(lips.spec.reading_notes)
        workers = scorer_setup(
            self.setup, limits=settings.worker_limits, num_workers=_num_workers()
        )
        explainer = evidence_setup(
            identity.path,
            media_limits=settings.media_limits,
            worker_limits=settings.worker_limits,
            num_workers=1,
            max_frames=_SHOWN_FRAMES,
            max_crops=_SHOWN_FRAMES,
            voice=None if voice is None else voice.path,
            sync=None if sync is None else sync.path,
        )
        self.scoring = MediaWorkers(workers)
        self.explaining = MediaWorkers(explainer)
        self.num_users = 0

    def close(self) -> None:
        self.scoring.close()
        self.explaining.close()

    @property
    def is_usable(self) -> bool:
        return self.scoring.is_usable and self.explaining.is_usable


def _find_voice_detector(settings: AppSettings) -> DetectorIdentity | None:
    """Return the registry's champion for voices, else the packaged detector; None without either.

    Faces are judged also where the registry does not answer.
    """
    try:
        found = resolve_voice_detector(data_root=settings.data_root)
    except DeepfakeError:
        return None
    return None if found is None else found[0]


def _find_sync_detector(settings: AppSettings) -> DetectorIdentity | None:
    """Return the detector of lips and sound, found as that of voices is."""
    try:
        found = resolve_sync_detector(data_root=settings.data_root)
    except DeepfakeError:
        return None
    return None if found is None else found[0]


def _cut_clip(medium: ScoredMedium, workers: _DetectorWorkers) -> bytes | None:
    """Return the strongest window of speech as WAV; None without one, or where a worker failed."""
    request = clip_request(medium.score.as_row(), limits=workers.setup.limits)
    if request is None:
        return None
    (clip,) = workers.explaining.map(cut_voice_clip, [request])
    return clip if isinstance(clip, bytes) else None


def _num_workers() -> int:
    return max(1, min(4, len(os.sched_getaffinity(0))))


class UploadQueue:
    """Takes uploads and scores them, as many at once as there are workers.

    Args:
        settings: Limits, data root and device.
    """

    def __init__(self, settings: AppSettings) -> None:
        self.settings = settings
        self.uploads = UploadFolder()
        self._threads = ThreadPoolExecutor(_num_workers(), thread_name_prefix="upload")
        self._waiting: list[QueuedUpload] = []
        self._waiting_lock = threading.Lock()
        self._workers: OrderedDict[str, _DetectorWorkers] = OrderedDict()
        self._workers_lock = threading.Lock()
        self._start_locks: dict[str, threading.Lock] = {}
        threading.Thread(target=self._end_with_main, name="page-end", daemon=True).start()

    def submit(
        self, content: bytes | memoryview, *, name: str, weights: Sequence[str]
    ) -> QueuedUpload:
        """Add an upload to the queue, and return at once.

        Args:
            content: Bytes of the file.
            name: File name, as the visitor sent it.
            weights: One or more detectors, as `resolve_detector` takes them.
        """
        job = QueuedUpload(name, num_bytes=len(content))
        with self._waiting_lock:
            waiting_bytes = sum(waiting.num_bytes for waiting in self._waiting)
            if len(self._waiting) >= _MAX_WAITING or waiting_bytes > _MAX_WAITING_BYTES:
                job.error, job.future = "too many files are waiting: try again later", Future()
                job.future.set_result(None)
                return job
            self._waiting.append(job)
        job.future = self._threads.submit(self._run, job, bytes(content), tuple(weights))
        return job

    def cancel(self, job: QueuedUpload) -> None:
        """Remove an upload that still waits; one that is being scored is finished."""
        if job.future is not None and job.future.cancel():
            with self._waiting_lock:
                self._waiting.remove(job)

    def _end_with_main(self) -> None:
        # Without this, Python would score all that waits before it exits.
        threading.main_thread().join()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def num_before(self, job: QueuedUpload) -> int:
        """Return how many uploads are before this one in the queue."""
        with self._waiting_lock:
            return self._waiting.index(job) if job in self._waiting else 0

    def close(self) -> None:
        """Stop all workers and delete all uploads."""
        self._threads.shutdown(cancel_futures=True)
        with self._workers_lock:
            running = list(self._workers.values())
            self._workers.clear()
        for workers in running:
            workers.close()
        self.uploads.close()

    def _run(self, job: QueuedUpload, content: bytes, weights: Sequence[str]) -> None:
        with self._waiting_lock:
            self._waiting.remove(job)
        try:
            if len(content) > self.settings.media_limits.max_bytes:
                job.error = f"larger than {self.settings.max_mb} MiB"
                return
            with self.uploads.saved(content, name=job.name) as path:
                for detector in weights:
                    result = self._score_file(job, path, detector)
                    if result is None:
                        return
                    job.results.append(result)
        except DeepfakeError as error:
            job.error = error.message if error.hint is None else f"{error.message}. {error.hint}"
        except Exception as error:  # a visitor gets a sentence, whatever happens
            job.error = f"an unexpected error occurred ({type(error).__name__})"
        finally:
            job.stage = Stage.DONE

    def _score_file(self, job: QueuedUpload, path: Path, detector: str) -> UploadResult | None:
        job.stage = Stage.READING
        workers = self._acquire(detector)
        try:
            limits = workers.setup.limits
            (row,) = probe_rows(scan_media([path]), workers=workers.scoring, limits=limits)
            seconds = row.duration_seconds
            if seconds is not None and seconds > self.settings.max_seconds:
                what = "recording" if row.kind is Kind.AUDIO else "video"
                job.error = (
                    f"the {what} is {seconds:.0f} s long, "
                    f"and at most {self.settings.max_seconds:g} s are accepted here"
                )
                return None
            return self._score_probed(job, row, workers)
        finally:
            self._release(workers)

    def _score_probed(
        self, job: QueuedUpload, row: ManifestRow, workers: _DetectorWorkers
    ) -> UploadResult:
        job.stage = Stage.SCORING
        (medium,) = score_probed([row], setup=workers.setup, workers=workers.scoring)
        evidence, clip, scored = None, None, medium.score.as_row()
        if has_score(scored):
            job.stage = Stage.EXPLAINING
            request = create_request(scored, medium.frames, medium.windows, medium.blocks)
            (evidence,) = explain_media([request], workers=workers.explaining)
            clip = _cut_clip(medium, workers)
        return UploadResult(
            workers.name,
            workers.spec,
            replace(medium.score, uri=job.name).as_row(),
            evidence,
            voice_detector=workers.voice_name,
            voice_notes=workers.voice_notes,
            voice_clip=clip,
            sync_detector=workers.sync_name,
            sync_notes=workers.sync_notes,
        )

    def start_lock(self, detector: str) -> threading.Lock:
        """Return the lock held while a detector's workers start; other detectors do not wait."""
        with self._workers_lock:
            return self._start_locks.setdefault(detector, threading.Lock())

    def _acquire(self, detector: str) -> _DetectorWorkers:
        """Return the workers of a detector, started if needed; least recently used ones close."""
        with self.start_lock(detector):
            with self._workers_lock:
                workers = self._workers.pop(detector, None)
                if workers is not None and workers.is_usable:
                    self._workers[detector] = workers
                    workers.num_users += 1
                    return workers
            if workers is not None:
                workers.close()
            started = _DetectorWorkers(detector, self.settings, engine_cache())
            started.num_users = 1
            with self._workers_lock:
                idle = [key for key, other in self._workers.items() if not other.num_users]
                surplus = idle[: max(0, len(self._workers) - _MAX_DETECTORS + 1)]
                closing = [self._workers.pop(key) for key in surplus]
                self._workers[detector] = started
            for other in closing:
                other.close()
            return started

    def _release(self, workers: _DetectorWorkers) -> None:
        with self._workers_lock:
            workers.num_users -= 1
