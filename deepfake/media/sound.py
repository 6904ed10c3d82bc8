"""Decode the sound of any audio or video file: one channel at 16 kHz, a second at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import av
import av.error
import numpy as np
from av.audio.fifo import AudioFifo
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

from deepfake.config import MediaLimits
from deepfake.config.speech import SAMPLE_RATE
from deepfake.errors import DecodeError, ProbeError, UnsupportedMediaError
from deepfake.media.containers import has_picture, open_container, translate_ffmpeg_errors
from deepfake.media.files import check_regular_file
from deepfake.media.open_file import OpenFile

__all__ = ["SAMPLE_RATE", "Samples", "SoundInfo", "SoundPiece", "SoundReader", "open_sound"]

Samples: TypeAlias = NDArray[np.float32]

_PIECE_SAMPLES = SAMPLE_RATE
_MAX_JUMP_SECONDS = 0.1
"""A packet that lies this much later than the last one ended is behind a gap."""
_MAX_CHANNELS = 64
_MIN_RATE, _MAX_RATE = 1_000, 1_000_000
"""Samples a second, as stored: telephones have 8,000, studios up to 768,000. At 1 Hz a packet of
64 KiB would be 18 hours of sound, at once in memory."""
_CANCELLED = 0.05
"""Power of the mean of all channels over that of the loudest, under which they cancel out."""


@dataclass(frozen=True, slots=True)
class SoundInfo:
    """Description of a file's sound.

    Attributes:
        codec: Name of the codec, `aac` or `pcm_s16le`.
        container: Name of the container format.
        sample_rate: Samples a second, as stored.
        num_channels: Channels, as stored.
        has_picture: Whether a video goes with it; the cover of a song is none.
        num_tracks: Sound tracks of the file; the one that a player chooses is read.
        duration_seconds_from_header: As the container declares, which may be wrong; None if it
            declares none.
    """

    codec: str
    container: str
    sample_rate: int
    num_channels: int
    has_picture: bool
    num_tracks: int
    duration_seconds_from_header: float | None


@dataclass(frozen=True, slots=True)
class SoundPiece:
    """Some sound without a gap.

    Attributes:
        samples: Shape (N,), float32, -1 to 1, at `SAMPLE_RATE`.
        pts_seconds: Time of the first sample, seconds after the start of the file.
    """

    samples: Samples
    pts_seconds: float

    @property
    def end_seconds(self) -> float:
        """Time at which the last sample ends."""
        return self.pts_seconds + len(self.samples) / SAMPLE_RATE


class SoundReader(OpenFile):
    """An open sound track; use it in a `with` block, or close it.

    Args:
        path: A regular file.
        container: Of FFmpeg; closed by this object.
        stream: Its sound track.

    Attributes:
        info: Its description.
        num_damaged: Packets that could not be decoded so far.
    """

    def __init__(self, path: Path, *, container: Any, stream: Any) -> None:
        self.info = _info_of(container, stream)
        self.num_damaged = 0
        self._path = path
        self._container = container
        self._stream = stream

    def read(self, *, max_seconds: float | None = None) -> Iterator[SoundPiece]:
        """Yield the sound from its beginning, in pieces of about a second; call it once.

        Damaged packets are left out. After a gap, such as one that they leave, a new piece begins.
        Channels are averaged; where that would cancel them out, the loudest one stands for all.

        Args:
            max_seconds: Stop after so much sound; None reads all.

        Raises:
            DecodeError: None of it can be decoded.
            UnreadableMediaError: The system refused to read the file.
        """
        left = None if max_seconds is None else round(max_seconds * SAMPLE_RATE)
        has_begun = False
        with translate_ffmpeg_errors(self._path, doing="decoding the sound"):
            for piece in self._pieces():
                has_begun = True
                samples = piece.samples if left is None else piece.samples[:left]
                yield SoundPiece(samples, piece.pts_seconds)
                left = None if left is None else left - len(samples)
                if left == 0:
                    return
        if not has_begun:
            raise DecodeError("no packet of the sound could be decoded", path=self._path)

    def measure_seconds(self) -> float:
        """Return how long the sound is by its packets, without decoding it; call it once.

        Damaged packets end it; where packets have no times, it is as long as their durations.

        Raises:
            UnreadableMediaError: The system refused to read the file.
        """
        unit = float(self._stream.time_base or 0)
        first, end, summed = None, 0.0, 0.0
        with translate_ffmpeg_errors(self._path, doing="measuring the sound"):
            for packet in self._packets():
                seconds = (packet.duration or 0) * unit
                summed += seconds
                if packet.pts is not None:
                    first = packet.pts * unit if first is None else first
                    end = max(end, packet.pts * unit + seconds)
        return max(0.0, summed if first is None else end - first)

    def close(self) -> None:
        """Close the file; closing twice does no harm."""
        self._container.close()

    def _pieces(self) -> Iterator[SoundPiece]:
        """Yield a second at a time; less before a gap, a change of the stream, and at the end."""
        start = (self._container.start_time or 0) / av.time_base
        run: _Run | None = None
        end = 0.0  # of what was decoded
        for frame in self._frames():
            # The start is known to a microsecond, a frame's time better: never before the start.
            now = end if frame.time is None else max(0.0, frame.time - start)
            has_gap = now > end + _MAX_JUMP_SECONDS
            if run is None or has_gap or not run.takes(frame):
                if run is not None:
                    yield from run.finish()
                # Times that step back are wrong: the sound goes on where it was.
                end = now if run is None or has_gap else end
                run = _Run(frame, pts_seconds=end)
            end += frame.samples / frame.sample_rate
            yield from run.add(frame)
        if run is not None:
            yield from run.finish()

    def _packets(self) -> Iterator[Any]:
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
            except av.error.FFmpegError:
                self.num_damaged += 1
                return  # what follows cannot be found
            if packet is None:
                return
            yield packet

    def _frames(self) -> Iterator[Any]:
        for packet in self._packets():
            try:
                frames = packet.decode()
            except av.error.FFmpegError:
                self.num_damaged += 1
                continue
            yield from (frame for frame in frames if _is_usable(frame))


class _Run:
    """Sound of one rate, format and number of channels, without a gap.

    Args:
        frame: Its first.
        pts_seconds: When that is heard.
    """

    def __init__(self, frame: Any, *, pts_seconds: float) -> None:
        self._setup = _setup_of(frame)
        self._waiting = AudioFifo()
        self._resampler = AudioResampler(
            format="fltp", layout=frame.layout, rate=SAMPLE_RATE, frame_size=_PIECE_SAMPLES
        )
        self._pts_seconds = pts_seconds
        self._num_samples = 0

    def takes(self, frame: Any) -> bool:
        """Return whether a frame can follow."""
        return _setup_of(frame) == self._setup

    def add(self, frame: Any) -> Iterator[SoundPiece]:
        """Yield the pieces that are complete with a frame."""
        frame.pts = None  # the pieces are counted
        with suppress(av.error.FFmpegError, ValueError):  # what cannot be joined is left out
            self._waiting.write(frame)
        if self._waiting.samples >= frame.sample_rate:  # resampling each frame costs twice as much
            yield from self._resampled(self._waiting.read())

    def finish(self) -> Iterator[SoundPiece]:
        """Yield what is left."""
        if self._waiting.samples:
            yield from self._resampled(self._waiting.read())
        yield from self._resampled(None)

    def _resampled(self, frame: Any) -> Iterator[SoundPiece]:
        # What cannot be resampled is left out.
        with suppress(av.error.FFmpegError, ValueError):
            for resampled in self._resampler.resample(frame):
                samples = _mix(np.asarray(resampled.to_ndarray(), dtype=np.float32))
                yield SoundPiece(samples, self._pts_seconds + self._num_samples / SAMPLE_RATE)
                self._num_samples += len(samples)


def _setup_of(frame: Any) -> tuple[str, str, int]:
    return frame.format.name, frame.layout.name, frame.sample_rate


def open_sound(path: Path, *, limits: MediaLimits) -> SoundReader | None:
    """Open the sound of an audio or video file, recognised by its content.

    Args:
        path: The file.
        limits: `max_bytes` applies.

    Returns:
        The sound track that a player would choose; None where the file has no sound, as most
        pictures.

    Raises:
        EmptyMediaError: The file has no bytes.
        UnsupportedMediaError: Text, a playlist, no regular file, an unknown codec, or a rate far
            from those of sound.
        MediaTooLargeError: The file is over the limit.
        UnreadableMediaError: It does not exist, or reading it is denied.
        ProbeError: A known format, damaged or cut off.
    """
    check_regular_file(path, limits=limits)
    container = open_container(path, limits=limits)
    try:
        with translate_ffmpeg_errors(path, doing="looking for sound"):
            stream = _best_stream(container, path=path)
            if stream is None:
                container.close()
                return None
            stream.codec_context.thread_count = 1
            for other in container.streams:  # their packets are skipped
                if other is not stream:
                    other.discard = av.stream.Discard.all
            return SoundReader(path, container=container, stream=stream)
    except BaseException:
        container.close()
        raise


def _best_stream(container: Any, *, path: Path) -> Any:
    """Return the sound track that a player would choose; None where there is none."""
    stream = container.streams.best("audio")
    if stream is None and not container.streams.audio:
        return None
    if stream is None:
        raise ProbeError("a sound track without a rate or without channels", path=path)
    if stream.codec_context is None:
        raise UnsupportedMediaError("no decoder for the sound's codec", path=path)
    rate = stream.codec_context.sample_rate or 0
    if not _MIN_RATE <= rate <= _MAX_RATE:
        raise UnsupportedMediaError(
            f"sound of {rate:,} samples a second; {_MIN_RATE:,} to {_MAX_RATE:,} are read",
            path=path,
        )
    return stream


def _info_of(container: Any, stream: Any) -> SoundInfo:
    context, seconds = stream.codec_context, None
    if stream.duration and stream.time_base is not None:
        seconds = float(stream.duration * stream.time_base)
    elif container.duration:
        seconds = container.duration / av.time_base
    return SoundInfo(
        codec=context.codec.canonical_name,
        container=container.format.name,
        sample_rate=context.sample_rate or 0,
        num_channels=context.channels or 0,
        has_picture=has_picture(container),
        num_tracks=len(container.streams.audio),
        duration_seconds_from_header=seconds,
    )


def _is_usable(frame: Any) -> bool:
    return bool(
        frame.samples > 0
        and _MIN_RATE <= frame.sample_rate <= _MAX_RATE
        and 0 < frame.layout.nb_channels <= _MAX_CHANNELS
        and not frame.is_corrupt
    )


def _mix(channels: NDArray[np.float32]) -> Samples:
    """Return one channel, shape (N,), of several, shape (C, N), within -1 to 1."""
    # A float format may hold anything.
    finite = np.nan_to_num(channels, nan=0.0, posinf=0.0, neginf=0.0).clip(-1.0, 1.0)
    mixed = finite.mean(axis=0)
    if len(finite) > 1:
        powers = np.square(finite).mean(axis=1)
        if np.square(mixed).mean() < _CANCELLED * powers.max():
            mixed = finite[powers.argmax()]
    return np.asarray(mixed, dtype=np.float32)
