"""Snapshots of made-up runs of mouths, made through the same writers as real ones."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from deepfake.config import MouthConfig, SyncExtractConfig
from deepfake.corpora.shards import SYNC, Snapshot, run_records, write_shard, write_snapshot
from deepfake.media.run_codec import store_run
from deepfake.media.sound import SAMPLE_RATE
from deepfake.types import MouthRun, Outcome, Status

__all__ = ["SyncFile", "draw_run", "write_sync_corpus"]


@dataclass(frozen=True)
class SyncFile:
    """One file of a made-up corpus; `late_seconds` is how late its sound comes."""

    name: str
    label: str | None
    split: str | None
    identity: str | None = None
    method: str | None = None
    num_runs: int = 1
    late_seconds: float = 0.0
    is_foreign: bool = False
    """Whether its sound is of other words."""
    fake_intervals: tuple[tuple[float, float], ...] | None = None


def draw_run(
    rng: np.random.Generator,
    *,
    run_index: int = 0,
    num_mouths: int = 50,
    config: MouthConfig | None = None,
    late_seconds: float = 0.0,
    is_foreign: bool = False,
) -> MouthRun:
    """Return a mouth that opens as wide as its sound is loud."""
    config = config or MouthConfig()
    lead, fps = config.lead_seconds, config.fps
    num = round((num_mouths / fps + 2 * lead) * SAMPLE_RATE)
    opening = _curve(rng, num)
    heard = _curve(rng, num) if is_foreign else np.roll(opening, round(late_seconds * SAMPLE_RATE))
    samples = heard * (0.3 * rng.standard_normal(num)).clip(-1, 1)
    at = np.rint((lead + (np.arange(num_mouths) + 0.5) / fps) * SAMPLE_RATE).astype(int)
    begin = run_index * (num_mouths / fps + 1.0) + lead
    return MouthRun(
        mouths=np.stack([_draw_mouth(float(o), size=config.size_px, rng=rng) for o in opening[at]]),
        samples=samples.astype(np.float32),
        sound_span=(0, num),
        pts_seconds=begin,
        end_seconds=begin + num_mouths / fps,
        track_id=0,
        run_index=run_index,
        face_px=120.0,
        speech_seconds=num_mouths / fps,
    )


def _curve(rng: np.random.Generator, num: int) -> NDArray[np.float64]:
    """Return how far a mouth is open, 0 to 1, at each sample: some syllables a second."""
    steps = rng.uniform(0, 1, num // (SAMPLE_RATE // 8) + 2)
    return np.interp(np.arange(num), np.arange(len(steps)) * (SAMPLE_RATE // 8), steps)


def _draw_mouth(opening: float, *, size: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    picture = np.full((size, size), 150, np.uint8)
    axes = (size // 4, 1 + round(opening * size / 5))
    cv2.ellipse(picture, (size // 2, size // 2), axes, 0, 0, 360, 40, -1)
    noise = rng.normal(0, 3, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def write_sync_corpus(
    folder: Path, files: Sequence[SyncFile], *, corpus: str = "lips", seed: int = 0
) -> Snapshot:
    """Write a corpus of one shard and return its snapshot."""
    rng = np.random.default_rng(seed)
    records, outcomes, media = [], [], []
    for file in files:
        media_id = hashlib.sha256(f"{corpus}/{file.name}".encode()).hexdigest()
        runs = [
            draw_run(rng, run_index=n, late_seconds=file.late_seconds, is_foreign=file.is_foreign)
            for n in range(file.num_runs)
        ]
        records += run_records(media_id, "video", [store_run(run) for run in runs])
        own = {"media_id": media_id, "uri": f"/{corpus}/{file.name}"}
        outcomes.append(Outcome(**own, status=Status.OK, num_windows=len(runs)))
        described = {"label": file.label, "split": file.split, "identity": file.identity}
        intervals = (
            None
            if file.fake_intervals is None
            else [{"begin_seconds": a, "end_seconds": b} for a, b in file.fake_intervals]
        )
        media.append(
            {
                **own,
                "corpus": corpus,
                **described,
                "method": file.method,
                "fake_intervals": intervals,
            }
        )
    corpus_dir = folder / "shards" / corpus
    key = hashlib.sha256(corpus.encode()).hexdigest()[:16]
    shard = write_shard(corpus_dir, key=key, records=records, outcomes=outcomes, kind=SYNC)
    return write_snapshot(
        corpus_dir,
        corpus=corpus,
        digest=hashlib.sha256(repr((corpus, seed, list(files))).encode()).hexdigest()[:16],
        media=media,
        outcomes=[{**one, "kind": "video", "status": "ok"} for one in media],
        shards=[shard],
        description={"kind": SYNC, "config": SyncExtractConfig().model_dump(mode="json")},
        kind=SYNC,
    )
