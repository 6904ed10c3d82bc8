"""Widgets of a file and of its lips and sound: verdicts, blocks over time, moments to play."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from deepfake.evidence import EvidenceRecord, SyncEvidence
from deepfake.scoring.file_answers import answers_of
from deepfake.views.webapp.verdict_box import show_text, show_verdict

__all__ = [
    "describe_offset_of",
    "last_second",
    "moments_of",
    "show_file_score",
    "show_moments",
    "show_sync",
    "show_sync_score",
]

_PROB_TITLE = "probability of a mismatch"
_FACE_SECONDS = 2.0
"""How long a moment of a face is played."""
_BAR, _STRONGEST = "#1d5fbf", "#b26a00"


def show_file_score(score: Mapping[str, Any]) -> None:
    """Show the verdict on a file from all answers; nothing where there is one answer alone.

    Args:
        score: A row of the scores table.
    """
    if score.get("verdict_file") is None or len(answers_of(score)) < 2:
        return
    sentence = f"{score['uri']}. {score['reason_file']}."
    prob = score.get("prob_fake_file")
    likely = "" if prob is None else f" Probability that anything is a fake: {prob:.1%}."
    show_verdict(str(score["verdict_file"]), f"{sentence}{likely}", subject="The file")


def show_sync_score(
    score: Mapping[str, Any], *, detector: str | None = None, notes: Sequence[str] = ()
) -> None:
    """Show the verdict on lips and sound, and its reason; nothing where nobody asked.

    Args:
        score: A row of the scores table.
        detector: Name and version of the detector of lips and sound.
        notes: What a reader of its verdicts must know, a sentence each.
    """
    if score.get("verdict_sync") is None:
        return
    prob, reason = score.get("prob_mismatch"), score.get("reason_sync")
    known = "Not compared" if prob is None else f"Probability of a mismatch: {prob:.1%}"
    in_brackets = f" ({reason})" if reason else ""
    show_verdict(str(score["verdict_sync"]), f"{known}{in_brackets}.", subject="Lips and sound")
    named = [] if detector is None else [f"Detector of lips and sound: {detector}"]
    show_text(*named, *notes, is_small=True)


def describe_offset_of(sync: SyncEvidence) -> str:
    """Return a sentence on sound that is early or late throughout.

    Example:
        >>> describe_offset_of(SyncEvidence(blocks=(), offset_seconds=-0.04))
        'The sound is 40 ms early throughout, which nobody notices.'
    """
    ms = round(1000 * (sync.offset_seconds or 0.0))
    if ms == 0:
        return "Sound and picture are at the same time."
    how = f"The sound is {abs(ms)} ms {'late' if ms > 0 else 'early'} throughout"
    if sync.is_out_of_sync:
        return f"{how}, more than people tolerate; that is no sign of a fake."
    return f"{how}, which nobody notices."


def last_second(record: EvidenceRecord) -> float:
    """Return where the one axis of time of all answers on a file ends."""
    ends = [pts for track in record.tracks for pts in track.pts_seconds]
    if record.voice is not None:
        ends += [window.end_seconds for window in record.voice.windows]
        ends.append(record.voice.duration_seconds or 0.0)
    if record.sync is not None:
        ends += [block.end_seconds for block in record.sync.blocks]
    return max([*ends, 0.001])


def show_sync(sync: SyncEvidence, *, last: float) -> None:
    """Show the probability of a mismatch in each block of about a second.

    Args:
        sync: From the evidence of a score.
        last: Where the axis of time ends, seconds.
    """
    speaks = sync.speaking_track_id
    who = [] if speaks is None else [f"Face {speaks} speaks."]
    caption = "Each bar is about a second; the one of another colour fits least."
    show_text(caption, *who, describe_offset_of(sync), is_small=True)
    rows = [block.model_dump() for block in sync.blocks]
    scale = alt.Scale(domain=[0, last], nice=False)
    axis = alt.Axis(minExtent=40, maxExtent=40)
    bars = alt.Chart(
        pd.DataFrame(rows), description="Probability of a mismatch over time, a bar a second"
    ).mark_rect(stroke="white")
    st.altair_chart(
        bars.encode(
            x=alt.X("pts_seconds:Q", title="time, s", scale=scale),
            x2="end_seconds:Q",
            y=alt.Y(
                "prob_mismatch:Q", title=_PROB_TITLE, scale=alt.Scale(domain=[0, 1]), axis=axis
            ),
            y2=alt.datum(0),
            color=alt.condition("datum.is_strongest", alt.value(_STRONGEST), alt.value(_BAR)),
            tooltip=["pts_seconds", "end_seconds", "prob_mismatch", "offset_seconds"],
        ).properties(height=130)
    )


def moments_of(record: EvidenceRecord) -> list[tuple[str, float, float]]:
    """Return the moments of a file that can be played: a name, where it begins and where it ends.

    Args:
        record: From the evidence of a score; the strongest moment of each answer comes first.
    """
    moments = [
        (track.is_strongest, prob, f"face {track.track_id}", pts, pts + _FACE_SECONDS)
        for track in record.tracks
        for pts, prob in zip(track.pts_seconds, track.prob_fake, strict=True)
    ]
    moments += [
        (window.is_strongest, window.prob_fake, "voice", window.pts_seconds, window.end_seconds)
        for window in ([] if record.voice is None else record.voice.windows)
    ]
    moments += [
        (block.is_strongest, block.prob_mismatch, "lips", block.pts_seconds, block.end_seconds)
        for block in ([] if record.sync is None else record.sync.blocks)
    ]
    ordered = sorted(moments, key=lambda own: (not own[0], -own[1]))
    return [
        (f"{name}, {begin:.1f} s: {prob:.0%}", begin, end) for _, prob, name, begin, end in ordered
    ]


def show_moments(record: EvidenceRecord, media: bytes | None, *, key: str) -> None:
    """Offer the moments of a video or a recording to be played; nothing without its bytes.

    Args:
        record: From the evidence of a score.
        media: The file.
        key: Distinguishes the widget from those of other evidence on the page.
    """
    moments = moments_of(record)
    if media is None or not moments or record.kind not in ("video", "audio"):
        return
    chosen = st.selectbox(
        "Play a moment",
        range(len(moments)),
        index=None,
        format_func=lambda at: moments[at][0],
        key=f"play-{key}",
    )
    if chosen is None:
        return
    _, begin, end = moments[chosen]
    play = st.video if record.kind == "video" else st.audio
    play(media, start_time=int(begin), end_time=int(end) + 1)
