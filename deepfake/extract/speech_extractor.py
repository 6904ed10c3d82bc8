"""Extract the windows of speech of one media file: decode, find speech, cut, encode.

Runs inside a media worker. Nothing depends on other files, so a file gives the same windows alone
and in any batch.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

from deepfake.config import SpeechExtractConfig
from deepfake.extract.extracted_medium import ExtractRequest, failure_as_outcome
from deepfake.extract.speech import FoundSpeech, SpeechWindow, find_speech
from deepfake.media import limit_threads
from deepfake.media.sound import SoundReader, open_sound
from deepfake.media.sound_codec import encode_sound, round_trip_sound
from deepfake.media.sound_level import bandwidth_hz, loudness_dbfs
from deepfake.media.stills import probe_still
from deepfake.storage import medium_file
from deepfake.types import NO_SOUND, Kind, Outcome, Status, StoredWindow

__all__ = [
    "ExtractedSpeech",
    "SpeechExtractor",
    "create_speech_extractor",
    "extract_speech",
]


WindowT = TypeVar("WindowT")


@dataclass(frozen=True, slots=True)
class ExtractedSpeech(Generic[WindowT]):
    """The windows of speech and the outcome of one file.

    Attributes:
        outcome: Its outcome.
        kind: Image, video or audio; None if unknown.
        windows: Ascending in time; empty unless the status is `ok`.
    """

    outcome: Outcome
    kind: Kind | None = None
    windows: tuple[WindowT, ...] = ()


class SpeechExtractor:
    """Extracts windows of speech from one file after another.

    Args:
        config: Everything that can change a window.
    """

    def __init__(self, config: SpeechExtractConfig) -> None:
        self.config = config

    def extract(self, request: ExtractRequest) -> ExtractedSpeech[StoredWindow]:
        """Extract the windows of a file, encoded; an error becomes an outcome, not an exception."""
        found = self.find(request)
        began = time.perf_counter()
        windows = tuple(map(_stored, found.windows))
        spent = (found.outcome.seconds or 0.0) + time.perf_counter() - began
        return ExtractedSpeech(replace(found.outcome, seconds=spent), found.kind, windows)

    def find(self, request: ExtractRequest) -> ExtractedSpeech[SpeechWindow]:
        """Find the windows of a file, as they are when they were stored and read again.

        An error becomes an outcome, not an exception.
        """
        started = time.perf_counter()
        find = partial(self._find, request)
        speech: ExtractedSpeech[SpeechWindow] = failure_as_outcome(
            request, find, wrap=ExtractedSpeech
        )
        seconds = time.perf_counter() - started
        return replace(speech, outcome=replace(speech.outcome, seconds=seconds))

    def _find(self, request: ExtractRequest) -> ExtractedSpeech[SpeechWindow]:
        with medium_file(request.uri, max_bytes=self.config.limits.max_bytes) as path:
            if not path.exists():
                message = f"the file has disappeared since it was listed: {request.uri}"
                raise FileNotFoundError(message)
            return self._find_in_file(request, path)

    def _find_in_file(self, request: ExtractRequest, path: Path) -> ExtractedSpeech[SpeechWindow]:
        if probe_still(path, limits=self.config.limits) is not None:
            return _without_speech(request, "a picture has no sound", kind=Kind.IMAGE)
        reader = open_sound(path, limits=self.config.limits)
        if reader is None:
            return _without_speech(request, NO_SOUND, kind=Kind.VIDEO)
        with reader:
            seconds = self.config.speech.max_sound_seconds
            found = find_speech(reader.read(max_seconds=seconds), config=self.config.speech)
            return self._found(request, reader, found)

    def _found(
        self, request: ExtractRequest, reader: SoundReader, found: FoundSpeech
    ) -> ExtractedSpeech[SpeechWindow]:
        info = reader.info
        outcome = Outcome(
            uri=request.uri,
            media_id=request.media_id,
            status=Status.OK if found.windows else Status.NO_SPEECH,
            message=_message_on(found, reader=reader, config=self.config),
            is_partial=reader.num_damaged > 0,
            num_windows=len(found.windows),
            speech_seconds=found.speech_seconds,
            details={"sound_codec": info.codec, "sample_rate": info.sample_rate},
        )
        kind = Kind.VIDEO if info.has_picture else Kind.AUDIO
        windows = (replace(w, samples=round_trip_sound(w.samples)) for w in found.windows)
        return ExtractedSpeech(outcome, kind, tuple(windows))


def _message_on(
    found: FoundSpeech, *, reader: SoundReader, config: SpeechExtractConfig
) -> str | None:
    """Return a sentence on what a file lacks; None where there is nothing to say."""
    damaged = reader.num_damaged
    notes = [f"damaged packets of its sound were left out: {damaged}"] if damaged else []
    if not found.windows:
        needed = config.speech.min_speech_seconds
        notes.insert(0, f"{found.speech_seconds:.1f} s of speech, {needed:g} s are needed")
    elif found.sound_seconds >= config.speech.max_sound_seconds:
        notes.append(f"only its first {found.sound_seconds:.0f} s were listened to")
    return "; ".join(notes) or None


def _stored(window: SpeechWindow) -> StoredWindow:
    return StoredWindow(
        encoded=encode_sound(window.samples),
        pts_seconds=window.pts_seconds,
        end_seconds=window.end_seconds,
        speech_seconds=window.speech_seconds,
        loudness_dbfs=loudness_dbfs(window.samples),
        bandwidth_hz=bandwidth_hz(window.samples),
    )


def _without_speech(
    request: ExtractRequest, message: str, *, kind: Kind
) -> ExtractedSpeech[SpeechWindow]:
    outcome = Outcome(
        uri=request.uri,
        media_id=request.media_id,
        status=Status.NO_SPEECH,
        message=message,
        num_windows=0,
    )
    return ExtractedSpeech(outcome, kind)


def create_speech_extractor(config: SpeechExtractConfig) -> SpeechExtractor:
    """Set up a worker: one thread a library, silent decoders."""
    limit_threads()
    return SpeechExtractor(config)


def extract_speech(
    extractor: SpeechExtractor, request: ExtractRequest
) -> ExtractedSpeech[StoredWindow]:
    """Extract one file in a worker."""
    return extractor.extract(request)
