"""Widgets of the pages: scores, timelines, face crops, provenance."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from deepfake.detectors.bundles import DetectorSpec
from deepfake.evidence import (
    CropEvidence,
    Evidence,
    EvidenceRecord,
    FrameEvidence,
    TrackTimeline,
)
from deepfake.evidence.provenance import Provenance
from deepfake.scoring import advice_on, describe_reason
from deepfake.types import Kind, Status
from deepfake.views.webapp.sync_widgets import last_second, show_moments, show_sync
from deepfake.views.webapp.verdict_box import VERDICT_COLOURS, show_text, show_verdict
from deepfake.views.webapp.voice_widgets import show_voice

__all__ = ["describe_calibration", "show_evidence", "show_score"]

_KINDS = {"image": "stills", "video": "videos"}
_PROB_TITLE = "probability of a fake"
_MAX_FACES = 4
"""Face crops that are shown together, the strongest."""
_MAX_LINES = 12
"""Tracks in a timeline: more lines cannot be distinguished."""
_NO_FACE = "No face was found; this does not mean that it is real."


def show_score(score: Mapping[str, Any], *, detector: str, spec: DetectorSpec) -> None:
    """Show the verdict, its probability and reason, and what the detector did not learn.

    Args:
        score: A row of the scores table.
        detector: Name and version of the detector.
        spec: Its description.
    """
    show_verdict(str(score["verdict"]), _describe_score(score))
    has_prob = score["prob_fake"] is not None
    calibration = [describe_calibration(spec, score["kind"])] if has_prob else []
    show_text(f"Detector: {detector}", *spec.reading_notes, *calibration, is_small=True)


def describe_calibration(spec: DetectorSpec, kind: str) -> str:
    """Return a sentence on what the probabilities for a kind of file are calibrated on.

    Args:
        spec: Description of the detector.
        kind: `image` or `video`.
    """
    calibration = spec.judgement_of(Kind(kind)).calibration
    if not calibration.is_fitted:
        return f"Probabilities of {_KINDS[kind]} are not calibrated."
    samples = f"{calibration.num_samples:,} labelled {calibration.fitted_on}s"
    return f"Probabilities of {_KINDS[kind]} are calibrated on {samples}."


def _describe_score(score: Mapping[str, Any]) -> str:
    name, prob = score["uri"], score["prob_fake"]
    reason = describe_reason(score)
    if prob is None:
        status = Status(score["status"])
        sentence = _NO_FACE if status is Status.NO_FACE else f"{reason}."
        advice = advice_on(status)
        return f"{name}. {sentence}{'' if advice is None else f' {advice}'}"
    in_brackets = "" if reason is None else f" ({reason})"
    return f"{name}. Probability of a fake: {prob:.1%}{in_brackets}."


def show_evidence(evidence: Evidence, *, key: str, media: bytes | None = None) -> None:
    """Show the evidence for a score: timeline, frames, face crops, voice, provenance.

    Args:
        evidence: The evidence.
        key: Distinguishes its widgets from those of other evidence on the page.
        media: The file, for its moments to be played; None where it is not there.
    """
    record = evidence.record
    if record.real_below is not None and record.fake_from is not None:
        show_text(_describe_thresholds(record.real_below, record.fake_from), is_small=True)
    frames = sorted(record.frames, key=lambda frame: frame.pts_seconds)
    frame = _choose_frame(frames, key=key)
    if record.kind == "video" and record.tracks:
        _show_timeline(record, None if frame is None else frame.pts_seconds)
    if frame is not None:
        _show_frame(frame, evidence)
    _show_faces(evidence)
    if record.voice is not None:
        st.header("The voice over time")
        show_voice(record.voice, last=last_second(record))
    if record.sync is not None:
        st.header("Lips and sound over time")
        show_sync(record.sync, last=last_second(record))
    show_moments(record, media, key=key)
    if record.provenance is not None:
        _show_provenance(record.provenance)
    if record.notes:
        show_text(*record.notes, is_small=True)


def _describe_thresholds(real_below: float, fake_from: float) -> str:
    real = f"Under {real_below:.1%} a probability counts as real"
    if fake_from > 1:
        return f"{real}, and none is high enough to count as fake: over it nothing is decided."
    return f"{real}, from {fake_from:.1%} on as fake; between them nothing is decided."


def _choose_frame(frames: Sequence[FrameEvidence], *, key: str) -> FrameEvidence | None:
    """Return the frame that the visitor chose with a slider, which starts at the strongest."""
    if len(frames) < 2:
        return next(iter(frames), None)
    times = [f"{frame.pts_seconds:.2f} s" for frame in frames]
    probs = [max((face.prob_fake for face in frame.faces), default=0.0) for frame in frames]
    index = st.select_slider(
        "Moment of the video",
        options=range(len(frames)),
        value=probs.index(max(probs)),
        format_func=lambda index: times[index],
        key=f"moment-{key}",
        help="Moves through the analysed frames; it starts at the strongest.",
    )
    return frames[index]


def _show_timeline(record: EvidenceRecord, moment: float | None) -> None:
    caption = "In the band nothing is decided; the dashed line marks the frame below."
    if len(record.tracks) > _MAX_LINES:
        caption += f" Of {len(record.tracks)} faces, the {_MAX_LINES} most likely fakes are drawn."
    show_text(caption, is_small=True)
    layers = [_probability_lines(record)]
    if record.real_below is not None and record.fake_from is not None:
        layers.insert(0, _uncertain_band(record.real_below, record.fake_from))
    if moment is not None:
        layers.append(_moment_line(moment))
    st.altair_chart(alt.layer(*layers).properties(height=220))


def _tracks_to_draw(record: EvidenceRecord) -> list[TrackTimeline]:
    """Return as many tracks as there is room for: the deciding one, then the highest."""

    def rank(track: TrackTimeline) -> tuple[bool, float]:
        return not track.is_strongest, -fmean(track.prob_fake or (0.0,))

    return sorted(record.tracks, key=rank)[:_MAX_LINES]


def _probability_lines(record: EvidenceRecord) -> Any:
    speaks = None if record.sync is None else record.sync.speaking_track_id
    has_more = record.voice is not None or record.sync is not None
    domain = alt.Scale(domain=[0, last_second(record)], nice=False) if has_more else alt.Undefined
    rows = [
        {"seconds": seconds, "prob_fake": prob, "face": _name_of(track, speaks=speaks)}
        for track in _tracks_to_draw(record)
        for seconds, prob in zip(track.pts_seconds, track.prob_fake, strict=True)
    ]
    return (
        alt.Chart(pd.DataFrame(rows), description="Probability of a fake over time, a line a face")
        .mark_line(point=True)
        .encode(
            x=alt.X("seconds:Q", title="time, s", scale=domain),
            y=alt.Y("prob_fake:Q", title=_PROB_TITLE, scale=alt.Scale(domain=[0, 1])),
            color=alt.Color("face:N", title=None),
            tooltip=["face", "seconds", "prob_fake"],
        )
    )


def _name_of(track: TrackTimeline, *, speaks: int | None) -> str:
    return f"face {track.track_id}{' (speaks)' if track.track_id == speaks else ''}"


def _uncertain_band(real_below: float, fake_from: float) -> Any:
    band = pd.DataFrame([{"low": real_below, "high": min(fake_from, 1.0)}])
    chart = alt.Chart(band).mark_rect(opacity=0.25, color=VERDICT_COLOURS["uncertain"])
    return chart.encode(y=alt.Y("low:Q", title=_PROB_TITLE), y2="high:Q")


def _moment_line(moment: float) -> Any:
    chart = alt.Chart(pd.DataFrame([{"seconds": moment}]))
    rule = chart.mark_rule(strokeDash=[4, 4], color="#808080")
    return rule.encode(x=alt.X("seconds:Q", title="time, s"))


def _show_frame(frame: FrameEvidence, evidence: Evidence) -> None:
    """Show a frame, and beside it the face in it that decides."""
    whole, *beside = st.columns([2, 1, 1])
    faces = ", ".join(f"face {f.track_id} {f.prob_fake:.0%}" for f in frame.faces)
    caption = f"at {frame.pts_seconds:.2f} s: {faces}"
    with whole:
        _show_picture(evidence.pictures.get(frame.picture), caption, alt=f"The frame {caption}")
    for crop in evidence.record.crops:
        if crop.frame_index == frame.frame_index:
            _show_face(crop, evidence, places=beside)


def _show_faces(evidence: Evidence) -> None:
    """Show the strongest faces, and say what a heat map does not show."""
    crops = evidence.record.crops
    if len(crops) > 1:
        st.header("The strongest faces, and what in them moved the score")
        strongest = crops[:_MAX_FACES]
        for column, crop in zip(st.columns(len(strongest)), strongest, strict=True):
            _show_face(crop, evidence, places=[column, column])
    if any(crop.heat_picture in evidence.pictures for crop in crops):
        show_text(
            "A heat map shows what moved the score, not where somebody changed the face.",
            is_small=True,
        )


def _show_face(crop: CropEvidence, evidence: Evidence, *, places: Sequence[DeltaGenerator]) -> None:
    """Show a face as the network saw it in the first place, its heat map in the second."""
    face = f"face {crop.track_id}, {crop.prob_fake:.0%} at {crop.pts_seconds:.2f} s"
    with places[0]:
        picture = evidence.pictures.get(crop.picture)
        _show_picture(picture, face, alt=f"The face as it was judged: {face}")
    caption = "bright parts moved it most"
    if crop.moved_by_hottest is not None and crop.moved_by_random is not None:
        caption += (
            f": without the brightest tenth the odds of a fake change "
            f"{_times(crop.moved_by_hottest)}-fold, without a tenth at random "
            f"{_times(crop.moved_by_random)}-fold (log-odds: {crop.moved_by_hottest:.1f} and "
            f"{crop.moved_by_random:.1f})"
        )
    with places[1]:
        picture = evidence.pictures.get(crop.heat_picture or "")
        _show_picture(picture, caption, alt=f"What in the face moved the score: {face}")


def _times(log_odds: float) -> str:
    """Return by which factor odds change, in two digits.

    Example:
        >>> _times(2.3)
        '10'
    """
    return f"{float(f'{math.exp(abs(log_odds)):.2g}'):,g}"


def _show_picture(picture: bytes | None, caption: str, *, alt: str) -> None:
    """Show a picture, if there is one; the captions of Streamlit have too little contrast."""
    if picture is not None:
        st.image(picture, alt=alt)
        show_text(caption, is_small=True)


def _show_provenance(provenance: Provenance) -> None:
    st.header("What the file says about itself")
    show_text("No part of the score.", *provenance.sentences)
    if provenance.tags:
        with st.expander("Metadata"):
            rows = list(provenance.tags.items())
            st.table(pd.DataFrame(rows, columns=["name", "value"]).map(_escape_markdown))


def _escape_markdown(text: object) -> str:
    """Return a text that a table of Streamlit shows without any mark-up."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]()#+-.!|<>~$:&" else c for c in str(text))
