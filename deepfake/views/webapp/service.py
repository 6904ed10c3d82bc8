"""Looking at uploads: several at once, in warm media workers that all visitors share."""

from __future__ import annotations

import os
import tempfile
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
from deepfake.corpora.manifest import ManifestRow
from deepfake.corpora.probe import probe_rows
from deepfake.detectors.bundles import DetectorSpec, load_bundle
from deepfake.errors import DeepfakeError
from deepfake.evidence import explain_media
from deepfake.evidence.selection import evidence_setup, request_of
from deepfake.registry.resolve import resolve_detector
from deepfake.scoring import ScorerSetup, score_probed, scorer_setup
from deepfake.storage import DataRoot
from deepfake.types import Status
from deepfake.views.report import Item
from deepfake.views.webapp.settings import AppSettings
from deepfake.views.webapp.uploads import Uploads

__all__ = ["Job", "Looked", "Service", "Stage"]

_MAX_DETECTORS = 2
"""Whose workers are kept warm: each worker takes some 500 MB."""
_SHOWN_FRAMES = 32
_MAX_WAITING = 50
_MAX_WAITING_BYTES = 2 * 2**30
"""Of uploads that are held until their turn comes."""


class Stage(StrEnum):
    """How far an upload is."""

    WAITING = "waiting"
    READING = "reading the file"
    SCORING = "looking at faces"
    EXPLAINING = "making the evidence"
    DONE = "done"


@dataclass(frozen=True)
class Looked:
    """What one detector made of an upload.

    Attributes:
        detector: Which, in words.
        spec: Its description.
        score: The row of the scores table; `uri` is the visitor's name of the file.
        item: The evidence; None without a score.
    """

    detector: str
    spec: DetectorSpec
    score: dict[str, Any]
    item: Item | None


@dataclass(eq=False)
class Job:
    """An upload on its way.

    Attributes:
        name: As the visitor named it.
        num_bytes: Its size.
        stage: How far it is.
        refusal: Why nothing came of it, a sentence; None where it did, or is on its way.
        found: What came of it, one a detector.
    """

    name: str
    num_bytes: int = 0
    stage: Stage = Stage.WAITING
    refusal: str | None = None
    found: list[Looked] = field(default_factory=list)
    future: Future[None] | None = None

    @property
    def is_done(self) -> bool:
        """Whether nothing more will come."""
        return self.future is not None and self.future.done()

    @property
    def is_given_up(self) -> bool:
        """Whether it was taken back before its turn came."""
        return self.future is not None and self.future.cancelled()


class _Warm:
    """The workers of one detector."""

    def __init__(self, weights: str, settings: AppSettings, cache: Path) -> None:
        identity, _ = resolve_detector(weights, data_root=settings.data_root)
        self.spec = load_bundle(identity.path).spec
        version = f" version {identity.version}" if identity.version else ""
        self.name = f"{identity.name}{version}"
        self.setup = ScorerSetup(
            identity,
            device=resolve_device(settings.device),
            limits=settings.media_limits,
            cache=cache,
        )
        own = scorer_setup(self.setup, limits=settings.worker_limits, num_workers=_num_workers())
        self.scoring = MediaWorkers(own)
        told = replace(own, num_workers=1)
        shown = evidence_setup(self.setup, told, max_frames=_SHOWN_FRAMES, max_crops=_SHOWN_FRAMES)
        self.explaining = MediaWorkers(shown)
        self.users = 0

    def close(self) -> None:
        self.scoring.close()
        self.explaining.close()

    @property
    def is_usable(self) -> bool:
        return self.scoring.is_usable and self.explaining.is_usable


def _num_workers() -> int:
    return max(1, min(4, len(os.sched_getaffinity(0))))


class Service:
    """Takes uploads and looks at them, as many at once as there are workers.

    Args:
        settings: How much it takes.
    """

    def __init__(self, settings: AppSettings) -> None:
        self.settings = settings
        self.uploads = Uploads()
        self._own_cache = tempfile.TemporaryDirectory(prefix="deepfake-engines-")
        self._threads = ThreadPoolExecutor(_num_workers(), thread_name_prefix="upload")
        self._warm: OrderedDict[str, _Warm] = OrderedDict()
        self._lock = threading.Lock()
        self._warm_lock = threading.Lock()
        self._starting: dict[str, threading.Lock] = {}
        self._waiting: list[Job] = []
        threading.Thread(target=self._end_with_main, name="page-end", daemon=True).start()

    def submit(self, content: bytes | memoryview, *, name: str, weights: Sequence[str]) -> Job:
        """Take an upload, and return at once.

        Args:
            content: Its bytes.
            name: As the visitor named it.
            weights: One or more detectors, as `resolve_detector` takes them.
        """
        job = Job(name, num_bytes=len(content))
        with self._lock:
            held = sum(waiting.num_bytes for waiting in self._waiting)
            if len(self._waiting) >= _MAX_WAITING or held > _MAX_WAITING_BYTES:
                job.refusal, job.future = "too many files are waiting: try again later", Future()
                job.future.set_result(None)
                return job
            self._waiting.append(job)
        job.future = self._threads.submit(self._run, job, bytes(content), tuple(weights))
        return job

    def give_up(self, job: Job) -> None:
        """Take an upload back whose turn has not come; one that is looked at goes on."""
        if job.future is not None and job.future.cancel():
            with self._lock:
                self._waiting.remove(job)

    def _end_with_main(self) -> None:
        # Python would look at all that waits before it ends.
        threading.main_thread().join()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def num_before(self, job: Job) -> int:
        """Return how many uploads have to begin before this one does."""
        with self._lock:
            return self._waiting.index(job) if job in self._waiting else 0

    def close(self) -> None:
        """Stop all workers and remove all uploads."""
        self._threads.shutdown(cancel_futures=True)
        with self._warm_lock:
            warm = list(self._warm.values())
            self._warm.clear()
        for each in warm:
            each.close()
        self.uploads.close()
        self._own_cache.cleanup()

    def _run(self, job: Job, content: bytes, weights: Sequence[str]) -> None:
        with self._lock:
            self._waiting.remove(job)
        try:
            if len(content) > self.settings.media_limits.max_bytes:
                job.refusal = f"larger than {self.settings.max_mb} MiB"
                return
            with self.uploads.kept(content, name=job.name) as path:
                for named in weights:
                    found = self._look(job, path, named)
                    if found is None:
                        return
                    job.found.append(found)
        except DeepfakeError as error:
            job.refusal = error.message if error.hint is None else f"{error.message}. {error.hint}"
        except Exception as error:  # a visitor gets a sentence, whatever happens
            job.refusal = f"something went wrong that nobody expected ({type(error).__name__})"
        finally:
            job.stage = Stage.DONE

    def _look(self, job: Job, path: Path, named: str) -> Looked | None:
        job.stage = Stage.READING
        warm = self._borrow(named)
        try:
            limits = warm.setup.limits
            (row,) = probe_rows(scan_media([path]), workers=warm.scoring, limits=limits)
            seconds = row.duration_seconds
            if seconds is not None and seconds > self.settings.max_seconds:
                job.refusal = (
                    f"the video is {seconds:.0f} s long, "
                    f"and at most {self.settings.max_seconds:g} s are taken here"
                )
                return None
            return self._scored(job, row, warm)
        finally:
            self._give_back(warm)

    def _scored(self, job: Job, row: ManifestRow, warm: _Warm) -> Looked:
        job.stage = Stage.SCORING
        (medium,) = score_probed([row], setup=warm.setup, workers=warm.scoring)
        item = None
        if medium.score["status"] == Status.OK:
            job.stage = Stage.EXPLAINING
            asked = request_of(medium.score, medium.frames)
            (made,) = explain_media([asked], workers=warm.explaining)
            item = Item(made.record, made.pictures)
        return Looked(warm.name, warm.spec, {**medium.score, "uri": job.name}, item)

    def starting(self, named: str) -> threading.Lock:
        """Return what is held while a detector's workers start; other detectors do not wait."""
        with self._warm_lock:
            return self._starting.setdefault(named, threading.Lock())

    def _borrow(self, named: str) -> _Warm:
        """Return the workers of a detector; those used longest ago make room."""
        with self.starting(named):
            with self._warm_lock:
                warm = self._warm.pop(named, None)
                if warm is not None and warm.is_usable:
                    self._warm[named] = warm
                    warm.users += 1
                    return warm
            if warm is not None:
                warm.close()
            made = _Warm(named, self.settings, self._cache())
            made.users = 1
            with self._warm_lock:
                idle = [key for key, other in self._warm.items() if not other.users]
                spare = idle[: max(0, len(self._warm) - _MAX_DETECTORS + 1)]
                closing = [self._warm.pop(key) for key in spare]
                self._warm[named] = made
            for other in closing:
                other.close()
            return made

    def _give_back(self, warm: _Warm) -> None:
        with self._warm_lock:
            warm.users -= 1

    def _cache(self) -> Path:
        """Return where converted networks are kept; a data root that is not there is not made."""
        root = DataRoot(self.settings.data_root)
        is_there = self.settings.data_root.is_dir()
        return root.engine_cache.resolve() if is_there else Path(self._own_cache.name)
