"""The page with the results of a scored folder: totals, a table to filter, evidence of a file."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from deepfake.config import digest_of
from deepfake.errors import DataError, DeepfakeError
from deepfake.evidence import (
    evidence_folder,
    list_evidence,
    load_evidence,
    make_evidence_for,
)
from deepfake.scoring import ScoresFolder, list_outputs
from deepfake.storage import DataRoot, Location, location_of, read_json
from deepfake.views.report import Report, read_report
from deepfake.views.webapp.display_names import display_names, without_folder
from deepfake.views.webapp.sync_widgets import show_sync_score
from deepfake.views.webapp.upload_page import page_settings
from deepfake.views.webapp.verdict_box import show_text
from deepfake.views.webapp.voice_widgets import show_voice_score
from deepfake.views.webapp.widgets import show_evidence

__all__ = ["list_offered_outputs", "results_page"]

_MAKING = threading.Lock()
"""Visitors' evidence is made one file after another."""

_COLUMNS = ["uri", "verdict", "prob_fake", "status", "kind", "num_faces", "num_frames", "reason"]
_FILE_COLUMNS = ["verdict_file", "prob_fake_file", "reason_file"]
_FURTHER_COLUMNS = [
    "verdict_voice",
    "prob_fake_voice",
    "reason_voice",
    "verdict_sync",
    "prob_mismatch",
    "reason_sync",
]
_PROBABILITIES = ("prob_fake", "prob_fake_voice", "prob_mismatch", "prob_fake_file")


@dataclass(frozen=True)
class _Results:
    report: Report
    table: pd.DataFrame
    version: str
    folder: str


def list_offered_outputs() -> list[str]:
    """Return the scored folders on offer: those of the settings, and those noted by the data root.

    A visitor cannot choose any other folder.
    """
    settings = page_settings()
    named = list(settings.outputs)
    try:
        named += [str(place) for place in list_outputs(DataRoot(settings.data_root))]
    except DataError as error:
        show_text(
            f"Results noted under the data root cannot be offered: {error.message}.", is_small=True
        )
    places = {name: location_of(name) for name in dict.fromkeys(named)}
    return [name for name, place in places.items() if (place / "run.json").is_file()]


def results_page() -> None:
    """Show totals, a table to filter, and the evidence for the chosen file."""
    st.title("Results of a folder")
    offered = list_offered_outputs()
    if not offered:
        show_text("No finished results here. First: deepfake score FOLDER --output RESULTS")
        return
    names = display_names(offered, settings=page_settings())
    chosen = str(st.selectbox("Results", offered, format_func=names.__getitem__))
    try:
        written = str(read_json(location_of(chosen) / "run.json").get("written"))
        results = _read_results(chosen, written)
    except (DeepfakeError, OSError) as error:
        show_text(f"They cannot be read: {_message(error)}.")
        return
    report = results.report
    folder_note = [f"Files are in {results.folder}"] if results.folder else []
    show_text(f"Detector: {report.detector}", *report.notes, *folder_note, is_small=True)
    _show_totals(report)
    rows = _filter(results.table)
    show_text(f"{len(rows):,} of {len(results.table):,} files; choose a row to see its evidence.")
    # Streamlit keeps the position of the ticked row: in other rows, that is another file.
    key = digest_of(chosen, written, *rows["uri"].tolist())
    event = st.dataframe(
        rows[_shown_columns(rows)],
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        column_config={
            name: st.column_config.NumberColumn(format="percent") for name in _PROBABILITIES
        },
        key=f"rows-{key}",
    )
    version_dir = ScoresFolder(location_of(chosen)).version(results.version)
    kept = set(list_evidence(evidence_folder(version_dir)))
    row = _chosen_row(rows, event["selection"]["rows"], kept=kept, key=key)
    if row is not None:
        _show_file(version_dir, row)
    if report.failures:
        st.header("Files that could not be used")
        st.dataframe(pd.DataFrame(report.failures), hide_index=True, key="failures")


@st.cache_data(max_entries=2, show_spinner="Reading the results")
def _read_results(output: str, written: str) -> _Results:
    """Return the results of a scored folder; `written` is a part of the cache's key."""
    location = location_of(output)
    version = str(read_json(location / "run.json")["version"])
    report = read_report(location, version_dir=ScoresFolder(location).version(version))
    folder = report.rows.folder if page_settings().is_showing_paths else ""
    report = without_folder(report)
    columns: dict[str, Any] = dict(report.rows.columns)
    for name, values in report.rows.names.items():
        texts = np.array(values, dtype=object)[np.array(columns[name], dtype=np.int64)]
        columns[name] = pd.Categorical(texts, categories=sorted(set(values)))
    return _Results(report, pd.DataFrame(columns), version, folder)


def _shown_columns(rows: pd.DataFrame) -> list[str]:
    """Return the columns of the table: the name, the verdict on the file, then each answer."""
    of_file, further = (
        [n for n in names if n in rows] for names in (_FILE_COLUMNS, _FURTHER_COLUMNS)
    )
    return [_COLUMNS[0], *of_file, *_COLUMNS[1:], *further]


def _message(error: Exception) -> str:
    """Return what went wrong, without any path."""
    if isinstance(error, DeepfakeError):
        return error.message
    reason = error.strerror if isinstance(error, OSError) else None
    return reason or type(error).__name__


def _show_totals(report: Report) -> None:
    if report.file_verdicts:
        show_text("Files, by all answers together:")
        _show_counts(report.file_verdicts)
        show_text("Faces:")
    _show_counts(report.verdicts)
    if report.voice_verdicts:
        show_text("Voices:")
        _show_counts(report.voice_verdicts)
    if report.sync_verdicts:
        show_text("Lips and sound:")
        _show_counts(report.sync_verdicts)
    if report.rows.num_left_out:
        show_text(
            f"{report.rows.num_left_out:,} files with lower probabilities are not in the table."
        )


def _show_counts(counts: Mapping[str, int]) -> None:
    for column, (verdict, count) in zip(
        st.columns(max(1, len(counts))), counts.items(), strict=False
    ):
        column.metric(verdict.replace("_", " "), f"{count:,}")


def _filter(table: pd.DataFrame) -> pd.DataFrame:
    left, middle, right = st.columns(3)
    text = left.text_input("Name or reason contains", key="text")
    verdicts = middle.multiselect("Verdict", list(table["verdict"].cat.categories), key="verdicts")
    statuses = right.multiselect("Status", list(table["status"].cat.categories), key="statuses")
    low, high = st.slider("Probability of a fake", 0.0, 1.0, (0.0, 1.0), key="prob")
    keep = pd.Series(True, index=table.index)
    if text:
        found = table["uri"].str.contains(text, case=False, regex=False)
        keep &= found | table["reason"].astype(str).str.contains(text, case=False, regex=False)
    if verdicts:
        keep &= table["verdict"].isin(verdicts)
    if statuses:
        keep &= table["status"].isin(statuses)
    if (low, high) != (0.0, 1.0):
        # Files without a score have no probability.
        keep &= table["prob_fake"].between(low, high)
    return table[keep]


def _chosen_row(
    rows: pd.DataFrame, selected: list[int], *, kept: set[str], key: str
) -> Mapping[Hashable, Any] | None:
    """Return the row that was ticked; else one chosen by name among those with evidence."""
    if selected:
        return rows.iloc[selected[0]].to_dict()
    explained = rows[rows["media_id"].isin(kept)]
    names = explained["uri"].tolist()
    index = st.selectbox(
        "Or choose one with evidence",
        range(len(names)),
        index=None,
        format_func=names.__getitem__,
        key=f"chosen-{key}",
    )
    return None if index is None else explained.iloc[index].to_dict()


def _show_file(version_dir: Location, row: Mapping[Hashable, Any]) -> None:
    st.header("The chosen file")
    prob = row["prob_fake"]
    if row.get("verdict_file"):
        show_text(f"The file, by all answers: {row['verdict_file']}. {row['reason_file'] or ''}")
    likely = "" if _known(prob) is None else f", probability of a fake {prob:.1%}"
    show_text(str(row["uri"]), f"{row['verdict']}{likely}. {row['reason'] or ''}")
    if row.get("verdict_voice"):
        voice = {str(name): value for name, value in row.items()}
        show_voice_score({**voice, "prob_fake_voice": _known(row["prob_fake_voice"])})
    if row.get("verdict_sync"):
        lips = {str(name): value for name, value in row.items()}
        show_sync_score({**lips, "prob_mismatch": _known(row["prob_mismatch"])})
    media_id, probs = row["media_id"], [row.get(name) for name in _PROBABILITIES]
    if not isinstance(media_id, str) or all(_known(value) is None for value in probs):
        return
    evidence = load_evidence(evidence_folder(version_dir), media_id)
    if evidence is not None:
        show_evidence(evidence, key=media_id)
    elif st.button("Make the evidence", key=f"make-{media_id}"):
        _make_evidence(version_dir, media_id)


def _known(value: Any) -> float | None:
    return None if value is None or pd.isna(value) else float(value)


def _make_evidence(version_dir: Location, media_id: str) -> None:
    with st.spinner("Making the evidence"), _MAKING:
        try:
            make_evidence_for(version_dir, media_id, data_root=page_settings().data_root)
        except (DeepfakeError, OSError) as error:
            show_text(f"It cannot be made: {_message(error)}.")
            return
    st.rerun()
