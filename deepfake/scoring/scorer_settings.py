"""Set up the workers that score, without importing what they score with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepfake.compute.devices import describe_computation, resolve_device
from deepfake.compute.workers import WorkerSetup, connect_device
from deepfake.config import (
    DecoderName,
    ExtractConfig,
    MediaLimits,
    Precision,
    SamplingConfig,
    SpeechExtractConfig,
    SyncExtractConfig,
    WorkerLimits,
    digest_of,
)
from deepfake.detectors.bundles import Bundle
from deepfake.detectors.identity import DetectorIdentity
from deepfake.detectors.inference.remote_detector import device_setup
from deepfake.detectors.sync_bundle import SyncBundle, load_sync_bundle
from deepfake.detectors.voice_bundle import VoiceBundle, load_voice_bundle
from deepfake.extract.extracted_medium import (
    SPEECH_STEP_VERSION,
    STEP_VERSION,
    SYNC_STEP_VERSION,
    ExtractRequest,
)
from deepfake.scoring.score_rows import ScoreOrigin
from deepfake.types import Score
from deepfake.verdicts.file_rule import FileRule

if TYPE_CHECKING:
    from deepfake.scoring.scorer import Scorer

__all__ = [
    "ScoredMedium",
    "ScorerSetup",
    "all_reading_notes",
    "create_scorer",
    "extract_config_of_bundle",
    "mouth_config_of_bundle",
    "score_medium",
    "score_origin",
    "scorer_setup",
    "scoring_digest",
    "speech_config_of_bundle",
]


@dataclass(frozen=True, slots=True)
class ScorerSetup:
    """Which detector a worker loads, and how it scores.

    Attributes:
        detector: Which detector.
        device: Where its network runs.
        precision: What it computes in on the CPU.
        sampling: Which frames of a video are looked at; None for what the bundle says.
        decoder: Which decoder reads videos; strangers' files are read by PyAV.
        prior: Share of fakes that `prob_fake` shall hold for; None for the bundle's own.
        limits: How large a medium may be.
        cache: Where networks converted for the CPU are kept; None converts in each worker.
        voice: Which detector judges voices; None leaves them out.
        sync: Which detector compares lips with sound; None leaves that out.
        file_rule: How the answers on a file are joined; None for the rule of this package.
    """

    detector: DetectorIdentity
    device: str = "cpu"
    precision: Precision = "f32"
    sampling: SamplingConfig | None = None
    decoder: DecoderName = "pyav"
    prior: float | None = None
    limits: MediaLimits = MediaLimits()  # noqa: RUF009 - frozen
    cache: Path | None = None
    voice: DetectorIdentity | None = None
    sync: DetectorIdentity | None = None
    file_rule: FileRule | None = None

    @property
    def voice_bundle(self) -> VoiceBundle | None:
        """The bundle of the voice's detector; None without one."""
        return None if self.voice is None else load_voice_bundle(self.voice.path)

    @property
    def sync_bundle(self) -> SyncBundle | None:
        """The bundle of the detector of lips and sound; None without one."""
        return None if self.sync is None else load_sync_bundle(self.sync.path)


@dataclass(frozen=True, slots=True)
class ScoredMedium:
    """The score of one file, with a row for each track and each face.

    Attributes:
        score: The score of the file, or why it has none.
        tracks: Columns of `TRACKS_SCHEMA`.
        frames: Columns of `FRAMES_SCHEMA`.
        windows: Columns of `WINDOWS_SCHEMA`.
        blocks: Columns of `BLOCKS_SCHEMA`.
        classify_seconds: Wall time of everything after the crops were there.
    """

    score: Score
    tracks: tuple[dict[str, Any], ...] = ()
    frames: tuple[dict[str, Any], ...] = ()
    windows: tuple[dict[str, Any], ...] = ()
    blocks: tuple[dict[str, Any], ...] = ()
    classify_seconds: float = 0.0


def extract_config_of_bundle(
    bundle: Bundle, *, sampling: SamplingConfig | None = None, limits: MediaLimits | None = None
) -> ExtractConfig:
    """Return the settings that a bundle's input is made with.

    Args:
        bundle: The detector.
        sampling: Instead of the bundle's own.
        limits: How large a medium may be.
    """
    spec = bundle.spec
    return ExtractConfig(
        sampling=sampling or spec.sampling,
        faces=spec.faces,
        crop=spec.crop,
        limits=limits or MediaLimits(),
    )


def scoring_digest(setup: ScorerSetup, *, bundle: Bundle) -> str:
    """Return the digest of all settings that can change a score of this bundle.

    Args:
        setup: How it scores; the digest of `auto` is that of the device that it means here.
        bundle: The detector that it names.
    """
    # A device that is named need not be here: on a cluster others do the work.
    device = resolve_device() if setup.device == "auto" else setup.device
    return digest_of(
        "score",
        STEP_VERSION,
        extract_config_of_bundle(bundle, sampling=setup.sampling).crop_settings,
        bundle.spec.aggregation,
        str(setup.prior),
        describe_computation(device, precision=setup.precision),
        # Nothing is added without one, so that scores of faces alone keep their digest.
        *_voice_settings(setup.voice_bundle),
        *_sync_settings(setup.sync_bundle),
        *([] if setup.file_rule is None else [setup.file_rule]),
    )


def _voice_settings(bundle: VoiceBundle | None) -> tuple[Any, ...]:
    if bundle is None:
        return ()
    settings = speech_config_of_bundle(bundle).window_settings
    return ("voice", bundle.digest, SPEECH_STEP_VERSION, settings)


def _sync_settings(bundle: SyncBundle | None) -> tuple[Any, ...]:
    if bundle is None:
        return ()
    settings = mouth_config_of_bundle(bundle).run_settings
    return ("sync", bundle.digest, SYNC_STEP_VERSION, settings)


def mouth_config_of_bundle(
    bundle: SyncBundle, *, limits: MediaLimits | None = None
) -> SyncExtractConfig:
    """Return the settings that the input of a detector of lips and sound is made with.

    Args:
        bundle: The detector.
        limits: How large a medium may be.
    """
    spec = bundle.spec
    return SyncExtractConfig(mouths=spec.mouths, speech=spec.speech, limits=limits or MediaLimits())


def speech_config_of_bundle(
    bundle: VoiceBundle, *, limits: MediaLimits | None = None
) -> SpeechExtractConfig:
    """Return the settings that the input of a voice's detector is made with.

    Args:
        bundle: The detector.
        limits: How large a medium may be.
    """
    return SpeechExtractConfig(speech=bundle.spec.speech, limits=limits or MediaLimits())


def all_reading_notes(setup: ScorerSetup, *, bundle: Bundle) -> list[str]:
    """Return what a reader of the verdicts must know, on each kind of answer, a sentence each.

    Args:
        setup: Which detectors.
        bundle: The detector of faces.
    """
    voice, sync = setup.voice_bundle, setup.sync_bundle
    return [
        *bundle.spec.reading_notes,
        *([] if voice is None else [f"Of voices: {note}" for note in voice.spec.reading_notes]),
        *([] if sync is None else [f"Of lips: {note}" for note in sync.spec.reading_notes]),
    ]


def create_scorer(setup: ScorerSetup) -> Scorer:
    """Set up a worker: one thread for each library, networks loaded once."""
    # Only workers import decoders and networks.
    from deepfake.media import limit_threads
    from deepfake.scoring.scorer import Scorer

    limit_threads()
    return Scorer(setup, client=connect_device())


def score_medium(scorer: Scorer, request: ExtractRequest) -> ScoredMedium:
    """Score one file in a worker."""
    return scorer.score(request)


def scorer_setup(
    setup: ScorerSetup, *, limits: WorkerLimits | None = None, num_workers: int = 0
) -> WorkerSetup:
    """Return the set-up of workers that score."""
    device = device_setup(setup.device, bundle=setup.detector.path)
    return WorkerSetup(create_scorer, setup, limits or WorkerLimits(), num_workers, device)


def score_origin(setup: ScorerSetup, *, bundle: Bundle) -> ScoreOrigin:
    """Return what all scores of a run have in common.

    Args:
        setup: Which detector, and how.
        bundle: The detector that it names.
    """
    return ScoreOrigin(
        model_name=setup.detector.name,
        model_version=setup.detector.version,
        model_digest=bundle.digest,
        config_digest=scoring_digest(setup, bundle=bundle),
        prior=setup.prior or bundle.spec.prior,
        voice_model_name=None if setup.voice is None else setup.voice.name,
        voice_model_version=None if setup.voice is None else setup.voice.version,
        voice_model_digest=None if (own := setup.voice_bundle) is None else own.digest,
        sync_model_name=None if setup.sync is None else setup.sync.name,
        sync_model_version=None if setup.sync is None else setup.sync.version,
        sync_model_digest=None if (lips := setup.sync_bundle) is None else lips.digest,
    )
