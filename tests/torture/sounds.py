"""Bad and odd files of sound, and what each of them comes to."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import av
import numpy as np
from numpy.typing import NDArray

from deepfake.errors import (
    DecodeError,
    EmptyMediaError,
    MediaError,
    ProbeError,
    UnsupportedMediaError,
)
from tests.media_factory import index_frame, patch_mkv_duration, write_clip
from tests.sound_factory import make_tone, mux_tone, write_samples, write_tone
from tests.torture.stills import face_jpeg

__all__ = ["SECONDS", "SOUNDS", "SoundKind"]

SECONDS = 3.0
"""Of the tone in each file, unless it says otherwise."""
_HZ = 440.0
_HUGE = 0xFFFF_FFFF
_Write: TypeAlias = Callable[[Path], object]


@dataclass(frozen=True)
class SoundKind:
    """A bad or odd file of sound.

    Attributes:
        name: What it is called.
        write: Writes it.
        outcome: The error that opening or reading raises, None where the file has no sound, else
            the seconds that are decoded.
        tolerance: Of the seconds; coders add and remove some hundredths.
        hz: The tone that is heard; None where none is.
        has_damage: Whether packets are left out, and the reader says so.
    """

    name: str
    write: _Write
    outcome: float | type[MediaError] | None = SECONDS
    tolerance: float = 0.0
    hz: float | None = _HZ
    has_damage: bool = False


def _wav(
    samples: NDArray[Any],
    *,
    rate: int = 16_000,
    channels: int = 1,
    bits: int = 16,
    tag: int = 1,
    length: int | None = None,
) -> bytes:
    """Return a WAV file, with any header over any bytes; `length` is what it declares."""
    data = samples.tobytes()
    align = max(channels * bits // 8, 0)
    form = struct.pack(
        "<HHIIHH", tag, channels & 0xFFFF, rate, rate * align & _HUGE, align & 0xFFFF, bits
    )
    declared = len(data) if length is None else length
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form
    body += b"data" + struct.pack("<I", declared) + data
    return b"RIFF" + struct.pack("<I", min(len(body), _HUGE)) + body


def _pcm(rate: int = 16_000, **options: Any) -> NDArray[np.int16]:
    return (32_767 * make_tone(seconds=SECONDS, rate=rate, **options)).astype(np.int16)


def _bytes(content: Callable[[], bytes]) -> _Write:
    return lambda path: path.write_bytes(content())


def _made(codec: str, **options: Any) -> _Write:
    return lambda path: write_tone(path, codec=codec, seconds=SECONDS, **options)


def _whole(path: Path, codec: str, **options: Any) -> bytes:
    """Return a sound file as bytes."""
    part = path.with_name(f"whole-{path.name}")
    data = write_tone(part, codec=codec, seconds=SECONDS, **options).read_bytes()
    part.unlink()
    return data


def _cut(codec: str, share: float, **options: Any) -> _Write:
    def write(path: Path) -> None:
        data = _whole(path, codec, **options)
        path.write_bytes(data[: int(share * len(data))])

    return write


def _damaged(codec: str, **options: Any) -> _Write:
    """Return what overwrites a twentieth of a file from its middle on."""

    def write(path: Path) -> None:
        data = bytearray(_whole(path, codec, **options))
        middle, num = len(data) // 2, len(data) // 20
        data[middle : middle + num] = np.random.default_rng(0).bytes(num)
        path.write_bytes(data)

    return write


def _patched(codec: str, what: bytes, *, offset: int, value: bytes, **options: Any) -> _Write:
    """Return what writes `value` so far behind the first `what` of a file."""

    def write(path: Path) -> None:
        data = _whole(path, codec, **options)
        at = data.index(what) + offset
        path.write_bytes(data[:at] + value + data[at + len(value) :])

    return write


def _chained(codec: str, *rates: int, layout: str = "mono") -> _Write:
    def write(path: Path) -> None:
        path.write_bytes(b"".join(_whole(path, codec, rate=rate, layout=layout) for rate in rates))

    return write


def _samples(change: Callable[[NDArray[np.float32]], NDArray[Any]], codec: str) -> _Write:
    """Return what writes a changed tone, shape (C, N)."""
    return lambda path: write_samples(
        path, np.atleast_2d(change(make_tone(seconds=SECONDS))).astype(np.float32), codec=codec
    )


def _id3(num_bytes: int, frame: bytes) -> bytes:
    size = bytes(num_bytes >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x03\0\0" + size + frame.ljust(num_bytes, b"\0")


def _cover() -> bytes:
    picture = b"\0image/jpeg\0\x03\0" + face_jpeg()
    return b"APIC" + struct.pack(">IH", len(picture), 0) + picture


def _tagged(num_bytes: int) -> _Write:
    def write(path: Path) -> None:
        path.write_bytes(_id3(num_bytes, _cover()) + _whole(path, "libmp3lame", rate=44_100))

    return write


def _mp4(begin_seconds: float, *, level: float = 0.5) -> _Write:
    """Return what writes a clip with pictures; its sound begins where it is said."""

    def write(path: Path) -> None:
        with av.open(str(path), "w") as container:
            shown: Any = container.add_stream("libx264", rate=10)
            shown.width, shown.height, shown.pix_fmt = 160, 96, "yuv420p"
            sound: Any = container.add_stream("aac", rate=44_100, layout="mono")
            for at in range(60):
                frame = av.VideoFrame.from_ndarray(index_frame(at), format="rgb24")
                container.mux(shown.encode(frame))
            container.mux(shown.encode(None))
            tone = make_tone(seconds=SECONDS, rate=44_100, level=level)[None]
            mux_tone(container, sound, tone, rate=44_100, begin_seconds=begin_seconds)

    return write


def _two_tracks(path: Path) -> None:
    with av.open(str(path), "w") as container:
        tracks = [container.add_stream("aac", rate=44_100, layout="mono") for _ in range(2)]
        for track, hz in zip(tracks, (_HZ, 900.0), strict=True):
            tone = make_tone(seconds=SECONDS, rate=44_100, hz=hz)[None]
            mux_tone(container, track, tone, rate=44_100)


def _without_moov(path: Path) -> None:
    data = _whole(path, "aac", rate=44_100)
    path.write_bytes(data[: data.index(b"moov") - 4])


def _faststart(path: Path) -> None:
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        track = container.add_stream("aac", rate=44_100, layout="mono")
        mux_tone(container, track, make_tone(seconds=SECONDS, rate=44_100)[None], rate=44_100)


def _rf64(path: Path) -> None:
    data = _pcm().tobytes()
    form = struct.pack("<HHIIHH", 1, 1, 16_000, 32_000, 2, 16)
    sizes = struct.pack("<QQQI", 72 + len(data), len(data), len(data) // 2, 0)
    path.write_bytes(
        b"RF64" + struct.pack("<I", _HUGE) + b"WAVEds64" + struct.pack("<I", len(sizes)) + sizes
        + b"fmt " + struct.pack("<I", len(form)) + form
        + b"data" + struct.pack("<I", _HUGE) + data
    )  # fmt: skip


def _rf64_of_exabytes(path: Path) -> None:
    _rf64(path)
    data = path.read_bytes()
    path.write_bytes(data[:20] + struct.pack("<QQQ", *(1 << 62,) * 3) + data[44:])


def _hours(path: Path) -> None:
    """Write a Matroska file whose second half is said to begin a million hours later."""
    with av.open(str(path), "w") as container:
        track: Any = container.add_stream("libopus", rate=48_000, layout="mono")
        tone = make_tone(seconds=SECONDS / 2, rate=48_000)[None]
        mux_tone(container, track, tone, rate=48_000)
    late = path.with_name(f"late-{path.name}")
    with av.open(str(path)) as source, av.open(str(late), "w") as container:
        copied = container.add_stream_from_template(source.streams.audio[0])
        packets = [p for p in source.demux() if p.size]
        for number, packet in enumerate(packets):
            if number >= len(packets) // 2:
                packet.pts = packet.dts = packet.pts + int(3.6e9 / packet.time_base)
            packet.stream = copied
            container.mux(packet)
    late.replace(path)


def _gaps(path: Path) -> None:
    """Write a Matroska file with a gap behind each of a thousand packets."""
    with av.open(str(path), "w") as container:
        track: Any = container.add_stream("pcm_s16le", rate=16_000, layout="mono")
        block = _pcm()[None, :48].copy()
        for number in range(1000):
            frame = av.AudioFrame.from_ndarray(block, format="s16", layout="mono")
            frame.sample_rate, frame.pts = 16_000, number * 16_000
            container.mux(track.encode(frame))


def _mkv(seconds: float) -> _Write:
    def write(path: Path) -> None:
        write_tone(path, codec="flac", seconds=SECONDS)
        patch_mkv_duration(path, seconds=seconds)

    return write


def _archive() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.mp3", bytes(5000))
    return stream.getvalue()


def _flac_of(rate: int) -> _Write:
    """Return what writes a FLAC that declares another rate than its frames have."""

    def write(path: Path) -> None:
        data = bytearray(_whole(path, "flac"))
        # STREAMINFO (RFC 9639, 8.2) begins behind 8 bytes: 10 bytes of sizes, 20 bits of rate.
        declared = (rate << 4 | data[20] & 15).to_bytes(3, "big")
        path.write_bytes(data[:18] + declared + data[21:])

    return write


def _slow_flac(path: Path) -> None:
    """Write 18 hours of silence in a frame of some bytes: 65,535 samples at 1 Hz."""
    with av.open(str(path), "w") as container:
        track: Any = container.add_stream("flac", rate=1, layout="mono")
        track.codec_context.options = {"frame_size": "65535"}
        for number in range(10):
            frame = av.AudioFrame.from_ndarray(
                np.zeros((1, 65_535), np.int16), format="s16", layout="mono"
            )
            frame.sample_rate, frame.pts = 1, 65_535 * number
            container.mux(track.encode(frame))
        container.mux(track.encode(None))


def _wav_of(rate: int) -> _Write:
    return _bytes(lambda: _wav(np.zeros(48_000, np.int16), rate=rate))


_ODD = (
    SoundKind("bits8.wav", _made("pcm_u8")),
    SoundKind("bits24.wav", _made("pcm_s24le", rate=48_000)),
    SoundKind("float64.wav", _made("pcm_f64le", rate=48_000)),
    SoundKind("rate8000.wav", _made("pcm_s16le", rate=8_000)),
    SoundKind("rate192000.wav", _made("pcm_s16le", rate=192_000)),
    SoundKind("channels6.wav", _made("pcm_s16le", rate=48_000, layout="5.1")),
    SoundKind("opposite.wav", _samples(lambda tone: np.stack([tone, -tone]), "pcm_s16le")),
    SoundKind("rf64.wav", _rf64),
    SoundKind("a.aiff", _made("pcm_s16be", rate=44_100)),
    SoundKind("a.au", _made("pcm_s16be")),
    SoundKind("a.caf", _made("pcm_s16le")),
    SoundKind("a.wma", _made("wmav2", rate=44_100), tolerance=0.1),
    SoundKind("a.opus", _made("libopus", rate=48_000), tolerance=0.03),
    SoundKind("a.amr", _made("libopencore_amrnb", rate=8_000), tolerance=0.03),
    SoundKind("moov-behind.m4a", _made("aac", rate=44_100), tolerance=0.05),
    SoundKind("moov-before.m4a", _faststart, tolerance=0.05),
    SoundKind("cover.mp3", _tagged(1 << 17), tolerance=0.1),
    SoundKind("tag-of-20-mb.mp3", _tagged(20 << 20), tolerance=0.1),
    SoundKind("two-tracks.m4a", _two_tracks, tolerance=0.05),
    SoundKind("late.mp4", _mp4(2.0), tolerance=0.05),
    SoundKind("silent.mp4", _mp4(0.0, level=0.0), tolerance=0.05, hz=None),
    SoundKind("no-sound.mp4", write_clip, None),
    SoundKind("chained.ogg", _chained("flac", 44_100, 16_000), 2 * SECONDS),
    SoundKind("chained.opus", _chained("libopus", 48_000, 48_000), 2 * SECONDS, tolerance=0.05),
    SoundKind(
        "chained.mp3",
        _chained("libmp3lame", 44_100, 16_000),
        2 * SECONDS,
        tolerance=0.2,
        has_damage=True,
    ),
    SoundKind("zeros.flac", _samples(np.zeros_like, "flac"), hz=None),
    SoundKind("nan.wav", _samples(lambda tone: tone * np.nan, "pcm_f32le"), hz=None),
    SoundKind("constant.wav", _samples(lambda tone: 0 * tone + 0.5, "pcm_s16le"), hz=None),
    SoundKind("clipped.wav", _samples(lambda tone: 50 * tone, "pcm_s16le")),
    SoundKind("short.wav", _bytes(lambda: _wav(_pcm()[:1600])), 0.1),
    SoundKind("one-sample.wav", _bytes(lambda: _wav(_pcm()[:1])), 1 / 16_000, hz=None),
)

_DAMAGED = (
    SoundKind("length-short.wav", _bytes(lambda: _wav(_pcm(), length=48_000)), 1.5),
    SoundKind("length-long.wav", _bytes(lambda: _wav(_pcm(), length=1 << 30))),
    SoundKind("length-unknown.wav", _bytes(lambda: _wav(_pcm(), length=_HUGE))),
    SoundKind("length-none.wav", _bytes(lambda: _wav(_pcm(), length=0))),
    SoundKind("rf64-of-exabytes.wav", _rf64_of_exabytes),
    SoundKind("no-samples.wav", _bytes(lambda: _wav(_pcm()[:0])), DecodeError),
    SoundKind("cut.mp3", _cut("libmp3lame", 0.5, rate=44_100), 1.5, tolerance=0.1),
    SoundKind("cut.flac", _cut("flac", 0.5), 1.2, tolerance=0.4, has_damage=True),
    SoundKind("cut.ogg", _cut("vorbis", 0.5, rate=44_100, layout="stereo"), 1.2, tolerance=0.4),
    SoundKind(
        "cut.amr", _cut("libopencore_amrnb", 0.5, rate=8_000), 1.5, tolerance=0.1, has_damage=True
    ),
    SoundKind("damaged.flac", _damaged("flac"), 2.7, tolerance=0.3),
    SoundKind(
        "damaged.mp3", _damaged("libmp3lame", rate=44_100), 2.7, tolerance=0.3, has_damage=True
    ),
    SoundKind("damaged.opus", _damaged("libopus", rate=48_000), 2.0, tolerance=1.0),
    # FFmpeg reads no Vorbis behind a change of rate.
    SoundKind(
        "chained-vorbis.ogg",
        _chained("vorbis", 44_100, 16_000, layout="stereo"),
        tolerance=0.05,
        has_damage=True,
    ),
    SoundKind("no-moov.m4a", _without_moov, ProbeError),
    SoundKind("text.wav", _bytes(lambda: b"no sound at all\n" * 50), UnsupportedMediaError),
    SoundKind("archive.mp3", _bytes(_archive), UnsupportedMediaError),
    SoundKind("picture.flac", _bytes(face_jpeg), None),
    SoundKind("list.m3u", _bytes(lambda: b"#EXTM3U\na.mp3\n"), UnsupportedMediaError),
    SoundKind("zero-bytes.mp3", _bytes(lambda: bytes(5000)), EmptyMediaError),
    SoundKind("rate0.wav", _wav_of(0), UnsupportedMediaError),
    SoundKind("rate1.wav", _wav_of(1), UnsupportedMediaError),
    SoundKind("rate4e9.wav", _wav_of(4_000_000_000), UnsupportedMediaError),
    SoundKind("rate2e9.wav", _wav_of(2_000_000_000), UnsupportedMediaError),
    SoundKind("rate1.flac", _slow_flac, UnsupportedMediaError),
    SoundKind("rate1-declared.flac", _flac_of(1)),
    SoundKind("rate0-declared.flac", _flac_of(0)),
    SoundKind("channels0.wav", _bytes(lambda: _wav(_pcm(), channels=0)), ProbeError),
    SoundKind("channels9999.wav", _bytes(lambda: _wav(_pcm(), channels=9999)), ProbeError),
    SoundKind("bits0.wav", _bytes(lambda: _wav(_pcm(), bits=0)), UnsupportedMediaError),
    SoundKind("codec-unknown.wav", _bytes(lambda: _wav(_pcm(), tag=0x1234)), UnsupportedMediaError),
    SoundKind("million-hours.mkv", _mkv(3.6e9)),
    SoundKind(
        "half-a-day.m4a",
        _patched("aac", b"mdhd", offset=20, value=struct.pack(">I", 0x7FFF_FFFF), rate=44_100),
        tolerance=0.05,
    ),
    SoundKind("million-hours.flac", _patched("flac", b"fLaC", offset=21, value=b"\xff" * 5)),
    SoundKind("gap-of-million-hours.mkv", _hours, 1.5, tolerance=0.05),
    SoundKind("thousand-gaps.mkv", _gaps, SECONDS, hz=None),
)

SOUNDS: Sequence[SoundKind] = (*_ODD, *_DAMAGED)
