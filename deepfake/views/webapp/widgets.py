"""Pieces of the pages: text of strangers as text, verdicts, timelines, faces, provenance."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from deepfake.detectors.bundles import DetectorSpec
from deepfake.evidence import CropEvidence, EvidenceRecord, FrameEvidence, TrackTimeline
from deepfake.scoring import advice_on, told_reason
from deepfake.types import Status
from deepfake.views.report import Item

__all__ = ["calibrated_on", "say", "show_evidence", "show_score"]

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
_KINDS = {"image": "stills", "video": "videos"}
_STRONGEST = 4
_MAX_LINES = 12
"""Of a timeline: more cannot be told apart."""
_NOT_JUDGED_NO_FACE = "No face was found, so nothing is said, and not that it is real."


def say(*sentences: str, is_small: bool = False) -> None:
    """Show sentences as they are: no mark-up in them counts."""
    size = "0.875rem" if is_small else "1rem"
    style = f"margin:0 0 .4rem 0;font-size:{size};overflow-wrap:anywhere"
    st.html("".join(f"<p style='{style}'>{html.escape(line)}</p>" for line in sentences))


def show_score(score: Mapping[str, Any], *, detector: str, spec: DetectorSpec) -> None:
    """Show a verdict for a person, what it rests on, and what the detector did not learn.

    Args:
        score: A row of the scores table.
        detector: Which it was, in words.
        spec: Its description.
    """
    verdict = str(score["verdict"])
    st.html(
        f"<div role='status' style='border-left:.5rem solid {_COLOURS[verdict]};"
        "padding:.25rem 0 .25rem 1rem'>"
        f"<p style='font-size:1.75rem;font-weight:700;margin:0'>{_HEADINGS[verdict]}</p>"
        f"<p style='margin:0;overflow-wrap:anywhere'>{html.escape(_line(score))}</p></div>"
    )
    fitted = [] if score["prob_fake"] is None else [calibrated_on(spec, score["kind"])]
    say(f"Detector: {detector}", *spec.reading_notes, *fitted, is_small=True)


def calibrated_on(spec: DetectorSpec, kind: str) -> str:
    """Return on what the probabilities of files of a kind are calibrated.

    Args:
        spec: Description of the detector.
        kind: `image` or `video`.
    """
    told = spec.calibration_still if kind == "image" else spec.calibration_video
    if not told.is_fitted:
        return f"Probabilities of {_KINDS[kind]} are not calibrated."
    samples = f"{told.num_samples:,} {told.fitted_on}s"
    return f"Probabilities of {_KINDS[kind]} are calibrated on {samples} whose truth is known."


def _line(score: Mapping[str, Any]) -> str:
    name, prob = score["uri"], score["prob_fake"]
    told = told_reason(score)
    if prob is None:
        status = Status(score["status"])
        said = _NOT_JUDGED_NO_FACE if status is Status.NO_FACE else f"{told}."
        advice = advice_on(status)
        return f"{name}. {said}{'' if advice is None else f' {advice}'}"
    because = "" if told is None else f" ({told})"
    return f"{name}. Probability of a fake: {prob:.1%}{because}."


def show_evidence(item: Item, *, key: str) -> None:
    """Show the evidence for a score: over time, in the frames, in the faces, in the file.

    Args:
        item: The evidence.
        key: Tells its widgets from those of others on the page.
    """
    record = item.record
    if record.real_below is not None and record.fake_from is not None:
        say(_thresholds(record.real_below, record.fake_from), is_small=True)
    frames = sorted(record.frames, key=lambda frame: frame.pts_seconds)
    shown = _scrubbed(frames, key=key)
    if record.kind == "video":
        told = "In the band nothing is decided; the dashed line is at the frame below."
        if len(record.tracks) > _MAX_LINES:
            told += f" Of {len(record.tracks)} faces the {_MAX_LINES} likeliest fakes are drawn."
        say(told, is_small=True)
        st.altair_chart(_timeline(record, None if shown is None else shown.pts_seconds))
    if shown is not None:
        _show_moment(shown, item)
    _show_faces(item)
    if record.provenance is not None:
        st.header("What the file says of itself")
        say("No part of the score.", *record.provenance.sentences)
        if record.provenance.tags:
            with st.expander("Metadata"):
                rows = list(record.provenance.tags.items())
                st.table(pd.DataFrame(rows, columns=["name", "value"]).map(_unmarked))
    if record.notes:
        say(*record.notes, is_small=True)


def _thresholds(real_below: float, fake_from: float) -> str:
    real = f"Under {real_below:.1%} a probability counts as real"
    if fake_from > 1:
        return f"{real}, and none is high enough to count as fake: over it nothing is decided."
    return f"{real}, from {fake_from:.1%} on as fake; between them nothing is decided."


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


def _drawn(record: EvidenceRecord) -> list[TrackTimeline]:
    """Return the tracks that there is room to draw: the one that decides, then the highest."""

    def rank(track: TrackTimeline) -> tuple[bool, float]:
        return not track.is_strongest, -fmean(track.prob_fake or (0.0,))

    return sorted(record.tracks, key=rank)[:_MAX_LINES]


def _timeline(record: EvidenceRecord, moment: float | None) -> Any:
    rows = [
        {"seconds": t, "prob_fake": p, "face": f"face {track.track_id}"}
        for track in _drawn(record)
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


def _show_moment(frame: FrameEvidence, item: Item) -> None:
    """Show a frame, and beside it the face in it that decides."""
    whole, *beside = st.columns([2, 1, 1])
    faces = ", ".join(f"face {f.track_id} {f.prob_fake:.0%}" for f in frame.faces)
    told = f"at {frame.pts_seconds:.2f} s: {faces}"
    with whole:
        _picture(item.pictures.get(frame.picture), told, alt=f"The frame {told}")
    for crop in item.record.crops:
        if crop.frame_index == frame.frame_index:
            _show_face(crop, item, places=beside)


def _show_faces(item: Item) -> None:
    """Show the faces that speak most for the score, and what a heat map is not."""
    crops = item.record.crops
    if len(crops) > 1:
        st.header("The strongest faces, and what in them moved the score")
        strongest = crops[:_STRONGEST]
        for column, crop in zip(st.columns(len(strongest)), strongest, strict=True):
            _show_face(crop, item, places=[column, column])
    if any(crop.heat_picture in item.pictures for crop in crops):
        say(
            "A heat map shows what moved the detector, not where somebody changed the face.",
            is_small=True,
        )


def _show_face(crop: CropEvidence, item: Item, *, places: Sequence[DeltaGenerator]) -> None:
    """Show a face as the network saw it, and its heat map, each in its place."""
    told = f"face {crop.track_id}, {crop.prob_fake:.0%} at {crop.pts_seconds:.2f} s"
    with places[0]:
        _picture(item.pictures.get(crop.picture), told, alt=f"The face as it was judged: {told}")
    caption = "bright moved it most"
    if crop.moved_by_hottest is not None and crop.moved_by_random is not None:
        caption += (
            f": without the hottest tenth the log-odds move by {crop.moved_by_hottest:.1f}, "
            f"without a random tenth by {crop.moved_by_random:.1f}"
        )
    with places[1]:
        heat = item.pictures.get(crop.heat_picture or "")
        _picture(heat, caption, alt=f"What in the face moved the score: {told}")


def _picture(picture: bytes | None, caption: str, *, alt: str) -> None:
    """Show a picture that is there; Streamlit's own captions are too pale to be read by all."""
    if picture is not None:
        st.image(picture, alt=alt)
        say(caption, is_small=True)


def _unmarked(text: object) -> str:
    """Return a text in which a table of Streamlit's finds no mark-up."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]()#+-.!|<>~$:&" else c for c in str(text))
