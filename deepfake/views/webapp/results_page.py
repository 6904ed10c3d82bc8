"""The page on which the results of a bulk job are filtered and looked at."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from deepfake.config import digest_of
from deepfake.errors import DataError, DeepfakeError
from deepfake.evidence import evidence_folder, kept_evidence, read_evidence, read_picture
from deepfake.scoring import ScoresFolder, noted_outputs
from deepfake.storage import DataRoot, Location, location_of, read_json
from deepfake.views.report import Item, Report, read_report
from deepfake.views.webapp.redaction import shown_names, without_folder
from deepfake.views.webapp.upload_page import page_settings
from deepfake.views.webapp.widgets import say, show_evidence

__all__ = ["bulk_page", "offered_outputs"]

_COLUMNS = ["uri", "verdict", "prob_fake", "status", "kind", "num_faces", "num_frames", "reason"]


@dataclass(frozen=True)
class _Results:
    report: Report
    table: pd.DataFrame
    version: str
    folder: str


def offered_outputs() -> list[str]:
    """Return the results that may be looked at: those named at the start, and those noted.

    Nothing else of this machine can be named by a visitor.
    """
    settings = page_settings()
    named = list(settings.outputs)
    try:
        named += [str(place) for place in noted_outputs(DataRoot(settings.data_root))]
    except DataError as error:
        say(f"Noted results cannot be offered: {error.message}.", is_small=True)
    places = {name: location_of(name) for name in dict.fromkeys(named)}
    return [name for name, place in places.items() if (place / "run.json").is_file()]


def bulk_page() -> None:
    """Show totals, a table to filter, and the evidence of the file that was chosen."""
    st.title("Results of a folder")
    offered = offered_outputs()
    if not offered:
        say("No finished results here. First: deepfake score FOLDER --output RESULTS")
        return
    names = shown_names(offered, settings=page_settings())
    chosen = str(st.selectbox("Results", offered, format_func=names.__getitem__))
    try:
        told = read_json(location_of(chosen) / "run.json")
        results = _read(chosen, str(told.get("written")))
    except (DeepfakeError, OSError) as error:
        say(f"They cannot be read: {_why(error)}.")
        return
    report = results.report
    lie_in = [f"Files are named below {results.folder}"] if results.folder else []
    say(f"Detector: {report.detector}", *report.notes, *lie_in, is_small=True)
    _totals(report)
    rows = _filtered(results.table)
    say(f"{len(rows):,} of {len(results.table):,} files; choose a row to see its evidence.")
    # Streamlit keeps the position that was ticked: of other rows it would be another file's.
    shown = digest_of(chosen, str(told.get("written")), *rows["uri"].tolist())
    event = st.dataframe(
        rows[_COLUMNS],
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        column_config={"prob_fake": st.column_config.NumberColumn(format="percent")},
        key=f"rows-{shown}",
    )
    folder = evidence_folder(ScoresFolder(location_of(chosen)).version(results.version))
    row = _chosen(rows, event["selection"]["rows"], kept=set(kept_evidence(folder)), key=shown)
    if row is not None:
        _show_file(folder, row)
    if report.failures:
        st.header("Files that could not be used")
        st.dataframe(pd.DataFrame(report.failures), hide_index=True, key="failures")


@st.cache_data(max_entries=2, show_spinner="Reading the results")
def _read(output: str, written: str) -> _Results:
    """Return results; `written` tells those of another run apart."""
    place = location_of(output)
    version = str(read_json(place / "run.json")["version"])
    report = read_report(place, version=ScoresFolder(place).version(version))
    folder = report.rows.folder if page_settings().is_showing_places else ""
    report = without_folder(report)
    columns: dict[str, Any] = dict(report.rows.columns)
    for name, values in report.rows.names.items():
        told = np.array(values, dtype=object)[np.array(columns[name], dtype=np.int64)]
        columns[name] = pd.Categorical(told, categories=sorted(set(values)))
    return _Results(report, pd.DataFrame(columns), version, folder)


def _why(error: Exception) -> str:
    if isinstance(error, DeepfakeError):
        return error.message
    told = error.strerror if isinstance(error, OSError) else None
    return told or type(error).__name__


def _totals(report: Report) -> None:
    for column, (verdict, count) in zip(
        st.columns(max(1, len(report.verdicts))), report.verdicts.items(), strict=False
    ):
        column.metric(verdict.replace("_", " "), f"{count:,}")
    if report.rows.num_left_out:
        say(f"{report.rows.num_left_out:,} files with lower probabilities are not in the table.")


def _filtered(table: pd.DataFrame) -> pd.DataFrame:
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
        # What has no score has no place among probabilities.
        keep &= table["prob_fake"].between(low, high)
    return table[keep]


def _chosen(
    rows: pd.DataFrame, selected: list[int], *, kept: set[str], key: str
) -> Mapping[Hashable, Any] | None:
    """Return the row that was ticked, or else chosen by its name among those with evidence."""
    if selected:
        return rows.iloc[selected[0]].to_dict()
    telling = rows[rows["media_id"].isin(kept)]
    names = telling["uri"].tolist()
    at = st.selectbox(
        "Or choose one that evidence is kept of",
        range(len(names)),
        index=None,
        format_func=names.__getitem__,
        key=f"chosen-{key}",
    )
    return None if at is None else telling.iloc[at].to_dict()


def _show_file(folder: Location, row: Mapping[Hashable, Any]) -> None:
    st.header("The chosen file")
    prob = row["prob_fake"]
    likely = "" if prob is None or pd.isna(prob) else f", probability of a fake {prob:.1%}"
    say(str(row["uri"]), f"{row['verdict']}{likely}. {row['reason'] or ''}")
    media_id = row["media_id"]
    record = read_evidence(folder, media_id) if isinstance(media_id, str) else None
    if record is None:
        say("No evidence is kept for it; `score --evidence N` keeps that of N files.")
        return
    found = {name: read_picture(folder, record.media_id, name) for name in record.pictures}
    pictures = {name: picture for name, picture in found.items() if picture is not None}
    show_evidence(Item(record, pictures), key=record.media_id)
