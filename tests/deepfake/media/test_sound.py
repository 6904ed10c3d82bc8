"""Sound of any file becomes one channel at 16 kHz, with its times."""

from __future__ import annotations

import itertools
import wave
from pathlib import Path

import av
import numpy as np
import pytest

from deepfake.config import MediaLimits
from deepfake.errors import (
    DecodeError,
    EmptyMediaError,
    MediaTooLargeError,
    ProbeError,
    UnreadableMediaError,
    UnsupportedMediaError,
)
from deepfake.media.sound import SAMPLE_RATE, SoundPiece, open_sound
from tests.media_factory import index_frame, write_clip, write_still, write_text_clip
from tests.sound_factory import dominant_hz, make_tone, mux_tone, write_samples, write_tone

_FORMATS = [
    ("a.wav", "pcm_s16le", 16_000, "mono"),
    ("a.wav", "pcm_u8", 8_000, "mono"),
    ("a.wav", "pcm_s24le", 48_000, "stereo"),
    ("a.wav", "pcm_s32le", 22_050, "mono"),
    ("a.wav", "pcm_f32le", 44_100, "5.1"),
    ("a.wav", "pcm_s16le", 192_000, "stereo"),
    ("a.wav", "pcm_mulaw", 8_000, "mono"),
    ("a.wav", "adpcm_ima_wav", 16_000, "mono"),
    ("a.w64", "pcm_s16le", 16_000, "mono"),
    ("a.au", "pcm_s16be", 16_000, "mono"),
    ("a.aiff", "pcm_s16be", 44_100, "stereo"),
    ("a.caf", "pcm_s16le", 16_000, "mono"),
    ("a.flac", "flac", 44_100, "stereo"),
    ("a.mp3", "libmp3lame", 44_100, "stereo"),
    ("a.m4a", "aac", 44_100, "mono"),
    ("a.aac", "aac", 44_100, "stereo"),
    ("a.m4a", "alac", 44_100, "stereo"),
    ("a.ogg", "libopus", 48_000, "mono"),
    ("a.ogg", "vorbis", 44_100, "stereo"),
    ("a.mkv", "libopus", 48_000, "stereo"),
    ("a.webm", "libopus", 48_000, "mono"),
    ("a.wma", "wmav2", 44_100, "stereo"),
    ("a.ac3", "ac3", 48_000, "5.1"),
    ("a.amr", "libopencore_amrnb", 8_000, "mono"),
    ("a.ts", "aac", 44_100, "stereo"),
]


def _read(path: Path, **more: float) -> list[SoundPiece]:
    reader = open_sound(path, limits=MediaLimits())
    assert reader is not None
    with reader:
        return list(reader.read(**more))


def _samples(path: Path) -> np.ndarray:
    return np.concatenate([piece.samples for piece in _read(path)])


@pytest.mark.parametrize(("name", "codec", "rate", "layout"), _FORMATS)
def test_a_tone_of_every_format_is_heard(
    name: str, codec: str, rate: int, layout: str, tmp_path: Path
) -> None:
    path = write_tone(tmp_path / name, codec=codec, rate=rate, layout=layout)
    reader = open_sound(path, limits=MediaLimits())
    assert reader is not None
    with reader:
        pieces = list(reader.read())
        assert reader.info.sample_rate == rate
        assert reader.info.num_tracks == 1
        assert reader.num_damaged == 0
    samples = np.concatenate([piece.samples for piece in pieces])
    assert samples.dtype == np.float32
    assert len(samples) / SAMPLE_RATE == pytest.approx(2.0, abs=0.12)
    assert dominant_hz(samples) == pytest.approx(440.0, abs=1.0)
    # 0.5 of full scale is 0.35 effective; codecs and mixers change it a little.
    assert float(np.sqrt(np.square(samples[4000:-4000]).mean())) == pytest.approx(0.35, rel=0.2)


def test_pieces_follow_each_other_without_gap_and_are_about_a_second(tmp_path: Path) -> None:
    path = write_tone(tmp_path / "a.mp3", codec="libmp3lame", rate=44_100, seconds=5.0)
    pieces = _read(path)
    assert 5 <= len(pieces) <= 6
    for before, after in itertools.pairwise(pieces):
        assert after.pts_seconds == pytest.approx(before.end_seconds, abs=1e-6)
    assert all(len(piece.samples) <= 1.2 * SAMPLE_RATE for piece in pieces)


def test_reading_stops_after_the_seconds_asked_for(tmp_path: Path) -> None:
    path = write_tone(tmp_path / "a.flac", codec="flac", seconds=5.0)
    assert sum(len(p.samples) for p in _read(path, max_seconds=1.5)) == 1.5 * SAMPLE_RATE


def test_a_gap_in_the_times_begins_a_new_piece(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=16_000, layout="mono")
        stream.codec_context.format = "s16"
        tone = make_tone(seconds=1.0)[None]
        _mux_raw(container, stream, tone, begin=0)
        _mux_raw(container, stream, tone, begin=3 * 16_000)
    pieces = _read(path)
    assert [round(p.pts_seconds, 2) for p in pieces] == [0.0, 3.0]
    assert [len(p.samples) / SAMPLE_RATE for p in pieces] == pytest.approx([1.0, 1.0], abs=0.01)


def _mux_raw(container: object, stream: object, channels: np.ndarray, *, begin: int) -> None:
    for at in range(0, channels.shape[1], 1000):
        block = np.ascontiguousarray((channels[:, at : at + 1000] * 32767).astype(np.int16))
        frame = av.AudioFrame.from_ndarray(block, format="s16", layout="mono")
        frame.sample_rate, frame.pts = 16_000, begin + at
        container.mux(stream.encode(frame))  # type: ignore[attr-defined]


def test_of_several_tracks_the_players_choice_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("flac", rate=16_000, layout="mono") for _ in range(2)]
        streams[1].disposition = av.stream.Disposition.default
        streams[0].disposition = av.stream.Disposition(0)
        for stream, hz in zip(streams, (300.0, 800.0), strict=True):
            mux_tone(container, stream, make_tone(hz=hz)[None], rate=16_000)
    reader = open_sound(path, limits=MediaLimits())
    assert reader is not None
    with reader:
        assert reader.info.num_tracks == 2
        heard = np.concatenate([piece.samples for piece in reader.read()])
    assert dominant_hz(heard) == pytest.approx(800.0, abs=1.0)


def test_channels_that_cancel_out_are_heard(tmp_path: Path) -> None:
    tone = make_tone()
    path = write_samples(tmp_path / "a.wav", np.stack([tone, -tone]), codec="pcm_s16le")
    assert float(np.abs(_samples(path)).max()) == pytest.approx(0.5, abs=0.01)


def test_one_silent_channel_leaves_half_of_the_other(tmp_path: Path) -> None:
    tone = make_tone()
    path = write_samples(tmp_path / "a.wav", np.stack([tone, 0 * tone]), codec="pcm_s16le")
    assert float(np.abs(_samples(path)).max()) == pytest.approx(0.25, abs=0.01)


def test_samples_that_are_no_numbers_are_silence_and_large_ones_are_clipped(tmp_path: Path) -> None:
    tone = make_tone(level=3.0)
    tone[1000:2000] = np.nan
    tone[3000:3100] = np.inf
    path = write_samples(tmp_path / "a.wav", tone[None], codec="pcm_f32le")
    samples = _samples(path)
    assert np.isfinite(samples).all()
    assert float(np.abs(samples).max()) == 1.0


def test_silence_is_sound(tmp_path: Path) -> None:
    path = write_samples(tmp_path / "a.flac", np.zeros((1, 16_000), np.float32), codec="flac")
    samples = _samples(path)
    assert len(samples) == 16_000
    assert not samples.any()


def test_a_video_without_sound_has_none_and_a_video_with_sound_has_it(tmp_path: Path) -> None:
    assert open_sound(write_clip(tmp_path / "a.mp4"), limits=MediaLimits()) is None
    reader = open_sound(write_clip(tmp_path / "b.mp4", has_sound=True), limits=MediaLimits())
    assert reader is not None
    with reader:
        assert sum(len(piece.samples) for piece in reader.read()) > 0.5 * SAMPLE_RATE


def test_a_cover_beside_the_sound_does_no_harm(tmp_path: Path) -> None:
    cover, path = write_still(tmp_path / "cover.jpg", index_frame(0)), tmp_path / "a.mp3"
    with av.open(str(path), "w") as container, av.open(str(cover)) as picture:
        sound = container.add_stream("libmp3lame", rate=44_100, layout="mono")
        shown = container.add_stream_from_template(picture.streams.video[0])
        shown.disposition = av.stream.Disposition.attached_pic
        for packet in picture.demux():
            if packet.size:
                packet.stream = shown
                container.mux(packet)
        mux_tone(container, sound, make_tone(rate=44_100)[None], rate=44_100)
    assert dominant_hz(_samples(path)) == pytest.approx(440.0, abs=1.0)


@pytest.mark.parametrize(("name", "codec"), [("a.mp3", "libmp3lame"), ("a.ogg", "vorbis")])
def test_damage_in_the_middle_leaves_the_rest(name: str, codec: str, tmp_path: Path) -> None:
    path = write_tone(tmp_path / name, codec=codec, rate=44_100, layout="stereo", seconds=6.0)
    content = bytearray(path.read_bytes())
    third = len(content) // 3
    content[third : third + 4000] = bytes(4000)
    path.write_bytes(content)
    samples = _samples(path)
    assert 3.5 < len(samples) / SAMPLE_RATE <= 6.2
    assert dominant_hz(samples) == pytest.approx(440.0, abs=2.0)


def test_a_cut_off_file_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    whole = write_tone(tmp_path / "a.wav", codec="pcm_s16le", seconds=4.0)
    (tmp_path / "b.wav").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    reader = open_sound(tmp_path / "b.wav", limits=MediaLimits())
    assert reader is not None
    with reader:
        seconds = sum(len(piece.samples) for piece in reader.read()) / SAMPLE_RATE
    assert seconds == pytest.approx(2.0, abs=0.1)


def test_channels_that_change_in_mid_stream_are_read_on(tmp_path: Path) -> None:
    parts = [
        write_tone(tmp_path / f"{layout}.aac", codec="aac", rate=44_100, layout=layout)
        for layout in ("mono", "stereo")
    ]
    path = tmp_path / "a.aac"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    samples = _samples(path)
    assert len(samples) / SAMPLE_RATE == pytest.approx(4.0, abs=0.3)
    assert dominant_hz(samples[-SAMPLE_RATE:]) == pytest.approx(440.0, abs=2.0)


def test_packets_of_which_none_can_be_decoded_are_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
    with pytest.raises(DecodeError, match="no packet of the sound could be decoded"):
        _read(path)


def test_what_is_no_sound_file_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedMediaError, match="a text file"):
        open_sound(write_text_clip(tmp_path / "a.mp3"), limits=MediaLimits())
    with pytest.raises(UnreadableMediaError):
        open_sound(tmp_path / "absent.wav", limits=MediaLimits())
    (tmp_path / "empty.wav").touch()
    with pytest.raises(EmptyMediaError):
        open_sound(tmp_path / "empty.wav", limits=MediaLimits())
    with pytest.raises(UnsupportedMediaError, match="only regular files"):
        open_sound(tmp_path, limits=MediaLimits())
    path = write_tone(tmp_path / "b.wav", codec="pcm_s16le")
    with pytest.raises(MediaTooLargeError):
        open_sound(path, limits=MediaLimits(max_bytes=1000))
    (tmp_path / "c.m4a").write_bytes(b"\0\0\0\x18ftypM4A \0\0\0\0M4A mp42" + bytes(5000))
    with pytest.raises((ProbeError, UnsupportedMediaError)):
        open_sound(tmp_path / "c.m4a", limits=MediaLimits())
