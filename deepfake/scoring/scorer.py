"""Score one media file: faces, logits, tracks, a probability, a verdict, and its voice beside."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from deepfake.compute.device_process import DeviceClient
from deepfake.compute.devices import resolve_device
from deepfake.compute.workers import WorkerSetup, connect_device
from deepfake.config import (
    DecoderName,
    ExtractConfig,
    MediaLimits,
    Precision,
    SamplingConfig,
    WorkerLimits,
    digest_of,
)
from deepfake.detectors.bundles import Bundle
from deepfake.detectors.heads import describe_fake
from deepfake.detectors.identity import DetectorIdentity
from deepfake.detectors.inference import Detector, describe_computation, load_detector
from deepfake.detectors.inference.remote_detector import device_setup, remote_detector
from deepfake.detectors.voice.bundle import VoiceBundle, load_voice_bundle
from deepfake.extract.extractor import (
    STEP_VERSION,
    ExtractedMedium,
    Extractor,
    ExtractRequest,
    limit_threads,
)
from deepfake.extract.faces import spread_of_colour, turn_box
from deepfake.extract.speech_extractor import SPEECH_STEP_VERSION
from deepfake.media import decode_crop
from deepfake.scoring.motion_photos import does_motion_decide, note_other_medium
from deepfake.scoring.score_rows import ScoreOrigin, failed_score, outcome_fields
from deepfake.scoring.voice_scorer import VoiceScorer, speech_config_of_bundle
from deepfake.types import Face, Kind, Score, Status, Verdict
from deepfake.verdicts.aggregation import FileScore, TrackScore, aggregate_file
from deepfake.verdicts.calibration import Calibration, shift_prior
from deepfake.verdicts.judgement import JudgementSettings

__all__ = [
    "ScoredMedium",
    "Scorer",
    "ScorerSetup",
    "all_reading_notes",
    "create_scorer",
    "extract_config_of_bundle",
    "score_medium",
    "score_origin",
    "scorer_setup",
    "scoring_digest",
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

    @property
    def voice_bundle(self) -> VoiceBundle | None:
        """The bundle of the voice's detector; None without one."""
        return None if self.voice is None else load_voice_bundle(self.voice.path)


@dataclass(frozen=True, slots=True)
class ScoredMedium:
    """The score of one file, with a row for each track and each face.

    Attributes:
        score: The score of the file, or why it has none.
        tracks: Columns of `TRACKS_SCHEMA`.
        frames: Columns of `FRAMES_SCHEMA`.
        windows: Columns of `WINDOWS_SCHEMA`.
        classify_seconds: Wall time of everything after the crops were there.
    """

    score: Score
    tracks: tuple[dict[str, Any], ...] = ()
    frames: tuple[dict[str, Any], ...] = ()
    windows: tuple[dict[str, Any], ...] = ()
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
    )


def _voice_settings(bundle: VoiceBundle | None) -> tuple[Any, ...]:
    if bundle is None:
        return ()
    settings = speech_config_of_bundle(bundle).window_settings
    return ("voice", bundle.digest, SPEECH_STEP_VERSION, settings)


def all_reading_notes(setup: ScorerSetup, *, bundle: Bundle) -> list[str]:
    """Return what a reader of the verdicts must know, on faces and on voices, a sentence each.

    Args:
        setup: Which detectors.
        bundle: The detector of faces.
    """
    voice = setup.voice_bundle
    return [
        *bundle.spec.reading_notes,
        *([] if voice is None else [f"Of voices: {note}" for note in voice.spec.reading_notes]),
    ]


class Scorer:
    """Scores one file after another, with one thread.

    Args:
        setup: Which detector, and how.
        client: What computes the networks instead of this process.
    """

    def __init__(self, setup: ScorerSetup, *, client: DeviceClient | None = None) -> None:
        self.setup = setup
        self.detector = _create_detector(setup, client)
        bundle = self.detector.bundle
        self._extractor = Extractor(
            extract_config_of_bundle(bundle, sampling=setup.sampling, limits=setup.limits),
            decoder=setup.decoder,
            device=self.detector.device,
            cache=setup.cache,
            client=client,
            has_motion=True,
        )
        self._origin = score_origin(setup, bundle=bundle)
        self._voice = _create_voice_scorer(setup, prior=self._origin.prior)

    def score(self, request: ExtractRequest) -> ScoredMedium:
        """Return the score of a file; a failure is a row, not an exception."""
        scored = self._score_pictures(request)
        if self._voice is None:
            return scored
        score = scored.score
        answer = self._voice.answer(request, status=score.status, kind=score.kind)
        return replace(
            scored,
            score=replace(score, **answer.columns),
            windows=answer.windows,
            classify_seconds=scored.classify_seconds + answer.seconds,
        )

    def _score_pictures(self, request: ExtractRequest) -> ScoredMedium:
        """Return the score by faces.

        Of a still with a video behind it, the one decides that looks more like a fake.
        """
        medium = self._extractor.extract(request)
        scored = self._score(medium)
        if medium.motion is None:
            return scored
        motion = self._score(medium.motion)
        is_motion = does_motion_decide(scored.score, motion.score)
        decides, other = (motion, scored) if is_motion else (scored, motion)
        seconds = scored.classify_seconds + motion.classify_seconds
        score = note_other_medium(decides.score, other.score, is_motion=is_motion)
        return replace(decides, score=score, classify_seconds=seconds)

    def _score(self, medium: ExtractedMedium) -> ScoredMedium:
        if medium.outcome.status is not Status.OK:
            return ScoredMedium(failed_score(medium.outcome, self._origin))
        began = time.perf_counter()
        frames = self._frames(medium)
        columns = {name: [frame[name] for frame in frames] for name in frames[0]}
        result = aggregate_file(columns, config=self.detector.spec.aggregation)
        scored = self._with_score(medium, frames, result)
        return replace(scored, classify_seconds=time.perf_counter() - began)

    def _frames(self, medium: ExtractedMedium) -> list[dict[str, Any]]:
        # What was stored is what is scored: the crops go through their codec here too.
        squares = [decode_crop(crop.encoded) for crop in medium.crops]
        outputs = self.detector.head_outputs(squares)
        return [
            {
                "track_id": crop.track_id,
                "frame_index": crop.frame_index,
                "pts_seconds": crop.pts_seconds,
                "bbox_xyxy": list(_box_as_shown(crop.face, medium)),
                "turned_degrees": medium.turned_degrees,
                "confidence": crop.face.confidence,
                "face_px": crop.face.size_px,
                "sharpness": crop.sharpness,
                "colour": spread_of_colour(squares[at]),
                **{name: float(values[at]) for name, values in outputs.items()},
            }
            for at, crop in enumerate(medium.crops)
        ]

    def _with_score(
        self, medium: ExtractedMedium, frames: Sequence[Mapping[str, Any]], result: FileScore
    ) -> ScoredMedium:
        settings = self.detector.spec.judgement_of(medium.kind or Kind.VIDEO)
        calibration = settings.calibration
        prob = self._prob(result.logit, calibration)
        verdict, uncertain = settings.judge(result)
        reasons = [medium.outcome.message, None if uncertain is None else uncertain.message]
        if verdict is Verdict.REAL:
            reasons.append(settings.reason_for_real)
        if verdict is Verdict.FAKE:
            own = [frame for frame in frames if frame["track_id"] == result.strongest_track_id]
            reasons.append(describe_fake(self.detector.spec.heads, own))
        asked = self.setup.prior
        if asked is not None and asked != calibration.prior:
            reasons.append(
                f"judged at a share of fakes of {calibration.prior:g}, as calibrated, where its "
                f"probability is {calibration.prob(result.logit):.1%}"
            )
        score = Score(
            **outcome_fields(medium.outcome),
            **asdict(self._origin),
            kind=medium.kind,
            verdict=verdict,
            reason="; ".join(filter(None, reasons)) or None,
            prob_fake=prob,
            logit=result.logit,
            **_likelihood_ratios(settings, result),
            num_faces=result.num_faces,
            num_tracks=result.num_tracks,
            num_frames=result.num_frames,
            strongest_track_id=result.strongest_track_id,
            strongest_pts_seconds=result.strongest_pts_seconds,
            turned_degrees=medium.turned_degrees,
        )
        name = {"uri": score.uri, "media_id": score.media_id}
        tracks = tuple(
            {**name, **_track_row(track), "prob_fake": self._prob(track.logit, calibration)}
            for track in result.tracks
        )
        return ScoredMedium(
            score,
            tracks,
            tuple(
                {
                    **name,
                    **frame,
                    "prob_fake": self._prob(frame["logit"], calibration),
                }
                for frame in frames
            ),
        )

    def _prob(self, logit: float, calibration: Calibration) -> float:
        prob = calibration.prob(logit)
        if self.setup.prior is None:
            return prob
        return shift_prior(prob, from_prior=calibration.prior, to_prior=self.setup.prior)


def _box_as_shown(face: Face, medium: ExtractedMedium) -> tuple[float, float, float, float]:
    """Return the box of a face in pixels of the picture as it is shown."""
    width, height = medium.frame_wh
    return turn_box(face.bbox_xyxy, -medium.turned_degrees, width=width, height=height)


def _likelihood_ratios(settings: JudgementSettings, result: FileScore) -> dict[str, Any]:
    bounds, value = settings.likelihood_ratio_bounds, settings.likelihood_ratio(result)
    if bounds is None or value is None:
        return {}
    return {
        "likelihood_ratio": value,
        "likelihood_ratio_min": bounds.lower,
        "likelihood_ratio_max": bounds.upper,
    }


def _track_row(track: TrackScore) -> dict[str, Any]:
    row = asdict(track)
    del row["max_pts_seconds"]  # of the strongest track it stands in the score
    return row


def _create_detector(setup: ScorerSetup, client: DeviceClient | None) -> Detector:
    folder, precision = setup.detector.path, setup.precision
    if client is not None:
        device = resolve_device(setup.device)
        return remote_detector(folder, client=client, device=device, precision=precision)
    return load_detector(
        folder, device=setup.device, precision=precision, cache=setup.cache, num_threads=1
    )


def _create_voice_scorer(setup: ScorerSetup, *, prior: float) -> VoiceScorer | None:
    """Return what judges voices; both probabilities of a row hold for one prior."""
    if setup.voice is None:
        return None
    return VoiceScorer(setup.voice, limits=setup.limits, prior=prior, cache=setup.cache)


def create_scorer(setup: ScorerSetup) -> Scorer:
    """Set up a worker: one thread for each library, networks loaded once."""
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
    )
