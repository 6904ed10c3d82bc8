"""Snapshots of synthetic voices, made through the same writers as real ones."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deepfake.config import SpeechConfig, SpeechExtractConfig
from deepfake.corpora.shards import Snapshot, window_records, write_shard, write_snapshot
from deepfake.media.sound import SAMPLE_RATE
from deepfake.media.sound_codec import encode_sound
from deepfake.media.sound_level import bandwidth_hz, loudness_dbfs
from deepfake.types import Outcome, Status, StoredWindow

__all__ = ["SPEECH", "VoiceFile", "draw_voice", "voice_files", "write_voice_corpus"]

SPEECH = SpeechConfig(window_seconds=1.0, min_speech_seconds=0.5)

_HELD = 2
"""Samples that a fake holds each value for: the spectrum is mirrored at 4 kHz."""


@dataclass(frozen=True)
class VoiceFile:
    """One file of a synthetic corpus; it sounds as its label says unless `is_held` differs."""

    name: str
    label: str | None
    split: str | None
    method: str | None = None
    group: str | None = None
    num_windows: int = 1
    is_held: bool | None = None


def draw_voice(rng: np.random.Generator, *, is_fake: bool, seconds: float) -> NDArray[np.float32]:
    """Return harmonics of a moving pitch with noise, as a fake with every second sample held."""
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    hz = rng.uniform(90, 220) * (1 + 0.1 * np.sin(2 * np.pi * rng.uniform(1, 4) * time))
    phase = 2 * np.pi * np.cumsum(hz) / SAMPLE_RATE
    tones = [rng.uniform(0.2, 1) / k * np.sin(k * phase + rng.uniform(0, 6)) for k in range(1, 30)]
    sound = np.sum(tones, axis=0) + 0.02 * rng.standard_normal(len(time))
    if is_fake:
        sound = np.repeat(sound[::_HELD], _HELD)[: len(sound)]
    return np.asarray(rng.uniform(0.1, 0.5) * sound / np.abs(sound).max(), np.float32)


def voice_files(
    counts: Mapping[str, int], *, num_windows: int = 1, methods: Sequence[str] = ("held",)
) -> list[VoiceFile]:
    """Return as many reals and as many fakes as asked for in each split."""
    return [
        VoiceFile(
            f"{split}/{label}/{number}.flac",
            label,
            split,
            method=methods[number % len(methods)] if label == "fake" else None,
            num_windows=num_windows,
        )
        for split, count in counts.items()
        for label in ("real", "fake")
        for number in range(count)
    ]


def write_voice_corpus(
    folder: Path, files: Sequence[VoiceFile], *, corpus: str = "voices", seed: int = 0
) -> Snapshot:
    """Write a corpus of one shard and return its snapshot."""
    rng = np.random.default_rng(seed)
    records, outcomes, media = [], [], []
    for file in files:
        media_id = hashlib.sha256(f"{corpus}/{file.name}".encode()).hexdigest()
        windows = [_window(rng, file, number) for number in range(file.num_windows)]
        records += window_records(media_id, "audio", windows)
        own = {"media_id": media_id, "uri": f"/{corpus}/{file.name}"}
        outcomes.append(Outcome(**own, status=Status.OK, num_windows=len(windows)))
        media.append(
            {
                **own,
                "corpus": corpus,
                "label": file.label,
                "method": file.method,
                "group": file.group,
                "split": file.split,
            }
        )
    corpus_dir = folder / "shards" / corpus
    key = hashlib.sha256(corpus.encode()).hexdigest()[:16]
    shard = write_shard(corpus_dir, key=key, records=records, outcomes=outcomes, kind="voice")
    return write_snapshot(
        corpus_dir,
        corpus=corpus,
        digest=hashlib.sha256(repr((corpus, seed, list(files))).encode()).hexdigest()[:16],
        media=media,
        outcomes=[{**one, "kind": "audio", "status": "ok"} for one in media],
        shards=[shard],
        description={
            "kind": "voice",
            "config": SpeechExtractConfig(speech=SPEECH).model_dump(mode="json"),
        },
        kind="voice",
    )


def _window(rng: np.random.Generator, file: VoiceFile, number: int) -> StoredWindow:
    is_held = file.label == "fake" if file.is_held is None else file.is_held
    samples = draw_voice(rng, is_fake=is_held, seconds=SPEECH.window_seconds)
    return StoredWindow(
        encoded=encode_sound(samples),
        pts_seconds=float(number),
        end_seconds=number + SPEECH.window_seconds,
        speech_seconds=SPEECH.window_seconds,
        loudness_dbfs=loudness_dbfs(samples),
        bandwidth_hz=bandwidth_hz(samples),
    )
