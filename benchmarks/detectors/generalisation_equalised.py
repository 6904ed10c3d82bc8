"""Measure clips again after all their faces were brought to one size and one compression.

Reals and fakes of talking heads come from different sources: one is sharper, larger or compressed
less. Stills of their frames are resized so that each face has the same size, and compressed alike,
before faces are looked for. What tells them apart then is not how they were published.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from benchmarks.detectors.generalisation_rows import files_of
from benchmarks.detectors.generalisation_scores import MediaScores, score_rows, state_of
from deepfake.config import digest_of
from deepfake.corpora.layouts import scan_media
from deepfake.corpora.manifest_row import ManifestRow
from deepfake.media import jpeg_round_trip, open_video, write_image
from deepfake.scoring import ScoreJob
from deepfake.storage import path_of_uri, read_json, write_json
from deepfake.types import Frame

__all__ = ["FACE_PX", "JPEG_QUALITY", "equalised_files", "write_equal_stills"]

FACE_PX = 96
"""Longer side of a face: smaller than nearly all are, so that none has more detail than others."""
JPEG_QUALITY = 75
_STILLS_A_CLIP = 4


def equalised_files(
    rows: Sequence[ManifestRow], found: MediaScores, *, name: str, job: ScoreJob, state: Path
) -> pd.DataFrame:
    """Return a row a clip, as `files_of`, with the mean logit and sharpness of its equal stills.

    The stills lie in a folder that is removed afterwards: only numbers are kept.

    Args:
        rows: Probed clips.
        found: Their scores, which say where the faces are.
        name: Of the set.
        job: Which detector, and how it scores.
        state: What is kept between runs.
    """
    files = files_of(rows, found)
    clips = files[files["logit"].notna()]
    key = digest_of(str(FACE_PX), str(JPEG_QUALITY), str(_STILLS_A_CLIP))
    kept = state_of(state, job) / f"{name}-equalised-{key}.json"
    known = read_json(kept) if kept.is_file() else {}
    waiting = clips[~clips["media_id"].isin(list(known))].drop_duplicates("media_id")
    if len(waiting):
        with tempfile.TemporaryDirectory(prefix="deepfake-stills-") as folder:
            place = Path(folder)
            for clip in waiting.itertuples():
                own = found["frames"][found["frames"]["media_id"] == clip.media_id]
                own = own[own["track_id"] == _deciding_track(found, str(clip.media_id))]
                write_equal_stills(
                    path_of_uri(str(clip.uri)), own, to=place, name=str(clip.media_id), job=job
                )
            known |= _score_stills(place, waiting["media_id"], job=job)
        write_json(kept, known)
    values = pd.DataFrame.from_dict(known, orient="index", columns=["logit", "sharpness"])
    placed = clips.drop(columns=["logit", "sharpness"])
    return placed.join(values.astype("float64"), on="media_id")


def _deciding_track(found: MediaScores, media_id: str) -> int:
    scores = found["scores"]
    return int(scores.loc[scores["media_id"] == media_id, "strongest_track_id"].iloc[0])


def write_equal_stills(
    clip: Path, frames: pd.DataFrame, *, to: Path, name: str, job: ScoreJob
) -> list[Path]:
    """Write some frames of a clip as stills in which the face has `FACE_PX`.

    Args:
        clip: The video.
        frames: The rows of one face, with `frame_index` and `face_px`.
        to: Folder of the stills.
        name: Of the clip, the beginning of theirs.
        job: Whose limits hold.
    """
    sizes = frames.groupby("frame_index")["face_px"].max().sort_index()
    spread = np.linspace(0, len(sizes) - 1, min(_STILLS_A_CLIP, len(sizes))).round().astype(int)
    chosen = sizes.iloc[np.unique(spread)]
    with open_video(clip, limits=job.media_limits) as video:
        return [
            write_image(to / f"{name}-{frame.frame_index}.png", _equal(frame, face_px=face_px))
            for frame, face_px in _with_sizes(video.read(list(chosen.index)), chosen)
        ]


def _with_sizes(frames: Iterator[Frame], sizes: pd.Series[float]) -> Iterator[tuple[Frame, float]]:
    for frame in frames:
        yield frame, float(sizes.loc[frame.frame_index])


def _equal(frame: Frame, *, face_px: float) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    scale = FACE_PX / face_px
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    resized = cv2.resize(frame.pixels, None, fx=scale, fy=scale, interpolation=how)
    return jpeg_round_trip(np.asarray(resized, dtype=np.uint8), quality=JPEG_QUALITY)


def _score_stills(
    folder: Path, media_ids: pd.Series[str], *, job: ScoreJob
) -> dict[str, list[float | None]]:
    """Return the mean logit and sharpness of each clip's stills; None where none shows a face."""
    with tempfile.TemporaryDirectory(prefix="deepfake-scores-") as state:
        rows = scan_media(folder, corpus="stills")
        probed, found = score_rows(rows, name="stills", job=job, state=Path(state))
        stills = files_of(probed, found)
    clip = stills["uri"].map(lambda uri: path_of_uri(uri).name.split("-")[0])
    means = stills.groupby(clip)[["logit", "sharpness"]].mean().reindex(list(media_ids))
    records: dict[str, list[float | None]] = json.loads(means.to_json(orient="split"))
    return dict(zip(map(str, means.index), records["data"], strict=True))
