"""In a media worker: cut the window of speech that looks most like a fake out of a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deepfake.config import MediaLimits
from deepfake.errors import DeepfakeError
from deepfake.media.sound import SAMPLE_RATE, Samples, SoundPiece, open_sound
from deepfake.media.wav import encode_wav

__all__ = ["VoiceClipRequest", "clip_request", "cut_voice_clip"]

_MAX_CLIP_SECONDS = 60.0
"""Of a longer window, in which long pauses were skipped, the beginning is played: 2 MB."""


@dataclass(frozen=True, slots=True)
class VoiceClipRequest:
    """A part of a file's sound that is to be played.

    Attributes:
        uri: Path of the file.
        begin_seconds: Where the part begins.
        end_seconds: Where it ends.
        limits: How large the file may be.
    """

    uri: str
    begin_seconds: float
    end_seconds: float
    limits: MediaLimits


def clip_request(score: Mapping[str, Any], *, limits: MediaLimits) -> VoiceClipRequest | None:
    """Return the request for the strongest window of a score; None where no voice was judged.

    Args:
        score: A row of the scores table.
        limits: How large the file may be.
    """
    begin, end = (score.get(f"strongest_voice_{name}_seconds") for name in ("pts", "end"))
    if begin is None or end is None:
        return None
    return VoiceClipRequest(str(score["uri"]), float(begin), float(end), limits)


def cut_voice_clip(_: Any, request: VoiceClipRequest) -> bytes | None:
    """Return a part of a file's sound as WAV; None where it cannot be read.

    Args:
        request: Which part of which file.
    """
    try:
        samples = _read_part(request)
    except (DeepfakeError, OSError):
        return None
    return None if samples is None else encode_wav(samples)


def _read_part(request: VoiceClipRequest) -> Samples | None:
    """Return the samples of the part, shape (N,); gaps in the sound are silent."""
    begin = request.begin_seconds
    seconds = min(request.end_seconds - begin, _MAX_CLIP_SECONDS)
    part = np.zeros(max(0, round(seconds * SAMPLE_RATE)), np.float32)
    reader = open_sound(Path(request.uri), limits=request.limits)
    if reader is None or not part.size:
        return None
    with reader:
        for piece in reader.read(max_seconds=begin + seconds):
            if piece.pts_seconds >= begin + seconds:
                break
            _copy_overlap(piece, part, begin_seconds=begin)
    return part


def _copy_overlap(piece: SoundPiece, part: Samples, *, begin_seconds: float) -> None:
    first = round((piece.pts_seconds - begin_seconds) * SAMPLE_RATE)
    start, stop = max(0, first), min(len(part), first + len(piece.samples))
    if start < stop:
        part[start:stop] = piece.samples[start - first : stop - first]
