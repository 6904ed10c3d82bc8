"""Judge the voice of one media file: windows of speech, logits, a probability, a verdict."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from deepfake.config import MediaLimits
from deepfake.detectors.identity import DetectorIdentity
from deepfake.detectors.voice.detector import VoiceDetector, load_voice_detector
from deepfake.detectors.voice_bundle import load_voice_bundle
from deepfake.extract.extracted_medium import ExtractRequest
from deepfake.extract.speech import SpeechWindow
from deepfake.extract.speech_extractor import ExtractedSpeech, SpeechExtractor
from deepfake.media.sound_level import bandwidth_hz, loudness_dbfs
from deepfake.scoring.scorer_settings import speech_config_of_bundle
from deepfake.types import Kind, Status, Verdict
from deepfake.verdicts.calibration import shift_prior
from deepfake.verdicts.voice import VoiceScore, aggregate_windows

__all__ = ["VoiceAnswer", "VoiceScorer"]

_NOTHING_TO_HEAR = frozenset(
    {
        Status.EMPTY,
        Status.MISSING,
        Status.TOO_LARGE,
        Status.UNREADABLE,
        Status.VANISHED,
    }
)
"""Statuses of a file whose sound is not looked for either."""


@dataclass(frozen=True, slots=True)
class VoiceAnswer:
    """What is known of the voice of one file.

    Attributes:
        columns: Of the file's `Score`.
        windows: Columns of `WINDOWS_SCHEMA`, a row a window of speech.
        seconds: Wall time of all of it.
    """

    columns: Mapping[str, Any]
    windows: tuple[dict[str, Any], ...] = ()
    seconds: float = 0.0


class VoiceScorer:
    """Judges the voices of one file after another, with one thread.

    Args:
        identity: Which detector.
        limits: How large a medium may be.
        prior: Share of fakes that the probability shall hold for; None for the bundle's own.
        cache: Where networks converted for the CPU are kept; None converts here.
    """

    def __init__(
        self,
        identity: DetectorIdentity,
        *,
        limits: MediaLimits,
        prior: float | None = None,
        cache: Path | None = None,
    ) -> None:
        bundle = load_voice_bundle(identity.path)
        self._judgement = bundle.spec.judgement
        self._prior = prior
        self._extractor = SpeechExtractor(speech_config_of_bundle(bundle, limits=limits))
        self._path, self._cache = identity.path, cache

    @cached_property
    def _detector(self) -> VoiceDetector:
        # Pictures do not wait for it.
        return load_voice_detector(self._path, device="cpu", cache=self._cache, num_threads=1)

    def answer(self, request: ExtractRequest, *, status: Status, kind: Kind | None) -> VoiceAnswer:
        """Return what is known of the voice of a file; a failure is an answer, not an exception.

        Args:
            request: The file.
            status: What came of its pictures.
            kind: What it was looked at as.
        """
        began = time.perf_counter()
        if kind is Kind.IMAGE:
            return VoiceAnswer(_not_judged("a picture has no sound"))
        if status in _NOTHING_TO_HEAR:
            return VoiceAnswer(_not_judged("the file cannot be read"))
        speech = self._extractor.find(request)
        answer = self._answer(request, speech)
        seconds = time.perf_counter() - began
        return VoiceAnswer(answer.columns, answer.windows, seconds)

    def _answer(
        self, request: ExtractRequest, speech: ExtractedSpeech[SpeechWindow]
    ) -> VoiceAnswer:
        outcome = speech.outcome
        found = {"speech_seconds": outcome.speech_seconds, "num_windows": outcome.num_windows}
        if outcome.status is not Status.OK:
            return VoiceAnswer({**_not_judged(outcome.message or str(outcome.status)), **found})
        outputs = self._detector.head_outputs([window.samples for window in speech.windows])
        bandwidths = [bandwidth_hz(window.samples) for window in speech.windows]
        rows = tuple(
            {
                "uri": request.uri,
                "media_id": request.media_id,
                "prob_fake": self._prob(float(outputs["logit"][at])),
                **_window_row(window),
                "bandwidth_hz": bandwidths[at],
                **{name: float(values[at]) for name, values in outputs.items()},
            }
            for at, window in enumerate(speech.windows)
        )
        result = aggregate_windows(
            outputs["logit"],
            pts_seconds=[window.pts_seconds for window in speech.windows],
            end_seconds=[window.end_seconds for window in speech.windows],
            novelty=outputs.get("novelty"),
            bandwidth_hz=bandwidths,
        )
        return VoiceAnswer({**self._columns(result, message=outcome.message), **found}, rows)

    def _columns(self, result: VoiceScore, *, message: str | None) -> dict[str, Any]:
        verdict, uncertain = self._judgement.judge(result)
        reasons = [message, None if uncertain is None else uncertain.message]
        if verdict is Verdict.REAL:
            reasons.append(self._judgement.reason_for_real)
        if verdict is Verdict.FAKE:
            reasons.append("sounds like the made voices that it learnt from")
        reasons.append(self._note_on_prior(result))
        return {
            "verdict_voice": verdict,
            "reason_voice": "; ".join(filter(None, reasons)) or None,
            "prob_fake_voice": self._prob(result.logit),
            "logit_voice": result.logit,
            "novelty_voice": result.novelty,
            "strongest_voice_pts_seconds": result.strongest_pts_seconds,
            "strongest_voice_end_seconds": result.strongest_end_seconds,
            **self._likelihood_ratios(result),
        }

    def _note_on_prior(self, result: VoiceScore) -> str | None:
        """Return the probability that was judged, where the one in the row holds for another."""
        calibration = self._judgement.calibration
        if self._prior in (None, calibration.prior):
            return None
        return (
            f"judged at a share of fakes of {calibration.prior:g}, as calibrated, where its "
            f"probability is {calibration.prob(result.logit):.1%}"
        )

    def _likelihood_ratios(self, result: VoiceScore) -> dict[str, float]:
        bounds = self._judgement.likelihood_ratio_bounds
        value = self._judgement.likelihood_ratio(result)
        if bounds is None or value is None:
            return {}
        return {
            "likelihood_ratio_voice": value,
            "likelihood_ratio_voice_min": bounds.lower,
            "likelihood_ratio_voice_max": bounds.upper,
        }

    def _prob(self, logit: float) -> float:
        calibration = self._judgement.calibration
        prob = calibration.prob(logit)
        if self._prior is None or self._prior == calibration.prior:
            return prob
        return shift_prior(prob, from_prior=calibration.prior, to_prior=self._prior)


def _window_row(window: SpeechWindow) -> dict[str, float]:
    return {
        "pts_seconds": window.pts_seconds,
        "end_seconds": window.end_seconds,
        "speech_seconds": window.speech_seconds,
        "loudness_dbfs": loudness_dbfs(window.samples),
    }


def _not_judged(reason: str) -> dict[str, Any]:
    return {"verdict_voice": Verdict.NOT_APPLICABLE, "reason_voice": reason}
