"""Embed the runs of a snapshot's files, and score these files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deepfake.corpora.shards import CropReader, Snapshot
from deepfake.detectors.sync.detector import EmbeddedRun, SyncDetector
from deepfake.detectors.sync.windows import FPS, NUM_MOUTHS
from deepfake.detectors.sync_bundle import SyncSpec
from deepfake.errors import ConfigError
from deepfake.media.run_codec import decode_run
from deepfake.verdicts.sync import SyncScore, aggregate_runs, speaking_track

__all__ = ["SpokenFile", "check_runs_fit", "embed_files", "score_file"]

_KEYS = ["corpus", "uri"]

Similarities = Sequence[NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class SpokenFile:
    """The runs of the face of a file that speaks, embedded.

    Attributes:
        row: The first row of the file in the index.
        runs: In the order of time.
        pts_seconds: Where each begins.
        face_px: Size of the face in each.
        speech_seconds: Speech in each.
    """

    row: pd.Series
    runs: tuple[EmbeddedRun, ...]
    pts_seconds: tuple[float, ...]
    face_px: tuple[float, ...]
    speech_seconds: tuple[float, ...]

    @property
    def similarities(self) -> list[NDArray[np.float32]]:
        """Cosines of each run with its own sound, (W, 31) each."""
        return [run.similarities() for run in self.runs]


def check_runs_fit(snapshot: Snapshot, spec: SyncSpec) -> None:
    """Reject a snapshot whose runs were cut otherwise than a detector takes them.

    Raises:
        ConfigError: They differ.
        ShardError: It holds no runs of mouths.
    """
    found = snapshot.sync_config.mouths
    if found != spec.mouths:
        raise ConfigError(
            f"the mouths of {snapshot.corpus} were cut with {found}, the detector takes "
            f"{spec.mouths}",
            hint="Ingest it with the settings of the detector.",
        )


def embed_files(
    detector: SyncDetector,
    snapshot: Snapshot,
    index: pd.DataFrame,
    *,
    on_done: Callable[[int], None] = lambda _: None,
) -> list[SpokenFile]:
    """Return the files of an index, of each the face that speaks; none that has no sound.

    Args:
        detector: The detector.
        snapshot: Whose runs they are.
        index: Rows of its index, in any order.
        on_done: Called with the number of runs done, after each file.

    Raises:
        ConfigError: The runs were cut otherwise than the detector takes them.
    """
    check_runs_fit(snapshot, detector.spec)
    reader, found, done = snapshot.reader(), [], 0
    long_enough = index[index["num_mouths"].astype(int) >= NUM_MOUTHS]
    for _, rows in long_enough.groupby(_KEYS, sort=False):
        file = _embed_file(detector, reader, rows.sort_values(["run_index", "track_id"]))
        found += [] if file is None else [file]
        done += len(rows)
        on_done(done)
    return found


def _embed_file(
    detector: SyncDetector, reader: CropReader, rows: pd.DataFrame
) -> SpokenFile | None:
    records = rows.to_dict("records")
    runs = [
        detector.embed(
            decode_run(
                reader.encoded(str(one["shard"]), int(one["row"])),
                record={str(name): value for name, value in one.items()},
            )
        )
        for one in records
    ]
    has_sound = [bool(np.isfinite(run.similarities()).any()) for run in runs]
    by_track: dict[int, list[int]] = {}
    for at, one in enumerate(records):
        if has_sound[at]:
            by_track.setdefault(int(one["track_id"]), []).append(at)
    if not by_track:
        return None
    fits = {track: [runs[at].similarities() for at in own] for track, own in by_track.items()}
    chosen = by_track[speaking_track(fits)]
    return SpokenFile(
        row=rows.iloc[0],
        runs=tuple(runs[at] for at in chosen),
        pts_seconds=tuple(float(records[at]["pts_seconds"]) for at in chosen),
        face_px=tuple(float(records[at]["face_px"]) for at in chosen),
        speech_seconds=tuple(float(records[at]["speech_seconds"]) for at in chosen),
    )


def score_file(file: SpokenFile, similarities: Similarities | None = None) -> SyncScore:
    """Return the score of a file.

    Args:
        file: The file.
        similarities: Of its runs with other sound; None for their own.
    """
    return aggregate_runs(
        file.similarities if similarities is None else similarities,
        pts_seconds=file.pts_seconds,
        fps=FPS,
        face_px=file.face_px,
        speech_seconds=file.speech_seconds,
    )
