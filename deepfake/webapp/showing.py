"""Pieces of the pages: text of strangers as text, verdicts, timelines, faces, provenance."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from deepfake.explain import EvidenceRecord, FrameEvidence
from deepfake.reporting import Item
from deepfake.scoring import advice_on
from deepfake.types import Status

__all__ = ["say", "show_evidence", "show_score"]

_HEADINGS = {
    "real": "Looks real",
    "fake": "Looks fake",
    "uncertain": "Not sure",
    "not_applicable": "Not judged",
}
_COLOURS = {
    "real": "#2e7d32",
    "fake": "#c62828",
    "uncertain": "#b26a00",
    "not_applicable": "#616161",
}
_NOT_JUDGED_NO_FACE = "No face was found, so nothing is said, and not that it is real."


def say(*sentences: str, is_small: bool = False) -> None:
    """Show sentences as they are: no mark-up in them counts."""
    size = "0.875rem" if is_small else "1rem"
    told = "".join(f"<p style='margin:0 0 .4rem 0'>{html.escape(line)}</p>" for line in sentences)
    st.html(f"<div style='font-size:{size};overflow-wrap:anywhere'>{told}</div>")


def show_score(score: Mapping[str, Any], *, detector: str, notes: Sequence[str]) -> None:
    """Show a verdict for a person, what it rests on, and what the detector did not learn.

    Args:
        score: A row of the scores table.
        detector: Which it was, in words.
        notes: What a reader of its verdicts must know, a sentence each.
    """
    verdict = str(score["verdict"])
    st.html(
        f"<div role='status' style='border-left:.5rem solid {_COLOURS[verdict]};"
        "padding:.25rem 0 .25rem 1rem'>"
        f"<p style='font-size:1.75rem;font-weight:700;margin:0'>{_HEADINGS[verdict]}</p>"
        f"<p style='margin:0;overflow-wrap:anywhere'>{html.escape(_line(score))}</p></div>"
    )
    say(f"Detector: {detector}", *notes, is_small=True)


def _line(score: Mapping[str, Any]) -> str:
    name, prob, reason = score["uri"], score["prob_fake"], score["reason"]
    if prob is None:
        status = Status(score["status"])
        told = _NOT_JUDGED_NO_FACE if status is Status.NO_FACE else f"{status}: {reason}."
        advice = advice_on(status)
        return f"{name}. {told}{'' if advice is None else f' {advice}'}"
    because = f" ({reason})" if reason else ""
    return f"{name}. Probability of a fake: {prob:.1%}{because}."


def show_evidence(item: Item, *, key: str) -> None:
    """Show the evidence for a score: over time, in the frames, in the faces, in the file.

    Args:
        item: The evidence.
        key: Tells its widgets from those of others on the page.
    """
    record = item.record
    frames = sorted(record.frames, key=lambda frame: frame.pts_seconds)
    shown = _scrubbed(frames, key=key)
    if record.kind == "video":
        say("In the band nothing is decided; the dashed line is at the frame below.", is_small=True)
        st.altair_chart(_timeline(record, None if shown is None else shown.pts_seconds))
    if shown is not None:
        _show_frame(shown, item)
    _show_crops(item)
    if record.provenance is not None:
        st.subheader("What the file says of itself")
        say("No part of the score.", *record.provenance.sentences)
        if record.provenance.tags:
            with st.expander("Metadata"):
                rows = list(record.provenance.tags.items())
                st.table(pd.DataFrame(rows, columns=["name", "value"]).map(_unmarked))
    if record.notes:
        say(*record.notes, is_small=True)


def _scrubbed(frames: Sequence[FrameEvidence], *, key: str) -> FrameEvidence | None:
    if len(frames) < 2:
        return next(iter(frames), None)
    times = [f"{frame.pts_seconds:.2f} s" for frame in frames]
    strongest = max(
        range(len(frames)), key=lambda at: max((f.prob_fake for f in frames[at].faces), default=0.0)
    )
    at = st.select_slider(
        "Moment of the video",
        options=range(len(frames)),
        value=strongest,
        format_func=lambda at: times[at],
        key=f"moment-{key}",
        help="Moves through the frames that were looked at; it begins at the strongest.",
    )
    return frames[at]


def _timeline(record: EvidenceRecord, moment: float | None) -> Any:
    rows = [
        {"seconds": t, "prob_fake": p, "face": f"face {track.track_id}"}
        for track in record.tracks
        for t, p in zip(track.pts_seconds, track.prob_fake, strict=True)
    ]
    x = alt.X("seconds:Q", title="time, s")
    y = alt.Y("prob_fake:Q", title="probability of a fake", scale=alt.Scale(domain=[0, 1]))
    lines = (
        alt.Chart(pd.DataFrame(rows), description="Probability of a fake over time, a line a face")
        .mark_line(point=True)
        .encode(
            x=x,
            y=y,
            color=alt.Color("face:N", title=None),
            tooltip=["face", "seconds", "prob_fake"],
        )
    )
    layers: list[alt.Chart] = [lines]
    if record.real_below is not None and record.fake_from is not None:
        band = pd.DataFrame([{"low": record.real_below, "high": min(record.fake_from, 1.0)}])
        layers.insert(
            0,
            alt.Chart(band)
            .mark_rect(opacity=0.25, color="#b26a00")
            .encode(y=alt.Y("low:Q", title="probability of a fake"), y2="high:Q"),
        )
    if moment is not None:
        rule = alt.Chart(pd.DataFrame([{"seconds": moment}])).mark_rule(
            strokeDash=[4, 4], color="#808080"
        )
        layers.append(rule.encode(x=x))
    return alt.layer(*layers).properties(height=220)


def _show_frame(frame: FrameEvidence, item: Item) -> None:
    picture = item.pictures.get(frame.picture)
    if picture is None:
        return
    faces = ", ".join(f"face {f.track_id} {f.prob_fake:.0%}" for f in frame.faces)
    told = f"at {frame.pts_seconds:.2f} s: {faces}"
    st.image(picture, caption=told, alt=f"The frame {told}")


def _show_crops(item: Item) -> None:
    crops = [crop for crop in item.record.crops if crop.picture in item.pictures]
    if not crops:
        return
    st.subheader("Faces, and what in them moved the score")
    for column, crop in zip(st.columns(len(crops)), crops, strict=True):
        with column:
            told = f"{crop.prob_fake:.0%} at {crop.pts_seconds:.2f} s"
            st.image(item.pictures[crop.picture], caption=told, alt=f"The face, {told}")
            heat = item.pictures.get(crop.heat_picture or "")
            if heat is not None:
                alt_text = f"What in the face moved the score, {told}"
                st.image(heat, caption="bright moved it most", alt=alt_text)
            if crop.moved_by_hottest is not None and crop.moved_by_random is not None:
                say(
                    f"Without the hottest tenth the log-odds move by {crop.moved_by_hottest:.1f}, "
                    f"without a random tenth by {crop.moved_by_random:.1f}.",
                    is_small=True,
                )
    say(
        "A heat map shows what moved the detector, not where somebody changed the face.",
        is_small=True,
    )


def _unmarked(text: object) -> str:
    """Return a text in which a table of Streamlit's finds no mark-up."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]()#+-.!|<>~$:&" else c for c in str(text))
