"""Unusual videos: codecs, rates, times, sizes, missing streams."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from deepfake.media import write_video
from tests.media_factory import (
    patch_mkv_duration,
    patch_mp4_rotation,
    write_clip,
    write_sound,
)
from tests.sample_data import clip_frames
from tests.torture.bad_file import Kind, Outside

__all__ = ["VIDEOS", "face_clip", "patched"]

_MILLISECOND = Fraction(1, 1000)


def face_clip(path: Path, *, num_frames: int = 16, side: int = 192, **options: Any) -> Path:
    """Write a clip of a face; options are those of `write_video`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_video(path, clip_frames(num_frames, side=side), fps=25, **options)


def patched(data: bytes, what: bytes, *, offset: int, value: bytes) -> bytes:
    """Return bytes with `value` written so far behind the first `what`."""
    at = data.index(what) + offset
    return data[:at] + value + data[at + len(value) :]


def _face(codec: str = "libx264", **options: Any) -> Callable[[Path, Outside], object]:
    return lambda path, _: face_clip(path, codec=codec, **options)


def _timed(times_ms: list[int], **options: str) -> Callable[[Path, Outside], None]:
    """Return what writes a clip whose frames are shown at given times."""

    def write(path: Path, _: Outside) -> None:
        frames = clip_frames(len(times_ms), side=192)
        with av.open(str(path), "w", options=options) as container:
            stream: Any = container.add_stream("libx264", rate=25, options={"g": "8"})
            stream.width = stream.height = 192
            stream.pix_fmt = "yuv420p"
            stream.codec_context.time_base = _MILLISECOND
            for time_ms, pixels in zip(times_ms, frames, strict=True):
                frame: Any = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                frame.pts, frame.time_base = time_ms, _MILLISECOND
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))

    return write


_HDR = {"x265-params": "colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:log-level=none"}
_FAST_AV1 = {"preset": "10", "crf": "35"}
_INTERLACED = {"flags": "+ilme+ildct", "x264-params": "interlaced=1"}


def _raw_stream(path: Path, *, side: int) -> bytes:
    clip = face_clip(path.with_suffix(".part.h264"), num_frames=8, side=side)
    data = clip.read_bytes()
    clip.unlink()
    return data


def _changing_size(path: Path, _: Outside) -> None:
    path.write_bytes(_raw_stream(path, side=192) + _raw_stream(path, side=256))


def _without_key_frame(path: Path, _: Outside) -> None:
    """Write a transport stream that begins behind its only key frame."""
    face_clip(path, num_frames=48, options={"g": "1000", "bf": "0"})
    packets = path.read_bytes()
    path.write_bytes(packets[len(packets) // 188 // 2 * 188 :])


def _without_key_marks(path: Path, _: Outside) -> None:
    """Write an mp4 whose list of key frames is empty."""
    face_clip(path)
    data = path.read_bytes()
    path.write_bytes(patched(data, b"stss", offset=8, value=bytes(4)))


def _endless_counts(box: bytes, offset: int) -> Callable[[Path, Outside], None]:
    def write(path: Path, _: Outside) -> None:
        data = face_clip(path).read_bytes()
        path.write_bytes(patched(data, box, offset=offset, value=b"\xff\xff\xff\xf0"))

    return write


def _huge_frame(path: Path, _: Outside) -> None:
    """Write a clip whose container declares huge frames, and whose pictures are small."""
    data = face_clip(path).read_bytes()
    # ISO 14496-12, 8.5.2: 28 bytes behind the name of the sample entry stand width and height.
    path.write_bytes(patched(data, b"avc1", offset=28, value=struct.pack(">HH", 60_000, 60_000)))


def _huge_frames(path: Path, _: Outside) -> None:
    """Write a clip of raw pictures that declares huge ones."""
    data = face_clip(path, num_frames=4, codec="rawvideo").read_bytes()
    size = struct.pack("<ii", 192, 192)
    path.write_bytes(data.replace(size, struct.pack("<ii", 12_000, 12_000)))


def _clip_by_another_name(path: Path, _: Outside) -> None:
    face_clip(path.with_suffix(".part.mp4")).rename(path)


def _many_tiny_frames(path: Path, _: Outside) -> None:
    black = np.zeros((16, 16, 3), np.uint8)
    frames = (black for _ in range(100_000))
    write_video(path, frames, fps=1000, codec="mpeg4", options={"g": "250"})


def _two_streams(path: Path, _: Outside) -> None:
    with av.open(str(path), "w") as container:
        streams: list[Any] = [container.add_stream("libx264", rate=25) for _ in range(2)]
        for stream, side in zip(streams, (192, 64), strict=True):
            stream.width = stream.height = side
            stream.pix_fmt = "yuv420p"
        for pixels in clip_frames(12, side=192):
            for stream in streams:
                side = stream.width
                frame = av.VideoFrame.from_ndarray(pixels[:side, :side].copy(), format="rgb24")
                container.mux(stream.encode(frame))
        for stream in streams:
            container.mux(stream.encode(None))


def _sound_with_cover(path: Path, _: Outside) -> None:
    """Write music whose only picture is the cover."""
    from tests.torture.stills import face_jpeg

    picture = b"\0image/jpeg\0\x03\0" + face_jpeg(128)
    frame = b"APIC" + struct.pack(">IH", len(picture), 0) + picture
    size = len(frame)
    packed = bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
    sound = write_sound(path.with_suffix(".part.mp4")).with_suffix(".mp3")
    path.with_suffix(".part.mp4").unlink()
    with av.open(str(sound), "w") as container:
        stream: Any = container.add_stream("libmp3lame", rate=16000, layout="mono")
        silence = av.AudioFrame.from_ndarray(
            np.zeros((1, 16000), np.float32), format="fltp", layout="mono"
        )
        silence.sample_rate = 16000
        container.mux(stream.encode(silence))
        container.mux(stream.encode(None))
    data = sound.read_bytes()
    sound.unlink()
    path.write_bytes(b"ID3\x03\0\0" + packed + frame + data)


def _rotated(path: Path, _: Outside) -> None:
    frames = [np.rot90(pixels, 2).copy() for pixels in clip_frames(16, side=192)]
    patch_mp4_rotation(write_video(path, frames, fps=25), clockwise=180)


def _promises_hours(path: Path, _: Outside) -> None:
    patch_mkv_duration(face_clip(path), seconds=36_000)


def _index_frames(**options: Any) -> Callable[[Path, Outside], object]:
    return lambda path, _: write_clip(path, **options)


_VARIABLE = [0, 10, 15, 200, 210, 700, 705, 1900, 1910, 1950, 2000, 4000]


def _options(**options: str) -> Mapping[str, str]:
    return options


VIDEOS = [
    Kind("h264.mp4", "ok", _face()),
    Kind("b-frames.mkv", "ok", _face(options={"bf": "3"})),
    Kind("av1.mp4", "ok", _face("libsvtav1", options=_FAST_AV1)),
    Kind("vp8.webm", "ok", _face("libvpx")),
    Kind("vp9.webm", "ok", _face("libvpx-vp9", options=_options(deadline="realtime"))),
    Kind("hdr.mp4", "ok", _face("libx265", pixel_format="yuv420p10le", options=_HDR)),
    Kind("10-bit.mkv", "ok", _face("libsvtav1", pixel_format="yuv420p10le", options=_FAST_AV1)),
    Kind("444.mp4", "ok", _face(pixel_format="yuv444p", side=191)),
    Kind("mpeg2.mpg", "ok", _face("mpeg2video", side=256)),
    Kind("mpeg1.mpeg", "ok", _face("mpeg1video", side=256)),
    Kind("mpeg4.avi", "ok", _face("mpeg4")),
    Kind("photos.avi", "ok", _face("mjpeg", pixel_format="yuvj420p")),
    Kind("wmv.wmv", "ok", _face("wmv2", side=256)),
    Kind("flash.flv", "ok", _face("flv", side=256)),
    Kind("prores.mov", "ok", _face("prores_ks", pixel_format="yuv422p10le")),
    Kind("lossless.mkv", "ok", _face("ffv1")),
    Kind("raw.nut", "ok", _face("rawvideo")),
    Kind("bare.h264", "ok", _face()),
    Kind("clip.jpg", "ok", _clip_by_another_name),
    Kind("huge-frames.avi", "too_large", _huge_frames),
    Kind("stream.ts", "ok", _face()),
    Kind("interlaced.mp4", "ok", _face(options=_INTERLACED)),
    Kind("rotated.mp4", "ok", _rotated),
    Kind("variable-rate.mp4", "ok", _timed(_VARIABLE)),
    Kind("negative-times.mkv", "ok", _timed(list(range(-400, 240, 40)), avoid_negative_ts="0")),
    Kind("negative-times.mp4", "ok", _timed(list(range(-400, 240, 40)), avoid_negative_ts="0")),
    Kind("starts-late.mp4", "ok", _timed(list(range(3_600_000, 3_600_640, 40)))),
    Kind("no-key-frame.ts", "decode_error ok", _without_key_frame),
    Kind("no-key-marks.mp4", "ok decode_error", _without_key_marks),
    Kind("one-frame.mp4", "ok", _face(num_frames=1)),
    Kind("many-tiny-frames.avi", "no_face", _many_tiny_frames),
    Kind("tiny-pictures.mp4", "no_face", _index_frames(size=(16, 16), num_frames=8)),
    Kind("changing-size.h264", "ok", _changing_size),
    Kind("two-streams.mkv", "ok", _two_streams),
    Kind("promises-hours.mkv", "ok", _promises_hours),
    Kind("sound.mp4", "no_picture", lambda path, _: write_sound(path)),
    Kind("sound-with-cover.mp3", "no_picture", _sound_with_cover),
    Kind("huge-frame.mp4", "ok", _huge_frame),
    Kind("endless-sizes.mp4", "decode_error", _endless_counts(b"stsz", 12)),
    Kind("endless-times.mp4", "ok decode_error", _endless_counts(b"stts", 8)),
    Kind("endless-chunks.mp4", "ok decode_error", _endless_counts(b"stco", 8)),
    Kind("endless-runs.mp4", "ok decode_error", _endless_counts(b"stts", 12)),
]
