"""Score one media file: faces, logits, tracks, a probability, a verdict."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from deepfake.compute.device_process import DeviceClient
from deepfake.compute.devices import resolve_device
from deepfake.detectors.heads import describe_fake
from deepfake.detectors.inference import Detector, load_detector
from deepfake.detectors.inference.remote_detector import remote_detector
from deepfake.extract.extracted_medium import ExtractedMedium, ExtractRequest
from deepfake.extract.extractor import Extractor
from deepfake.extract.faces import spread_of_colour, turn_box
from deepfake.media import decode_crop
from deepfake.scoring.file_answers import join_columns
from deepfake.scoring.motion_photos import does_motion_decide, note_other_medium
from deepfake.scoring.score_rows import failed_score, outcome_fields
from deepfake.scoring.scorer_settings import (
    ScoredMedium,
    ScorerSetup,
    extract_config_of_bundle,
    score_origin,
)
from deepfake.scoring.sync_scorer import SyncScorer
from deepfake.scoring.voice_scorer import VoiceScorer
from deepfake.types import Face, Kind, Score, Status, Verdict
from deepfake.verdicts.aggregation import FileScore, TrackScore, aggregate_file
from deepfake.verdicts.calibration import Calibration, shift_prior
from deepfake.verdicts.judgement import JudgementSettings

__all__ = ["Scorer"]


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
        self._sync = _create_sync_scorer(setup, prior=self._origin.prior, client=client)

    def score(self, request: ExtractRequest) -> ScoredMedium:
        """Return the score of a file; a failure is a row, not an exception."""
        scored = self._add_sync(self._add_voice(self._score_pictures(request), request), request)
        columns = join_columns(scored.score.as_row(), rule=self.setup.file_rule)
        return replace(scored, score=replace(scored.score, **columns))

    def _add_voice(self, scored: ScoredMedium, request: ExtractRequest) -> ScoredMedium:
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

    def _add_sync(self, scored: ScoredMedium, request: ExtractRequest) -> ScoredMedium:
        if self._sync is None:
            return scored
        score = scored.score
        answer = self._sync.answer(
            request, status=score.status, kind=score.kind, frames=scored.frames
        )
        return replace(
            scored,
            score=replace(score, **answer.columns),
            blocks=answer.blocks,
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


def _create_sync_scorer(
    setup: ScorerSetup, *, prior: float, client: DeviceClient | None
) -> SyncScorer | None:
    """Return what compares lips with sound; its probability holds for the same prior."""
    if setup.sync is None:
        return None
    return SyncScorer(
        setup.sync, limits=setup.limits, prior=prior, cache=setup.cache, client=client
    )
