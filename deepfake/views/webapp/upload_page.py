"""The page on which a visitor's file is looked at."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from deepfake.scoring import reading_of
from deepfake.views.report import render_report, report_of_rows
from deepfake.views.webapp.detector_choice import Choices, detector_choices
from deepfake.views.webapp.service import Job, Looked, Service, Stage
from deepfake.views.webapp.settings import AppSettings, settings_of_page
from deepfake.views.webapp.widgets import say, show_evidence, show_score

__all__ = ["looking_page", "offered_detectors", "page_settings"]

_POLL_SECONDS = 0.5
_ORDER = list(Stage)


@st.cache_resource
def page_settings() -> AppSettings:
    """Return what the page was started with."""
    return settings_of_page()


@st.cache_resource
def _service() -> Service:
    return Service(page_settings())


@dataclass
class _Place:
    """What a visitor has in the queue; who leaves gives it up."""

    service: Service
    job: Job | None = None

    def leave(self) -> None:
        if self.job is not None:
            self.service.give_up(self.job)


@st.cache_resource(scope="session", on_release=_Place.leave, show_spinner=False)
def _place() -> _Place:
    return _Place(_service())


@st.cache_data(ttl=60, show_spinner=False)
def offered_detectors() -> Choices:
    """Return the detectors on offer; the registry is asked once a minute."""
    return detector_choices(page_settings())


def looking_page() -> None:
    """Take a file, say how far it is, and show what was found."""
    settings = page_settings()
    st.title("Is this face real?")
    say(
        f"A picture or a video: at most {settings.max_mb} MiB, {settings.max_seconds:g} s and "
        f"{settings.max_pixels / 1e6:g} million pixels a frame. It is read on this machine, and "
        "its file is removed once it was looked at; what the page holds in memory, the file's "
        "bytes and what was found, is forgotten when you remove the file or leave."
    )
    weights = _chosen_detectors()
    if not weights:
        say("There is no detector to look with. Who serves this page names one with --weights.")
        return
    upload = st.file_uploader("A picture or a video", key="upload", on_change=_note_change)
    job = _job_of(upload, weights)
    if job is None:
        return
    if not job.is_done:
        _progress(job)
    else:
        _show(job)


def _job_of(upload: UploadedFile | None, weights: Sequence[str]) -> Job | None:
    """Return what becomes of the upload, which is submitted where it is another one than before."""
    state = st.session_state
    job: Job | None = state.get("job")
    if job is not None and job.is_given_up:  # the connection was lost while it waited
        job, state["asked"] = None, None
    is_changed = state.pop("is_changed", False)
    asked = None if upload is None else (upload.file_id, *weights)
    # Who comes back from another page finds the field empty, and what was found still there.
    if state.get("asked") != asked and (upload is not None or is_changed):
        state["asked"] = asked
        if job is not None:
            _service().give_up(job)
        job = None
        if upload is not None:
            job = _service().submit(upload.getbuffer(), name=upload.name, weights=weights)
    state["job"] = _place().job = job
    return job


def _note_change() -> None:
    st.session_state["is_changed"] = True


def _chosen_detectors() -> list[str]:
    choices = offered_detectors()
    with st.sidebar:
        if choices.note:
            say(choices.note, is_small=True)
        names = list(choices.labels)
        if not names:
            return []
        first = st.selectbox("Detector", names, format_func=choices.labels.__getitem__)
        others = [name for name in names if name != first]
        chosen = [str(first)]
        if others and st.checkbox("Compare with another detector"):
            second = st.selectbox("The other one", others, format_func=choices.labels.__getitem__)
            chosen.append(str(second))
    return chosen


@st.fragment(run_every=_POLL_SECONDS)
def _progress(job: Job) -> None:
    if job.is_done:
        st.rerun()
    before = _service().num_before(job)
    told = str(job.stage)
    if job.stage is Stage.WAITING and before:
        told = f"waiting for {before} other {'file' if before == 1 else 'files'}"
    st.progress(_ORDER.index(job.stage) / (len(_ORDER) - 1), text=f"{told} ...")


def _show(job: Job) -> None:
    if job.refusal is not None:
        st.html("<p role='alert' style='font-weight:700;margin:0'>Not looked at</p>")
        say(f"{job.name}: {job.refusal.rstrip('.')}.")
        return
    columns = st.columns(len(job.found)) if len(job.found) > 1 else [st.container()]
    for number, (column, looked) in enumerate(zip(columns, job.found, strict=True)):
        with column:
            show_score(looked.score, detector=looked.detector, spec=looked.spec)
            if looked.item is not None:
                show_evidence(looked.item, key=str(number))
            _downloads(looked, key=str(number))


def _downloads(looked: Looked, *, key: str) -> None:
    st.header("Keep it")
    st.download_button(
        "Report (HTML)",
        data=lambda: _report(looked),
        file_name="report.html",
        mime="text/html",
        on_click="ignore",
        key=f"report-{key}",
    )
    st.download_button(
        "Score (JSON)",
        data=json.dumps(_json_row(looked.score), indent=2, ensure_ascii=False),
        file_name="score.json",
        mime="application/json",
        on_click="ignore",
        key=f"json-{key}",
    )


def _report(looked: Looked) -> bytes:
    report = report_of_rows(
        [looked.score],
        detector=looked.detector,
        notes=looked.spec.reading_notes,
        reading=reading_of(looked.spec),
        items=[] if looked.item is None else [looked.item],
    )
    return render_report(report).encode()


def _json_row(row: dict[str, Any]) -> dict[str, Any]:
    # JSON has no NaN; what is not known is null.
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()}
