"""Widgets of voices: the verdict, the waveform with the probability over time, the sound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from deepfake.evidence import VoiceEvidence
from deepfake.views.webapp.verdict_box import show_text, show_verdict

__all__ = ["describe_voice", "show_voice", "show_voice_clip", "show_voice_score"]

_PROB_TITLE = "probability of spoofed speech"
_TIME_TITLE = "time, s"
_MARK, _WAVE, _STRONGEST = "#1d5fbf", "#808080", "#b26a00"


def show_voice_score(
    score: Mapping[str, Any], *, detector: str | None = None, notes: Sequence[str] = ()
) -> None:
    """Show the verdict on a voice, its probability and reason; nothing where nobody asked.

    Args:
        score: A row of the scores table.
        detector: Name and version of the detector of voices.
        notes: What a reader of its verdicts must know, a sentence each.
    """
    if score.get("verdict_voice") is None:
        return
    show_verdict(str(score["verdict_voice"]), describe_voice(score), subject="Voice")
    named = [] if detector is None else [f"Detector of voices: {detector}"]
    show_text(*named, *notes, is_small=True)


def describe_voice(score: Mapping[str, Any]) -> str:
    """Return a sentence on the voice of a file.

    Args:
        score: A row of the scores table; `verdict_voice` is not None.

    Example:
        >>> describe_voice({"uri": "a.wav", "prob_fake_voice": 0.9, "reason_voice": "odd"})
        'a.wav. Probability of spoofed speech: 90.0% (odd).'
    """
    prob, reason = score["prob_fake_voice"], score["reason_voice"]
    if prob is None:
        return f"{score['uri']}. {reason or 'its voice was not judged'}."
    in_brackets = "" if not reason else f" ({reason})"
    return f"{score['uri']}. Probability of spoofed speech: {prob:.1%}{in_brackets}."


def show_voice_clip(clip: bytes | None, score: Mapping[str, Any]) -> None:
    """Offer the window of speech that looks most like a fake to be played.

    Args:
        clip: WAV; None where there is none.
        score: A row of the scores table.
    """
    if clip is None:
        return
    begin, end = score["strongest_voice_pts_seconds"], score["strongest_voice_end_seconds"]
    show_text(f"The part that looks most like a fake, {begin:.1f} to {end:.1f} s:", is_small=True)
    st.audio(clip, format="audio/wav")


def show_voice(voice: VoiceEvidence, *, last: float | None = None) -> None:
    """Show the waveform, and beneath it the probability of each window of speech.

    Args:
        voice: From the evidence of a score.
        last: Where the axis of time ends, seconds; None for the end of the sound.
    """
    end = _end_of(voice) if last is None else last
    show_text(_caption(voice), is_small=True)
    if voice.waveform:
        st.altair_chart(_waveform_chart(voice, end))
    st.altair_chart(_probability_chart(voice, end))


def _caption(voice: VoiceEvidence) -> str:
    caption = "Each line is a window of speech; the one in the band looks most like a fake."
    if voice.real_below is None or voice.fake_from is None:
        return caption
    caption += f" Dashed: under {voice.real_below:.1%} no sign is found"
    if voice.fake_from > 1:
        return f"{caption}, and nothing is called fake."
    return f"{caption}, from {voice.fake_from:.1%} on it is called fake."


def _end_of(voice: VoiceEvidence) -> float:
    return voice.duration_seconds or max((w.end_seconds for w in voice.windows), default=1.0)


def _time_axis(last: float, name: str = "seconds") -> Any:
    scale = alt.Scale(domain=[0, last], nice=False)
    return alt.X(f"{name}:Q", title=_TIME_TITLE, scale=scale)


def _level_axis() -> Any:
    # Of the same width in both charts, so that the same moment stands below itself.
    return alt.Axis(minExtent=40, maxExtent=40)


def _waveform_chart(voice: VoiceEvidence, last: float) -> Any:
    seconds = (voice.duration_seconds or 0.0) / len(voice.waveform)
    rows = [
        {"seconds": (number + 0.5) * seconds, "low": low / 127, "high": high / 127}
        for number, (low, high) in enumerate(voice.waveform)
    ]
    level = alt.Y("low:Q", title="sound", scale=alt.Scale(domain=[-1, 1]), axis=_level_axis())
    wave = alt.Chart(pd.DataFrame(rows), description="The waveform of the sound").mark_area(
        color=_WAVE
    )
    area = wave.encode(x=_time_axis(last), y=level, y2="high:Q")
    return alt.layer(*_strongest_band(voice, last), area).properties(height=110)


def _probability_chart(voice: VoiceEvidence, last: float) -> Any:
    rows = [
        {"begin": w.pts_seconds, "end": w.end_seconds, "prob_fake": w.prob_fake}
        for w in voice.windows
    ]
    known = [p for p in (voice.real_below, voice.fake_from) if p is not None and p <= 1]
    scale = alt.Scale(domain=[0, 1])
    prob = alt.Y("prob_fake:Q", title=_PROB_TITLE, scale=scale, axis=_level_axis())
    lines = alt.Chart(
        pd.DataFrame(rows, columns=["begin", "end", "prob_fake"]),
        description="Probability of spoofed speech over time, a line a window of speech",
    ).mark_rule(strokeWidth=3, color=_MARK)
    windows = lines.encode(
        x=_time_axis(last, "begin"), x2="end:Q", y=prob, tooltip=["begin", "end", "prob_fake"]
    )
    thresholds = alt.Chart(pd.DataFrame({"prob_fake": known})).mark_rule(
        strokeDash=[5, 3], color=_STRONGEST
    )
    layers = [
        *_strongest_band(voice, last),
        *([thresholds.encode(y=prob)] if known else []),
        windows,
    ]
    return alt.layer(*layers).properties(height=200)


def _strongest_band(voice: VoiceEvidence, last: float) -> list[Any]:
    strongest = voice.strongest
    if strongest is None:
        return []
    row = {"begin": strongest.pts_seconds, "end": strongest.end_seconds}
    band = alt.Chart(pd.DataFrame([row])).mark_rect(opacity=0.25, color=_STRONGEST)
    return [band.encode(x=_time_axis(last, "begin"), x2="end:Q")]
