"""The voice of a file over time: windows of speech, thresholds, and the waveform of its sound."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepfake.config import MediaLimits, SpeechConfig
from deepfake.detectors.voice_bundle import VoiceBundle
from deepfake.errors import DecodeError
from deepfake.evidence.records import VoiceEvidence, VoiceWindow
from deepfake.evidence.request import EvidenceRequest
from deepfake.media.sound import SAMPLE_RATE, SoundPiece, open_sound

__all__ = ["MAX_WAVEFORM", "add_waveform", "create_voice", "trace_waveform"]

MAX_WAVEFORM = 600
"""Parts of a waveform: a pixel or two each, as wide as it is drawn."""

_BLOCK_SAMPLES = SAMPLE_RATE // 100
_MAX_LEVEL = 127
_MAX_TIME_SECONDS = 1e8
"""Times that a damaged file may state are no later."""


def create_voice(
    request: EvidenceRequest, *, bundle: VoiceBundle | None = None
) -> VoiceEvidence | None:
    """Return the voice over time, without its waveform; None where no voice was judged.

    Args:
        request: The score, with its windows of speech.
        bundle: The detector of voices; None leaves the thresholds out.
    """
    if request.score.get("prob_fake_voice") is None:
        return None
    low, high = None, None
    if bundle is not None:
        prior = request.score.get("prior")
        low, high = bundle.spec.judgement.thresholds_at(None if prior is None else float(prior))
    return VoiceEvidence(windows=_windows(request), real_below=low, fake_from=high)


def _windows(request: EvidenceRequest) -> tuple[VoiceWindow, ...]:
    rows = sorted(request.windows, key=lambda row: float(row["pts_seconds"]))
    # The earliest of equals, as in the score.
    strongest = max(rows, key=lambda row: float(row["logit"]), default=None)
    return tuple(_window(row, is_strongest=row is strongest) for row in rows)


def _window(row: Mapping[str, Any], *, is_strongest: bool) -> VoiceWindow:
    return VoiceWindow(
        pts_seconds=float(row["pts_seconds"]),
        end_seconds=float(row["end_seconds"]),
        prob_fake=float(row["prob_fake"]),
        is_strongest=is_strongest,
    )


def add_waveform(
    voice: VoiceEvidence, path: Path, *, limits: MediaLimits, bundle: VoiceBundle | None = None
) -> VoiceEvidence:
    """Return the voice with duration and waveform, read from the file.

    Args:
        voice: From `create_voice`.
        path: The file.
        limits: How large it may be.
        bundle: The detector of voices, which says how much sound is listened to.

    Raises:
        MediaError: The sound cannot be read.
    """
    speech = SpeechConfig() if bundle is None else bundle.spec.speech
    seconds, waveform = trace_waveform(path, limits=limits, max_seconds=speech.max_sound_seconds)
    pairs = tuple((int(low), int(high)) for low, high in waveform)
    return voice.model_copy(update={"duration_seconds": seconds, "waveform": pairs})


def trace_waveform(
    path: Path, *, limits: MediaLimits, max_seconds: float, max_parts: int = MAX_WAVEFORM
) -> tuple[float, NDArray[np.int8]]:
    """Return the duration of a file's sound, and its least and greatest values over time.

    It is read a second at a time; gaps in it are silent.

    Args:
        path: The file.
        limits: How large it may be.
        max_seconds: How much sound is read.
        max_parts: Parts of equal length, at most.

    Returns:
        Seconds, and an array of shape (N, 2): least and greatest value of each part, -127 to 127.

    Raises:
        MediaError: There is no sound, or it cannot be read.
    """
    reader = open_sound(path, limits=limits)
    if reader is None:
        raise DecodeError("it has no sound", path=path)
    blocks, end = [], 0.0
    with reader:
        for piece in reader.read(max_seconds=max_seconds):
            if len(piece.samples):
                blocks.append(_blocks_of(piece))
                end = max(end, piece.end_seconds)
    if not blocks:
        raise DecodeError("it has no sound", path=path)
    return min(end, _MAX_TIME_SECONDS), _join(np.concatenate(blocks, axis=1), max_parts=max_parts)


def _blocks_of(piece: SoundPiece) -> NDArray[np.float64]:
    """Return number, least and greatest value of each 10 ms, shape (3, N).

    A second takes 2.4 kB like this, however long the sound is.
    """
    first = round(min(max(piece.pts_seconds, 0.0), _MAX_TIME_SECONDS) * SAMPLE_RATE)
    cuts = np.arange(-first % _BLOCK_SAMPLES, len(piece.samples), _BLOCK_SAMPLES)
    starts = cuts if cuts.size and cuts[0] == 0 else np.concatenate([[0], cuts])
    lows = np.minimum.reduceat(piece.samples, starts)
    highs = np.maximum.reduceat(piece.samples, starts)
    return np.stack([(first + starts) // _BLOCK_SAMPLES, lows, highs]).astype(np.float64)


def _join(blocks: NDArray[np.float64], *, max_parts: int) -> NDArray[np.int8]:
    """Return blocks, shape (3, N), joined into equal parts of the time, shape (parts, 2)."""
    numbers = blocks[0].astype(np.int64)
    num_blocks = int(numbers.max()) + 1
    num_parts = min(max_parts, num_blocks)
    parts = numbers * num_parts // num_blocks
    lows, highs = np.full(num_parts, np.inf), np.full(num_parts, -np.inf)
    np.minimum.at(lows, parts, blocks[1])
    np.maximum.at(highs, parts, blocks[2])
    pairs = np.stack([lows, highs], axis=1)
    # Parts without any sound lie in a gap.
    levels = np.rint(np.where(np.isfinite(pairs), pairs, 0.0) * _MAX_LEVEL)
    return np.asarray(levels, dtype=np.int8)
