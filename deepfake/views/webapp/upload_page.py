"""The page on which a visitor uploads a file and sees its score and evidence."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from deepfake.scoring import describe_for_report, json_row
from deepfake.types import Kind
from deepfake.views.report import create_report, render_report
from deepfake.views.webapp.detector_choice import DetectorChoices, list_detectors
from deepfake.views.webapp.settings import AppSettings, read_settings
from deepfake.views.webapp.sync_widgets import show_file_score, show_sync_score
from deepfake.views.webapp.upload_queue import QueuedUpload, Stage, UploadQueue, UploadResult
from deepfake.views.webapp.verdict_box import show_text
from deepfake.views.webapp.voice_widgets import show_voice_clip, show_voice_score
from deepfake.views.webapp.widgets import show_evidence, show_score

__all__ = ["list_offered_detectors", "page_settings", "upload_page"]

_POLL_SECONDS = 0.5
_STAGES = list(Stage)


@st.cache_resource
def page_settings() -> AppSettings:
    """Return the settings that the page was started with."""
    return read_settings()


@st.cache_resource
def _queue() -> UploadQueue:
    return UploadQueue(page_settings())


@dataclass
class _Visit:
    """The upload of a visitor; it is cancelled when the visitor leaves."""

    queue: UploadQueue
    job: QueuedUpload | None = None

    def end(self) -> None:
        if self.job is not None:
            self.queue.cancel(self.job)


@st.cache_resource(scope="session", on_release=_Visit.end, show_spinner=False)
def _visit() -> _Visit:
    return _Visit(_queue())


@st.cache_data(ttl=60, show_spinner=False)
def list_offered_detectors() -> DetectorChoices:
    """Return the detectors on offer; the registry is queried once a minute."""
    return list_detectors(page_settings())


def upload_page() -> None:
    """Take a file, show the progress, and show its score and evidence."""
    settings = page_settings()
    st.title("Is this face real?")
    show_text(
        f"A picture, a video or a sound recording: at most {settings.max_mb} MiB, "
        f"{settings.max_seconds:g} s and "
        f"{settings.max_pixels / 1e6:g} million pixels a frame. It is read on this machine and "
        "deleted from its disk as soon as it is scored. The page keeps the file and its score in "
        "memory until you remove the file or leave."
    )
    weights = _chosen_detectors()
    if not weights:
        show_text(
            "There is no detector here. The operator of this page can name one with --weights."
        )
        return
    upload = st.file_uploader(
        "A picture, a video or a sound recording", key="upload", on_change=_note_change
    )
    job = _job_of(upload, weights)
    if job is None:
        return
    if not job.is_done:
        _show_progress(job)
    else:
        _show_results(job, media=None if upload is None else upload.getvalue())


def _job_of(upload: UploadedFile | None, weights: Sequence[str]) -> QueuedUpload | None:
    """Return the job of the upload; a new upload, or other detectors, make a new job."""
    state = st.session_state
    job: QueuedUpload | None = state.get("job")
    if job is not None and job.is_cancelled:  # the connection was lost while it waited
        job, state["submitted"] = None, None
    is_changed = state.pop("is_changed", False)
    submitted = None if upload is None else (upload.file_id, *weights)
    # A visitor who returns from another page finds the field empty, and still sees the results.
    if state.get("submitted") != submitted and (upload is not None or is_changed):
        state["submitted"] = submitted
        if job is not None:
            _queue().cancel(job)
        job = None
        if upload is not None:
            job = _queue().submit(upload.getbuffer(), name=upload.name, weights=weights)
    state["job"] = _visit().job = job
    return job


def _note_change() -> None:
    st.session_state["is_changed"] = True


def _chosen_detectors() -> list[str]:
    choices = list_offered_detectors()
    with st.sidebar:
        if choices.note:
            show_text(choices.note, is_small=True)
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
def _show_progress(job: QueuedUpload) -> None:
    if job.is_done:
        st.rerun()
    before = _queue().num_before(job)
    text = str(job.stage)
    if job.stage is Stage.WAITING and before:
        text = f"waiting for {before} other {'file' if before == 1 else 'files'}"
    st.progress(_STAGES.index(job.stage) / (len(_STAGES) - 1), text=f"{text} ...")


def _show_results(job: QueuedUpload, *, media: bytes | None) -> None:
    if job.error is not None:
        st.html("<p role='alert' style='font-weight:700;margin:0'>Not scored</p>")
        show_text(f"{job.name}: {job.error.rstrip('.')}.")
        return
    columns = st.columns(len(job.results)) if len(job.results) > 1 else [st.container()]
    for number, (column, result) in enumerate(zip(columns, job.results, strict=True)):
        with column:
            _show_scores(result)
            if result.evidence is not None:
                show_evidence(result.evidence, key=str(number), media=media)
            _show_downloads(result, key=str(number))


def _show_scores(result: UploadResult) -> None:
    """Show the verdict on the file, then each answer; of sound alone, that on the voice."""
    show_file_score(result.score)
    score, is_heard = result.score, result.score["verdict_voice"] is not None
    if score["kind"] != Kind.AUDIO or not is_heard:
        show_score(score, detector=result.detector, spec=result.spec)
    if is_heard and score["kind"] != Kind.IMAGE:
        show_voice_score(score, detector=result.voice_detector, notes=result.voice_notes)
        show_voice_clip(result.voice_clip, score)
    if score["kind"] == Kind.VIDEO:
        show_sync_score(score, detector=result.sync_detector, notes=result.sync_notes)


def _show_downloads(result: UploadResult, *, key: str) -> None:
    st.header("Download")
    st.download_button(
        "Report (HTML)",
        data=lambda: _render_report(result),
        file_name="report.html",
        mime="text/html",
        on_click="ignore",
        key=f"report-{key}",
    )
    st.download_button(
        "Score (JSON)",
        data=json.dumps(json_row(result.score), indent=2, ensure_ascii=False),
        file_name="score.json",
        mime="application/json",
        on_click="ignore",
        key=f"json-{key}",
    )


def _render_report(result: UploadResult) -> bytes:
    report = create_report(
        [result.score],
        detector=result.detector,
        notes=[
            *result.spec.reading_notes,
            *(f"Of voices: {n}" for n in result.voice_notes),
            *(f"Of lips: {n}" for n in result.sync_notes),
        ],
        reading=describe_for_report(result.spec),
        evidence=[] if result.evidence is None else [result.evidence],
        voice_detector=result.voice_detector,
        sync_detector=result.sync_detector,
    )
    return render_report(report).encode()
