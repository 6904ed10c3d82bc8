"""Frames of a video and their times, the same with every decoder."""

from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from deepfake.config import MediaLimits
from deepfake.errors import (
    ConfigError,
    DecodeError,
    MediaTooLargeError,
    UnsupportedMediaError,
)
from deepfake.media import open_video, pyav_frames
from deepfake.media import video as video_module
from deepfake.media.decord_frames import has_decord
from tests.media_factory import (
    frame_number,
    patch_avi_length,
    patch_mkv_duration,
    patch_mp4_rotation,
    truncate,
    write_clip,
    write_text_clip,
)

LIMITS = MediaLimits()
VFR_MS = [0, *itertools.accumulate([20, 20, 200, 40, 33, 500, 20, 77] * 6)][:48]

needs_decord = pytest.mark.skipif(not has_decord(), reason="decord is not installed")


def numbers(path: Path, indices: list[int]) -> list[tuple[int, int]]:
    with open_video(path, limits=LIMITS) as video:
        return [(f.frame_index, frame_number(f.pixels)) for f in video.read(indices)]


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("plain.mp4", {}),
        ("b.mp4", {"b_frames": 3}),
        ("pyramid.mp4", {"b_frames": 8, "options": {"x264-params": "b-pyramid=strict"}}),
        ("open_gop.mp4", {"b_frames": 3, "options": {"x264-params": "open-gop=1"}}),
        ("one_key.mp4", {"key_every": 250, "b_frames": 2}),
        ("all_key.mp4", {"key_every": 1}),
        ("b.mkv", {"b_frames": 3}),
        ("b.ts", {"b_frames": 3}),
        ("mpeg4.avi", {"codec": "mpeg4", "b_frames": 2}),
        ("vfr.mp4", {"times_ms": VFR_MS, "b_frames": 2}),
        ("late.mkv", {"times_ms": [5000 + t for t in VFR_MS]}),
        (
            "hevc.mp4",
            {"codec": "libx265", "b_frames": 3, "options": {"x265-params": "log-level=none"}},
        ),
        ("vp9.webm", {"codec": "libvpx-vp9", "options": {"cpu-used": "8"}}),
        ("vp8.webm", {"codec": "libvpx", "options": {"auto-alt-ref": "1", "lag-in-frames": "16"}}),
        ("mpeg1.mpg", {"codec": "mpeg1video", "b_frames": 2}),
        ("mpeg2.ts", {"codec": "mpeg2video", "b_frames": 2}),
        ("mpeg2.mkv", {"codec": "mpeg2video", "b_frames": 2}),
        ("mpeg4.mkv", {"codec": "mpeg4", "b_frames": 2}),
        ("h264.avi", {"b_frames": 2}),
        ("wmv.wmv", {"codec": "wmv2"}),
        ("mjpeg.mov", {"codec": "mjpeg", "pixel_format": "yuvj420p"}),
        ("raw.h264", {"b_frames": 2}),
        ("flv.flv", {"codec": "flv"}),
        ("anim.gif", {"codec": "gif", "fps": 20, "pixel_format": "rgb8"}),
    ],
)
def test_any_frame_is_the_one_asked_for(
    tmp_path: Path, name: str, settings: dict[str, object]
) -> None:
    path = write_clip(tmp_path / name, **settings)  # type: ignore[arg-type]
    wanted = [0, 1, 5, 11, 12, 13, 30, 46, 47]
    assert numbers(path, list(range(48))) == [(i, i) for i in range(48)]
    assert numbers(path, wanted) == [(i, i) for i in wanted]
    assert numbers(path, [47]) == [(47, 47)]


def test_reading_twice_and_backwards_gives_the_same_frames(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "b.mp4", b_frames=3)
    with open_video(path, limits=LIMITS) as video:
        asked = [[20, 30], [3], [4], [5], [40], [2, 41], [42, 43], [0]]
        got = [[frame_number(f.pixels) for f in video.read(some)] for some in asked]
    assert got == asked


def test_a_read_that_was_left_early_does_not_spoil_the_next(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "b.mp4", b_frames=3)
    with open_video(path, limits=LIMITS) as video:
        assert frame_number(next(video.read([7, 20, 40])).pixels) == 7
        assert [frame_number(f.pixels) for f in video.read([8, 9, 10, 21])] == [8, 9, 10, 21]


def test_times_are_the_frames_own(tmp_path: Path) -> None:
    constant = write_clip(tmp_path / "c.mp4", b_frames=3, fps=25)
    varying = write_clip(tmp_path / "v.mkv", times_ms=[700 + t for t in VFR_MS], b_frames=2)
    with open_video(constant, limits=LIMITS) as video:
        assert np.allclose(video.pts_seconds, np.arange(48) / 25)
        assert video.info.fps == Fraction(25)
        assert video.info.duration_seconds == pytest.approx(48 / 25)
    with open_video(varying, limits=LIMITS) as video:
        assert np.allclose(video.pts_seconds, np.array(VFR_MS) / 1000)
        assert [f.pts_seconds for f in video.read([3, 6])] == pytest.approx([0.24, 0.813])


def test_seeking_decodes_less_than_walking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_clip(tmp_path / "long.mp4", num_frames=240, key_every=12)
    fed = []
    real = pyav_frames.iter_packets

    def counting(container: object, stream: object) -> object:
        for packet in real(container, stream):
            fed.append(packet.pts)
            yield packet

    monkeypatch.setattr(pyav_frames, "iter_packets", counting)
    with open_video(path, limits=LIMITS) as video:
        opened = len(fed)
        assert [frame_number(f.pixels) for f in video.read([60, 180])] == [60, 180]
    assert len(fed) - opened < 20


def test_where_seeking_lands_too_late_the_frame_is_right_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_clip(tmp_path / "b.mp4", b_frames=3)
    with open_video(path, limits=LIMITS) as video:
        source = video._frames
        skip_packets_to = source._skip_packets_to  # type: ignore[attr-defined]
        missed = []

        def landing_late(key: int, *, until: int | None = None) -> bool:
            if until is None:
                return bool(skip_packets_to(key))
            missed.append(skip_packets_to(36))
            return False

        monkeypatch.setattr(source, "_skip_packets_to", landing_late)
        assert [frame_number(f.pixels) for f in video.read([25, 26])] == [25, 26]
    assert missed == [True, True]  # by both kinds of time


@pytest.mark.parametrize("clockwise", [90, 180, 270])
def test_rotation_is_applied(tmp_path: Path, clockwise: int) -> None:
    path = patch_mp4_rotation(write_clip(tmp_path / "r.mp4"), clockwise=clockwise)
    with open_video(path, limits=LIMITS, decoder="auto") as video:
        frame = next(video.read([17]))
        assert video.info.rotation == clockwise
        assert (video.info.width, video.info.height) == (frame.width, frame.height)
    assert (frame.width, frame.height) == ((160, 96) if clockwise == 180 else (96, 160))
    stored = np.rot90(frame.pixels, k=clockwise // 90)
    assert frame_number(stored) == 17
    assert stored[-5, 5, 0] > 180 > 80 > stored[-5, 5, 1]  # the red patch, lower left


def test_one_frame(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "one.mp4", num_frames=1)
    with open_video(path, limits=LIMITS) as video:
        assert video.info.num_frames == 1
        assert video.pts_seconds.tolist() == [0.0]
        assert 0 < video.info.duration_seconds <= 0.04 + 1e-9
        assert [frame_number(f.pixels) for f in video.read([0])] == [0]


def test_a_lying_frame_count_is_not_believed(tmp_path: Path) -> None:
    path = patch_avi_length(write_clip(tmp_path / "l.avi", codec="mpeg4"), num_frames=4000)
    with open_video(path, limits=LIMITS) as video:
        assert video.info.num_frames == 48
        assert video.info.duration_seconds == pytest.approx(48 / 25)
        assert video.is_truncated


def test_a_lying_duration_is_reported_beside_the_true_one(tmp_path: Path) -> None:
    path = patch_mkv_duration(write_clip(tmp_path / "l.mkv"), seconds=9.6)
    with open_video(path, limits=LIMITS) as video:
        assert video.info.duration_seconds == pytest.approx(48 / 25)
        assert video.info.duration_seconds_from_header == pytest.approx(9.6)
        assert video.info.fps == Fraction(25)
        assert video.is_truncated


def test_a_clip_cut_off_gives_the_frames_before_the_cut(tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "w.mp4", num_frames=200, is_faststart=True, b_frames=2)
    cut = truncate(whole, tmp_path / "cut.mp4", share=0.6)
    with open_video(whole, limits=LIMITS) as video:
        assert not video.is_truncated
    with open_video(cut, limits=LIMITS) as video:
        assert video.is_truncated
        assert 40 < video.info.num_frames < 180
        assert video.info.duration_seconds < video.info.duration_seconds_from_header
        read = [(f.frame_index, frame_number(f.pixels)) for f in video.read(range(20))]
        assert read == [(i, i) for i in range(20)]
        tail = range(video.info.num_frames - 10, video.info.num_frames)
        assert all(f.frame_index == frame_number(f.pixels) for f in video.read(tail))


def test_damaged_frames_are_left_out_not_made_up(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "d.mp4", key_every=12, options={"qp": "0"})
    data = bytearray(path.read_bytes())
    with open_video(path, limits=LIMITS) as video:
        packets = [p for p in video._frames.container.demux(video=0) if p.size]  # type: ignore[attr-defined]
        start, size = packets[14].pos, packets[14].size
    data[start + 5 : start + size] = bytes(size - 5)
    path.write_bytes(data)
    with open_video(path, limits=LIMITS) as video:
        got = [(f.frame_index, frame_number(f.pixels)) for f in video.read(range(48))]
    assert video.info.num_frames == 48
    assert 12 <= len(got) < 48
    assert all(index == shown for index, shown in got)


def test_any_name_works(tmp_path: Path) -> None:
    names = ["vidéo 名前 🎬.mp4", "concat:a|b.mp4", "http:__x.mp4", "%d.mp4", "a#b?c.mp4"]
    plain = write_clip(tmp_path / "plain.mp4")
    for name in names:
        path = tmp_path / name
        path.write_bytes(plain.read_bytes())
        assert numbers(path, [9]) == [(9, 9)]


def test_wrong_indices_are_refused(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "c.mp4", num_frames=5)
    with open_video(path, limits=LIMITS) as video:
        for wrong in ([3, 2], [1, 1], [5], [-1]):
            with pytest.raises(ValueError, match="indices must"):
                video.read(wrong)


def test_the_container_is_closed_on_success_and_on_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    real = pyav_frames.open_container

    def recording(path: Path, *, limits: MediaLimits) -> object:
        opened.append(real(path, limits=limits))
        return opened[-1]

    monkeypatch.setattr(pyav_frames, "open_container", recording)
    path = write_clip(tmp_path / "c.mp4")
    with open_video(path, limits=LIMITS) as video:
        list(video.read([3]))
    with pytest.raises(MediaTooLargeError):
        open_video(path, limits=MediaLimits(max_pixels=100))
    monkeypatch.setattr(video_module, "_info_of", lambda source: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        open_video(path, limits=LIMITS)
    for container in opened:
        with pytest.raises(AssertionError, match="not open"):
            container.seek(0)


@needs_decord
@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("b.mp4", {"b_frames": 3}),
        ("b.mkv", {"b_frames": 3}),
        ("vfr.mp4", {"times_ms": VFR_MS, "b_frames": 2}),
        ("full.mp4", {"pixel_format": "yuvj420p"}),
        ("444.mp4", {"pixel_format": "yuv444p"}),
        ("one.mp4", {"num_frames": 1}),
        ("mpeg4.mp4", {"codec": "mpeg4"}),
    ],
)
def test_both_decoders_give_the_same_pixels_at_the_same_times(
    tmp_path: Path, name: str, settings: dict[str, object]
) -> None:
    path = write_clip(tmp_path / name, **settings)  # type: ignore[arg-type]
    assert_same_frames(path, wanted=None)


@needs_decord
@pytest.mark.shared_data
@pytest.mark.parametrize(
    "name",
    [
        "FaceForensics++/original_sequences/youtube/c23/videos/519.mp4",
        "Celeb-DF-v2/Celeb-real/id0_0001.mp4",
        "DFDC/dfdc_train_part_10/yhffcuhhjy.mp4",
        "talking-heads/d6.mp4",
    ],
)
def test_both_decoders_agree_on_real_clips(shared_data: Path, name: str) -> None:
    assert_same_frames(shared_data / "videos" / name, wanted=6)


def assert_same_frames(path: Path, *, wanted: int | None) -> None:
    with (
        open_video(path, limits=LIMITS, decoder="pyav") as one,
        open_video(path, limits=LIMITS, decoder="decord") as two,
    ):
        assert (one.decoder, two.decoder) == ("pyav", "decord")
        count = one.info.num_frames
        indices = np.unique(np.linspace(0, count - 1, wanted or count).astype(int)).tolist()
        pairs = list(zip(one.read(indices), two.read(indices), strict=True))
    assert one.info == two.info
    assert len(pairs) == len(indices)
    for a, b in pairs:
        assert (a.frame_index, a.pts_seconds) == (b.frame_index, b.pts_seconds)
        assert np.array_equal(a.pixels, b.pixels)


@needs_decord
def test_pyav_takes_over_where_decord_is_not_exact(tmp_path: Path) -> None:
    rotated = patch_mp4_rotation(write_clip(tmp_path / "r.mp4"), clockwise=90)
    stream = write_clip(tmp_path / "s.ts", b_frames=3)
    for path in (rotated, stream):
        with open_video(path, limits=LIMITS, decoder="auto") as video:
            assert video.decoder == "pyav"
        with pytest.raises(DecodeError, match="decord"):
            open_video(path, limits=LIMITS, decoder="decord")


def test_decord_demanded_but_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_clip(tmp_path / "c.mp4")
    monkeypatch.setattr("deepfake.media.decord_frames.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="decord"):
        open_video(path, limits=LIMITS, decoder="decord")
    with open_video(path, limits=LIMITS, decoder="auto") as video:
        assert video.decoder == "pyav"
    # What no decoder reads is called so.
    with pytest.raises(UnsupportedMediaError, match="a text file"):
        open_video(write_text_clip(tmp_path / "t.mp4"), limits=LIMITS, decoder="decord")
