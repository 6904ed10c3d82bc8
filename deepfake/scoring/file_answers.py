"""The one answer on a file, from the columns of its row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from deepfake.types import Kind, SyncVerdict, Verdict
from deepfake.verdicts.file_rule import Answer, FileRule, join_answers

__all__ = ["FILE_COLUMNS", "answers_of", "fill_file_answers", "join_columns"]

FILE_COLUMNS = ("verdict_file", "reason_file", "prob_fake_file", "likelihood_ratio_file")
"""Columns of the answer on a file."""

_OF_SYNC: Mapping[str, Verdict] = {
    str(SyncVerdict.MISMATCH): Verdict.FAKE,
    str(SyncVerdict.NO_MISMATCH): Verdict.REAL,
    str(SyncVerdict.NOT_APPLICABLE): Verdict.NOT_APPLICABLE,
}


def answers_of(row: Mapping[str, Any]) -> tuple[Answer, ...]:
    """Return what a row of scores says of each way in which its file can have been made.

    A voice can be made in a file with any speech, lips can be moved in one with a face and speech,
    even if there is too little of it to judge. A way that nobody asked about is left out.

    Args:
        row: Columns of the scores table.
    """
    faces, voice, sync = _of_faces(row), _of_voice(row), _of_sync(row)
    has_speech = bool(row.get("speech_seconds")) and row.get("kind") != Kind.IMAGE
    is_possible = {
        "faces": _is_judged(faces),
        "voice": _is_judged(voice) or (voice is not None and has_speech),
        "sync": _is_judged(sync) or (sync is not None and has_speech and _is_judged(faces)),
    }
    return tuple(a for a in (faces, voice, sync) if a is not None and is_possible[a.way])


def _of_faces(row: Mapping[str, Any]) -> Answer:
    ratio = row.get("likelihood_ratio")
    return Answer("faces", Verdict(row["verdict"]), row["prob_fake"], ratio, row.get("reason"))


def _of_voice(row: Mapping[str, Any]) -> Answer | None:
    verdict = row.get("verdict_voice")
    if verdict is None:
        return None
    ratio, reason = row.get("likelihood_ratio_voice"), row.get("reason_voice")
    return Answer("voice", Verdict(verdict), row.get("prob_fake_voice"), ratio, reason)


def _of_sync(row: Mapping[str, Any]) -> Answer | None:
    verdict = row.get("verdict_sync")
    if verdict is None:
        return None
    ratio, reason = row.get("likelihood_ratio_sync"), row.get("reason_sync")
    return Answer("sync", _OF_SYNC[str(verdict)], row.get("prob_mismatch"), ratio, reason)


def _is_judged(answer: Answer | None) -> bool:
    return answer is not None and answer.verdict is not Verdict.NOT_APPLICABLE


def join_columns(row: Mapping[str, Any], *, rule: FileRule | None = None) -> dict[str, Any]:
    """Return the columns of the answer on a file.

    Args:
        row: Columns of the scores table.
        rule: How answers are joined; None for the rule of this package.
    """
    joined = join_answers(answers_of(row), prior=row["prior"], rule=rule)
    reason = joined.reason
    if joined.verdict is Verdict.NOT_APPLICABLE:
        is_sound = row.get("kind") == Kind.AUDIO and row.get("reason_voice") is not None
        reason = row["reason_voice"] if is_sound else row.get("reason")
    values = (joined.verdict, reason, joined.prob_fake, joined.likelihood_ratio)
    return dict(zip(FILE_COLUMNS, values, strict=True))


def fill_file_answers(batch: pa.RecordBatch, *, rule: FileRule | None = None) -> pa.RecordBatch:
    """Return rows of scores with the answers on files that earlier versions did not write.

    Args:
        batch: Rows of the scores table.
        rule: As for `join_columns`.
    """
    if not batch.column("verdict_file").null_count:
        return batch
    rows = [
        row if row["verdict_file"] is not None else {**row, **join_columns(row, rule=rule)}
        for row in batch.to_pylist()
    ]
    columns = {
        name: pa.array([row[name] for row in rows], batch.schema.field(name).type)
        for name in FILE_COLUMNS
    }
    arrays = [columns.get(name, batch.column(name)) for name in batch.schema.names]
    return pa.RecordBatch.from_arrays(arrays, schema=batch.schema)
