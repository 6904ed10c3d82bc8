"""Compute a voice detector's outputs for the windows of a snapshot, and the scores of its files."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from deepfake.config import SpeechConfig
from deepfake.corpora.shards import Snapshot
from deepfake.detectors.voice.detector import VoiceDetector
from deepfake.errors import ConfigError
from deepfake.media.sound_codec import decode_sound
from deepfake.verdicts.voice import VoiceScore, aggregate_windows

__all__ = ["check_windows_fit", "predict_windows", "score_files"]

_CHUNK = 64
"""Windows decoded at a time: 16 MB at 4 seconds."""

_KEYS = ["corpus", "uri"]


def check_windows_fit(snapshot: Snapshot, speech: SpeechConfig, *, role: str = "detector") -> None:
    """Reject a snapshot whose windows were cut otherwise than those that a detector takes.

    Args:
        snapshot: The windows.
        speech: How the detector's are cut.
        role: The detector, for the message.

    Raises:
        ConfigError: They differ.
        ShardError: It holds no speech.
    """
    found = snapshot.speech_config.speech
    if found != speech:
        raise ConfigError(
            f"the speech of {snapshot.corpus} was cut with {found}, the {role} takes {speech}",
            hint=f"Ingest it with the settings of the {role}.",
        )


def predict_windows(
    detector: VoiceDetector,
    snapshot: Snapshot,
    index: pd.DataFrame,
    *,
    on_done: Callable[[int], None] = lambda _: None,
) -> pd.DataFrame:
    """Return an index with `logit` and whatever else `VoiceSpec.outputs` names.

    Args:
        detector: The detector.
        snapshot: Whose windows they are.
        index: Rows of its index, in any order.
        on_done: Called with the number of windows done, after each chunk.

    Raises:
        ConfigError: The windows were cut otherwise than those that the detector takes.
    """
    check_windows_fit(snapshot, detector.spec.speech)
    reader = snapshot.reader()
    places = list(index[["shard", "row"]].itertuples(index=False, name=None))
    columns = {name: np.empty(len(index)) for name in detector.spec.outputs}
    for start in range(0, len(index), _CHUNK):
        own = places[start : start + _CHUNK]
        windows = [decode_sound(reader.encoded(shard, int(row))) for shard, row in own]
        for name, values in detector.head_outputs(windows).items():
            columns[name][start : start + len(own)] = values
        on_done(start + len(own))
    return index.assign(**columns)


def score_files(windows: pd.DataFrame) -> tuple[pd.DataFrame, list[VoiceScore]]:
    """Return the first row of each file, and its score.

    Args:
        windows: From `predict_windows`; of several corpora if need be.
    """
    files = windows.drop_duplicates(_KEYS).reset_index(drop=True)
    rows = windows.reset_index(drop=True).groupby(_KEYS, sort=False).indices
    scores = []
    for key in files[_KEYS].itertuples(index=False, name=None):
        own = windows.iloc[rows[key]]
        scores.append(
            aggregate_windows(
                own["logit"].to_numpy(np.float64),
                pts_seconds=own["pts_seconds"].to_numpy(np.float64),
                end_seconds=own["end_seconds"].to_numpy(np.float64),
                novelty=own["novelty"].to_numpy(np.float64) if "novelty" in own else None,
                bandwidth_hz=own["bandwidth_hz"].to_numpy(np.float64, na_value=np.nan),
            )
        )
    return files, scores
