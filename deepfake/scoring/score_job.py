"""What workers that score are started with, on this machine or another."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from deepfake.compute.devices import check_precision, resolve_device
from deepfake.compute.workers import WorkerSetup
from deepfake.config import MediaLimits, Precision, SamplingConfig, WorkerLimits
from deepfake.detectors.identity import DetectorIdentity
from deepfake.scoring.scorer_settings import ScorerSetup, scorer_setup
from deepfake.storage import (
    Location,
    StorePath,
    copy_folder_locally,
    engine_cache,
    location_of,
    to_uri,
)
from deepfake.verdicts.file_rule import FileRule

__all__ = ["ScoreJob", "create_score_job", "share_detector"]


class ScoreJob(BaseModel):
    """What workers that score are started with, on any machine; it can be kept as JSON.

    Attributes:
        kind: Tells the kinds of jobs apart in JSON.
        scorer: Which detector, and how it scores.
        worker_limits: What one file may cost.
        num_workers: Processes; 0 for one a core.
        shared_detector: URI of a copy of the detector in a store, for machines that do not have
            this one's folders; None where they do.
        shared_voice: The same of the detector of voices.
        shared_sync: The same of the detector of lips and sound.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["score"] = "score"
    scorer: ScorerSetup
    worker_limits: WorkerLimits = WorkerLimits()
    num_workers: int = 0
    shared_detector: str | None = None
    shared_voice: str | None = None
    shared_sync: str | None = None

    @property
    def media_limits(self) -> MediaLimits:
        """How large a medium may be."""
        return self.scorer.limits

    def on_this_machine(self) -> ScoreJob:
        """Return the job with the detectors and the cache folder of this machine."""
        scorer = self.scorer
        detector, voice, sync = scorer.detector, scorer.voice, scorer.sync
        if self.shared_detector is not None:
            detector = replace(detector, path=_local_folder(self.shared_detector))
        if voice is not None and self.shared_voice is not None:
            voice = replace(voice, path=_local_folder(self.shared_voice))
        if sync is not None and self.shared_sync is not None:
            sync = replace(sync, path=_local_folder(self.shared_sync))
        cache = scorer.cache or engine_cache()
        scorer = replace(scorer, detector=detector, voice=voice, sync=sync, cache=cache)
        return self.model_copy(update={"scorer": scorer})

    def worker_setup(self) -> WorkerSetup:
        """Return the set-up of the worker processes."""
        return scorer_setup(self.scorer, limits=self.worker_limits, num_workers=self.num_workers)


def _local_folder(uri: str) -> Path:
    folder = location_of(uri)
    return copy_folder_locally(folder) if isinstance(folder, StorePath) else folder


def create_score_job(
    detector: DetectorIdentity,
    *,
    voice: DetectorIdentity | None = None,
    sync: DetectorIdentity | None = None,
    file_rule: FileRule | None = None,
    device: str = "auto",
    precision: Precision = "f32",
    sampling: SamplingConfig | None = None,
    prior: float | None = None,
    cache: Path | None = None,
    media_limits: MediaLimits | None = None,
    worker_limits: WorkerLimits | None = None,
    num_workers: int = 0,
) -> ScoreJob:
    """Return a job for which it is settled on which device networks run.

    Args:
        detector: Which detector.
        voice: Which detector judges voices; None leaves them out.
        sync: Which detector compares lips with sound; None leaves that out.
        file_rule: How the answers on a file are joined; None for the rule of the package.
        device: Where its network runs. All machines of a cluster compute alike: `auto` means what
            is found here.
        precision: What it computes in on the CPU.
        sampling: Which frames of a video are scored; None for what the bundle says.
        prior: Share of fakes that `prob_fake` shall hold for; None for the bundle's own.
        cache: Where networks converted for the CPU are kept; None for each machine's own cache.
        media_limits: How large a medium may be.
        worker_limits: What one file may cost.
        num_workers: Processes; 0 for one a core.

    Raises:
        ConfigError: The device or the precision is not to be had here.
    """
    device = resolve_device() if device == "auto" else device
    check_precision(precision, device=device)
    scorer = ScorerSetup(
        _absolute(detector),
        device=device,
        precision=precision,
        sampling=sampling,
        prior=prior,
        limits=media_limits or MediaLimits(),
        cache=None if cache is None else cache.resolve(),
        voice=None if voice is None else _absolute(voice),
        sync=None if sync is None else _absolute(sync),
        file_rule=file_rule,
    )
    return ScoreJob(
        scorer=scorer, worker_limits=worker_limits or WorkerLimits(), num_workers=num_workers
    )


def _absolute(detector: DetectorIdentity) -> DetectorIdentity:
    return replace(detector, path=Path(to_uri(detector.path)))


def share_detector(job: ScoreJob, folder: Location) -> ScoreJob:
    """Return the job for machines that share nothing with this one but a store.

    Args:
        job: Of this machine.
        folder: Where the scores go. In a store the detectors are copied there; in a folder that all
            machines see nothing is.
    """
    if not isinstance(folder, StorePath):
        return job
    shared = {"shared_detector": _put(job.scorer.detector.path, folder / "detector")}
    if job.scorer.voice is not None:
        shared["shared_voice"] = _put(job.scorer.voice.path, folder / "voice-detector")
    if job.scorer.sync is not None:
        shared["shared_sync"] = _put(job.scorer.sync.path, folder / "sync-detector")
    return job.model_copy(update=shared)


def _put(bundle: Path, target: StorePath) -> str:
    """Copy the files of a bundle that are not in a store yet, and return the folder's URI."""
    sizes = {path.name: found.size_bytes for path, found in target.iter_objects()}
    for file in sorted(bundle.iterdir()):
        if sizes.get(file.name) != file.stat().st_size:
            (target / file.name).put(file)
    return str(target)
