"""Make one row a file and one row a frame from the logits of crops."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from deepfake.config import AggregationConfig
from deepfake.errors import DataError
from deepfake.types import Kind, Status
from deepfake.verdicts.aggregation import FileScore, aggregate_by_uri
from deepfake.verdicts.calibration import Thresholds, verdict_of
from deepfake.verdicts.judgement import JudgementSettings

__all__ = ["FACE_COLUMNS", "file_table", "frame_table"]

_KEYS = ["corpus", "uri"]

FACE_COLUMNS = ("face_px", "sharpness", "brightness", "yaw")
"""Columns that describe a file's largest face."""
_CARRIED = (
    "uri",
    "media_id",
    "corpus",
    "kind",
    "label",
    "method",
    "group",
    "original",
    "compression",
    "split",
    "status",
    "is_partial",
)


def file_table(
    crops: pd.DataFrame,
    outcomes: pd.DataFrame,
    *,
    aggregation: AggregationConfig,
    settings: Mapping[Kind, JudgementSettings],
) -> pd.DataFrame:
    """Return one row a labelled file, those without a score too.

    Beside what the outcomes say: `logit`, `log_odds`, `prob_fake` and `log_lr` (calibrated by kind,
    null without a score; `log_lr` is the natural logarithm of the likelihood ratio, within the
    detector's bounds if it has them), `verdict`, `reason`, `cause` (the reason without numbers),
    `threshold`, `num_faces`, `num_tracks`, `num_frames`, `strongest_track_id`,
    `strongest_pts_seconds`, and `face_px`, `sharpness`, `brightness`, `yaw` of the largest face:
    medians over its track. The largest face, not the strongest, so that pairs do not depend on the
    detector. Files without a score have no face columns.

    Args:
        crops: A row a crop with its `logit`.
        outcomes: A row a file, the failed ones too.
        aggregation: How crops become a file.
        settings: Calibration and thresholds by kind.

    Raises:
        DataError: A crop's file has no outcome, a file has two, or an `ok` file has no crops.
    """
    labelled = outcomes[outcomes["label"].notna() & (outcomes["status"] != Status.MISSING)]
    files = labelled.reindex(columns=list(_CARRIED)).reset_index(drop=True)
    files["group"] = files["group"].fillna(files["media_id"]).fillna(files["uri"])
    _check_keys(crops, outcomes)
    is_ok = files["status"] == Status.OK
    keys = list(zip(files["corpus"], files["uri"], strict=True))
    wanted = crops.merge(files.loc[is_ok, _KEYS], on=_KEYS, how="inner")
    if "landmarks" in wanted.columns:
        wanted = wanted.assign(yaw=[_yaw_of(points) for points in wanted["landmarks"]])
    scores = aggregate_by_uri(wanted, config=aggregation, keys=_KEYS) if len(wanted) else {}
    lost = [key for key, ok in zip(keys, is_ok, strict=True) if ok and key not in scores]
    if lost:
        raise DataError(
            f"{len(lost)} files have the status ok and no logits, the first",
            path=lost[0][1],
            hint="The crops and the outcomes must be of the same files.",
        )
    found = [scores.get(key) for key in keys]
    scored = pd.concat(
        [files, _score_columns(found), _verdict_columns(files, found, settings)], axis=1
    )
    return scored.merge(_face_columns(wanted), on=_KEYS, how="left")


def frame_table(
    crops: pd.DataFrame, files: pd.DataFrame, *, settings: Mapping[Kind, JudgementSettings]
) -> pd.DataFrame:
    """Return one row a frame with a face, of the files that have a score.

    Args:
        crops: A row a crop with its `logit`.
        files: What `file_table` returned.
        settings: Calibration by kind.

    Returns:
        `corpus`, `uri`, `kind`, `label`, `group`, `frame_index`, `logit` (the highest of the
        frame's faces), `log_odds`, `prob_fake`, `threshold`.
    """
    scored = files.loc[files["logit"].notna(), [*_KEYS, "kind", "label", "group", "threshold"]]
    highest = crops.groupby([*_KEYS, "frame_index"], as_index=False)["logit"].max()
    frames: pd.DataFrame = highest.merge(scored, on=_KEYS, how="inner")
    odds = np.full(len(frames), np.nan)
    probs = np.full(len(frames), np.nan)
    for kind, chosen in settings.items():
        own = (frames["kind"] == kind).to_numpy()
        logits = frames["logit"].to_numpy(dtype=np.float64)[own]
        odds[own] = chosen.calibration.log_odds(logits)
        probs[own] = chosen.calibration.prob(logits)
    return frames.assign(log_odds=odds, prob_fake=probs)


def _check_keys(crops: pd.DataFrame, outcomes: pd.DataFrame) -> None:
    if outcomes.duplicated(_KEYS).any():
        twice = outcomes.loc[outcomes.duplicated(_KEYS), "uri"].iloc[0]
        raise DataError("a file has two outcomes", path=twice)
    known = pd.MultiIndex.from_frame(outcomes[_KEYS])
    is_known = pd.MultiIndex.from_frame(crops[_KEYS]).isin(known)
    if not is_known.all():
        raise DataError("a crop's file has no outcome", path=crops["uri"][~is_known].iloc[0])


def _score_columns(scores: list[FileScore | None]) -> pd.DataFrame:
    names = ("num_faces", "num_tracks", "num_frames", "strongest_track_id")
    columns: dict[str, object] = {
        "logit": np.array([np.nan if s is None else s.logit for s in scores], dtype=np.float64),
        "strongest_pts_seconds": np.array(
            [np.nan if s is None else s.strongest_pts_seconds for s in scores], dtype=np.float64
        ),
    }
    for name in names:
        columns[name] = pd.array(
            [pd.NA if s is None else getattr(s, name) for s in scores], dtype="Int64"
        )
    return pd.DataFrame(columns)


def _verdict_columns(
    files: pd.DataFrame, scores: list[FileScore | None], settings: Mapping[Kind, JudgementSettings]
) -> pd.DataFrame:
    rows: list[tuple[float, float, float, str, str | None, str | None, float]] = []
    for kind, score in zip(files["kind"], scores, strict=True):
        if score is None:
            nothing = str(verdict_of(None, Thresholds()))
            rows.append((np.nan, np.nan, np.nan, nothing, None, None, np.nan))
            continue
        chosen = settings[Kind(kind)]
        verdict, reason = chosen.judge(score)
        rows.append(
            (
                chosen.calibration.log_odds(score.logit),
                chosen.calibration.prob(score.logit),
                chosen.log_likelihood_ratio(score.logit),
                str(verdict),
                None if reason is None else reason.message,
                None if reason is None else reason.cause,
                chosen.thresholds.decision,
            )
        )
    return pd.DataFrame(
        rows, columns=["log_odds", "prob_fake", "log_lr", "verdict", "reason", "cause", "threshold"]
    )


def _yaw_of(landmarks: Any) -> float:
    """Return how far a head is turned aside: the nose's way from the axis, in eye distances.

    0 looks into the camera, 0.5 has the nose over one eye.
    """
    points = np.asarray(landmarks, dtype=np.float64).reshape(5, 2)
    eyes, mouth = points[:2].mean(axis=0), points[3:].mean(axis=0)
    down = mouth - eyes
    height = max(float(np.hypot(*down)), 1e-6)
    across = np.array([down[1], -down[0]]) / height
    # A head in profile shows its eyes close together: its height keeps the scale.
    width = max(abs(float((points[1] - points[0]) @ across)), 0.5 * height)
    return abs(float((points[2] - eyes) @ across)) / width


def _face_columns(crops: pd.DataFrame) -> pd.DataFrame:
    names = [n for n in FACE_COLUMNS if n in crops.columns]
    tracks = crops.groupby([*_KEYS, "track_id"], as_index=False)[names].median()
    if "face_px" in names:
        tracks = tracks.sort_values(
            [*_KEYS, "face_px", "track_id"], ascending=[True, True, False, True]
        )
    return tracks.drop_duplicates(_KEYS).reindex(columns=[*_KEYS, *FACE_COLUMNS])
