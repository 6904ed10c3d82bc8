"""Score a folder as the options of `deepfake score` say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from deepfake.config import SamplingConfig
from deepfake.config.options import ScoreOptions
from deepfake.config.options.fields import ScoredFrameOptions
from deepfake.corpora.layouts import MediaFilter
from deepfake.detectors.bundles import Bundle, load_bundle
from deepfake.detectors.identity import DetectorIdentity
from deepfake.errors import ConfigError
from deepfake.extract.options import choose_sampling
from deepfake.registry.resolve import (
    resolve_detector,
    resolve_sync_detector,
    resolve_voice_detector,
)
from deepfake.scoring.batch_runner import BatchRunner
from deepfake.scoring.output.folder import ScoresFolder, scores_version
from deepfake.scoring.output.path_checks import check_places
from deepfake.scoring.run.score_folder import FolderOptions, score_folder
from deepfake.scoring.run.unchanged import is_unchanged
from deepfake.scoring.score_job import ScoreJob, create_score_job
from deepfake.scoring.scorer_settings import all_reading_notes
from deepfake.storage import DataRoot, Location, engine_cache, location_of, to_uri
from deepfake.verdicts.file_rule import FileRule, load_file_rule

__all__ = [
    "FolderScoring",
    "choose_file_rule",
    "choose_sync_detector",
    "choose_voice_detector",
    "resolve_scoring",
]


@dataclass(frozen=True, slots=True)
class FolderScoring:
    """What was asked for, with the detector that was chosen.

    Attributes:
        folder: The media.
        output: The output folder.
        job: Which detector, and how it scores.
        bundle: The detector's bundle.
        options: Which files, and how they are gone through.
        data_root: The data root.
        chosen_by: How the detector was chosen, a phrase.
    """

    folder: Location
    output: ScoresFolder
    job: ScoreJob
    bundle: Bundle
    options: FolderOptions
    data_root: DataRoot
    chosen_by: str

    @property
    def detector(self) -> DetectorIdentity:
        """The detector."""
        return self.job.scorer.detector

    def is_unchanged(self) -> bool:
        """Return whether a run would find nothing to do: no file, no evidence, no second try."""
        if self.options.num_evidence or self.options.is_retrying_failed:
            return False
        return is_unchanged(
            self.folder,
            self.output,
            version=scores_version(self.job.scorer, bundle=self.bundle),
            media_filter=self.options.media_filter,
            limits=self.job.media_limits,
        )

    def run(self, batches: BatchRunner, *, run_id: str) -> dict[str, Any]:
        """Score the folder, and return the summary in JSON types.

        Args:
            batches: Where batches run.
            run_id: Names the run in the log.
        """
        voice, sync = self.job.scorer.voice, self.job.scorer.sync
        done = score_folder(
            self.folder,
            self.output,
            job=self.job,
            options=self.options,
            batches=batches,
            data_root=self.data_root,
            run_id=run_id,
        )
        return {
            **done.as_record(),
            "run_id": run_id,
            "output": str(self.output.path),
            "detector": {"path": to_uri(self.detector.path), **self.detector.as_record()},
            "voice_detector": None if voice is None else voice.as_record(),
            "sync_detector": None if sync is None else sync.as_record(),
            "detector_chosen_by": self.chosen_by,
            "notes": all_reading_notes(self.job.scorer, bundle=self.bundle),
        }


def resolve_scoring(options: ScoreOptions) -> FolderScoring:
    """Return what the options ask for.

    Raises:
        CorpusError: There is no such folder.
        ConfigError: An option contradicts another or this machine.
        ModelError: There is no such detector.
    """
    folder, output = location_of(options.folder), ScoresFolder(location_of(options.output))
    check_places(folder, output.path)
    root = DataRoot(location_of(options.data_root))
    detector, chosen_by = resolve_detector(options.weights, data_root=root.path)
    bundle = load_bundle(detector.path)
    voice = choose_voice_detector(options, data_root=root.path)
    sync = choose_sync_detector(options, data_root=root.path)
    return FolderScoring(
        folder=folder,
        output=output,
        job=_score_job(detector, voice, sync, bundle.spec.sampling, options=options),
        bundle=bundle,
        options=_folder_options(options),
        data_root=root,
        chosen_by=chosen_by,
    )


def choose_voice_detector(
    options: ScoredFrameOptions, *, data_root: Location
) -> DetectorIdentity | None:
    """Return the detector of voices that options ask for; None where voices are left out.

    Raises:
        ConfigError: One is named and voices are to be left out.
        ModelError: There is none of that name.
    """
    if not options.voice:
        if options.voice_weights is not None:
            raise ConfigError("--voice-weights names a detector and --no-voice leaves voices out")
        return None
    found = resolve_voice_detector(options.voice_weights, data_root=data_root)
    return None if found is None else found[0]


def choose_sync_detector(
    options: ScoredFrameOptions, *, data_root: Location
) -> DetectorIdentity | None:
    """Return the detector of lips and sound that options ask for; None where they are left out.

    Raises:
        ConfigError: One is named and lips are to be left out.
        ModelError: There is none of that name.
    """
    if not options.sync:
        if options.sync_weights is not None:
            raise ConfigError("--sync-weights names a detector and --no-sync leaves lips out")
        return None
    found = resolve_sync_detector(options.sync_weights, data_root=data_root)
    return None if found is None else found[0]


def choose_file_rule(options: ScoredFrameOptions) -> FileRule | None:
    """Return the rule that options name; None for the rule of this package.

    Raises:
        ConfigError: There is no such file, or it is no rule.
    """
    return None if options.file_rule is None else load_file_rule(options.file_rule)


def _score_job(
    detector: DetectorIdentity,
    voice: DetectorIdentity | None,
    sync: DetectorIdentity | None,
    trained_with: SamplingConfig,
    *,
    options: ScoreOptions,
) -> ScoreJob:
    sampling = choose_sampling(
        trained_with, strategy=options.sampling, frames=options.frames, fps=options.fps
    )
    return create_score_job(
        detector,
        voice=voice,
        sync=sync,
        file_rule=choose_file_rule(options),
        device=options.device,
        precision=options.precision,
        sampling=sampling,
        prior=options.prior,
        # The machines of a cluster need not have this one's folders.
        cache=None if options.dask_address else engine_cache(),
        media_limits=options.media_limits,
        worker_limits=options.worker_limits,
        num_workers=options.num_workers,
    )


def _folder_options(options: ScoreOptions) -> FolderOptions:
    include, exclude = tuple(options.include or ()), tuple(options.exclude or ())
    return FolderOptions(
        media_filter=MediaFilter(include, exclude, options.since),
        hashing=options.hashing,
        limit=options.limit,
        batch_files=options.batch_files,
        is_waiting_for_files=options.wait_for_files,
        is_retrying_failed=options.retry_failed,
        num_evidence=options.evidence,
        drift_limit=options.drift_limit,
        is_on_cluster=options.dask_address is not None,
    )
