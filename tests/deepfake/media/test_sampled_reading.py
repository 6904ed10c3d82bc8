"""Reading some frames gives the same as reading all, and decodes few others."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.speed.media import loop_clip
from deepfake.config import MediaLimits, SamplingConfig
from deepfake.extract.sampling import sample_indices
from deepfake.media import VideoReader, open_video, pyav_frames
from tests.media_factory import frame_number, write_clip

LIMITS = MediaLimits()
NUM_FRAMES = 120
VFR_MS = [0, *itertools.accumulate([20, 20, 200, 40, 33, 500, 20, 77] * 15)][:NUM_FRAMES]
SAMPLINGS = (
    SamplingConfig(strategy="keyframes", num_frames=5),
    SamplingConfig(strategy="bursts", num_frames=12),
    SamplingConfig(strategy="bursts", num_frames=10, burst_length=1),
    SamplingConfig(num_frames=9),
)


def sampled(video: VideoReader, config: SamplingConfig) -> list[int]:
    chosen = sample_indices(
        video.pts_seconds,
        config=config,
        duration_seconds=video.info.duration_seconds,
        is_key=video.is_key,
    )
    return chosen.tolist()


def decoded_by_ffmpeg(path: Path) -> list[NDArray[np.uint8]]:
    """Decode from the first packet to the last, without any seeking of ours."""
    with av.open(str(path)) as container:
        container.streams.video[0].codec_context.thread_count = 1
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def assert_same_pixels(path: Path, whole: list[NDArray[np.uint8]]) -> None:
    """Sample a clip in every way, in one reader and in fresh ones."""
    with open_video(path, limits=LIMITS) as video:
        plans = [sampled(video, config) for config in SAMPLINGS]
        for indices in plans:
            check_frames(video, indices, whole)
    for indices in plans:
        with open_video(path, limits=LIMITS) as video:
            check_frames(video, indices, whole)


def check_frames(video: VideoReader, indices: list[int], whole: list[NDArray[np.uint8]]) -> None:
    frames = list(video.read(indices))
    assert [frame.frame_index for frame in frames] == indices
    for frame in frames:
        assert np.array_equal(frame.pixels, whole[frame.frame_index]), frame.frame_index


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("b.mp4", {"b_frames": 3}),
        ("pyramid.mkv", {"b_frames": 8, "options": {"x264-params": "b-pyramid=normal"}}),
        ("open_gop.mp4", {"b_frames": 3, "options": {"x264-params": "open-gop=1"}}),
        ("open_gop.ts", {"b_frames": 3, "options": {"x264-params": "open-gop=1"}}),
        ("vfr.mp4", {"times_ms": VFR_MS, "b_frames": 2}),
        ("late.mkv", {"times_ms": [5000 + t for t in VFR_MS], "b_frames": 2}),
        ("one_key.mp4", {"key_every": 250, "b_frames": 2}),
        ("all_key.mp4", {"key_every": 1}),
        ("interlaced.mp4", {"b_frames": 2, "options": {"x264-params": "interlaced=1"}}),
        ("sound.mp4", {"b_frames": 2, "has_sound": True}),
        ("mpeg2.mpg", {"codec": "mpeg2video", "b_frames": 2}),
        ("mpeg4.avi", {"codec": "mpeg4", "b_frames": 2}),
        ("vp8.webm", {"codec": "libvpx", "options": {"auto-alt-ref": "1", "lag-in-frames": "16"}}),
        ("wmv.wmv", {"codec": "wmv2"}),
        (
            "hevc.mp4",
            {
                "codec": "libx265",
                "b_frames": 3,
                "options": {"x265-params": "log-level=none:open-gop=1"},
            },
        ),
    ],
)
def test_any_sample_has_the_pixels_of_the_whole(
    tmp_path: Path, name: str, settings: dict[str, object]
) -> None:
    path = write_clip(tmp_path / name, num_frames=NUM_FRAMES, **settings)  # type: ignore[arg-type]
    whole = decoded_by_ffmpeg(path)
    assert len(whole) == NUM_FRAMES
    assert_same_pixels(path, whole)


@pytest.mark.parametrize("name", ["refresh.mp4", "refresh.ts", "refresh.mkv"])
def test_a_mark_where_the_picture_is_only_refreshed_is_no_key_frame(
    tmp_path: Path, name: str
) -> None:
    path = write_clip(
        tmp_path / name,
        num_frames=NUM_FRAMES,
        key_every=30,
        options={"x264-params": "intra-refresh=1"},
    )
    with open_video(path, limits=LIMITS) as video:
        assert video.is_key.sum() == 4  # so says the container; one is true
    assert_same_pixels(path, decoded_by_ffmpeg(path))


@pytest.mark.shared_data
@pytest.mark.parametrize(
    "name",
    [
        "FaceForensics++/original_sequences/youtube/c23/videos/519.mp4",
        "Celeb-DF-v2/Celeb-real/id0_0001.mp4",
        "talking-heads/d6.mp4",
        "talking-heads/d12.mp4",
    ],
)
def test_real_clips_too(shared_data: Path, name: str) -> None:
    path = shared_data / "videos" / name
    with open_video(path, limits=LIMITS) as video:
        wanted = sorted({i for config in SAMPLINGS for i in sampled(video, config)})
        plain = {i: f for i, f in enumerate(_plain_frames(path)) if i in set(wanted)}
        for config in SAMPLINGS:
            for frame in video.read(sampled(video, config)):
                pixels = plain[frame.frame_index].to_ndarray(format="rgb24")
                assert np.array_equal(frame.pixels, pixels)


def _plain_frames(path: Path) -> Iterator[av.VideoFrame]:
    with av.open(str(path)) as container:
        yield from container.decode(video=0)


@pytest.fixture
def fed(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Return the list to which every packet is added that comes into a decoder."""
    packets: list[object] = []
    real = pyav_frames.DamageWatch.feed

    def feed(watch: object, packet: object) -> None:
        packets.append(packet)
        real(watch, packet)  # type: ignore[arg-type]

    monkeypatch.setattr(pyav_frames.DamageWatch, "feed", feed)
    return packets


@pytest.mark.parametrize("name", ["b.mp4", "b.mkv", "b.ts", "b.mpg", "b.flv"])
def test_of_key_frames_nothing_else_is_decoded(
    tmp_path: Path, name: str, fed: list[object]
) -> None:
    codec = "mpeg2video" if name == "b.mpg" else "libx264"
    path = write_clip(tmp_path / name, num_frames=NUM_FRAMES, b_frames=3, codec=codec)
    with open_video(path, limits=LIMITS) as video:
        keys = np.flatnonzero(video.is_key)[1:].tolist()
        fed.clear()
        assert [frame.frame_index for frame in video.read(keys)] == keys
        assert len(fed) == len(keys) >= 9


def test_a_film_of_bursts_costs_what_a_clip_costs(tmp_path: Path, fed: list[object]) -> None:
    clip = write_clip(tmp_path / "clip.mp4", num_frames=NUM_FRAMES, b_frames=2, has_sound=True)
    film = loop_clip(clip, tmp_path / "film.mp4", seconds=600, max_bytes=10**9)
    costs = []
    for path in (clip, film):
        fed.clear()
        with open_video(path, limits=LIMITS) as video:
            indices = sampled(video, SamplingConfig(strategy="bursts"))
            shown = [frame_number(frame.pixels) for frame in video.read(indices)]
        assert shown == [i % NUM_FRAMES for i in indices]
        costs.append(len(fed))
    assert video.info.num_frames > 14_000
    assert costs[1] <= costs[0] + 8
    assert costs[1] < 2 * 32


def test_an_index_takes_little_memory(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", num_frames=NUM_FRAMES, b_frames=2)
    film = loop_clip(clip, tmp_path / "film.mp4", seconds=1200, max_bytes=10**9)
    tracemalloc.start()
    try:
        with open_video(film, limits=LIMITS) as video:
            kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert video.info.num_frames > 28_000
    assert kept / video.info.num_frames < 40
    assert peak / video.info.num_frames < 120


@pytest.mark.parametrize("name", ["b.mp4", "b.mkv", "b.ts"])
def test_a_file_is_opened_once(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_clip(tmp_path / name, b_frames=2)
    opened = _counted(monkeypatch, "open_container")
    with open_video(path, limits=LIMITS) as video:
        assert len(list(video.read([0, 20, 40]))) == 3
    assert len(opened) == 1


def _counted(monkeypatch: pytest.MonkeyPatch, name: str) -> list[object]:
    calls: list[object] = []
    real: Callable[..., object] = getattr(pyav_frames, name)

    def counting(*args: object, **settings: object) -> object:
        calls.append(args)
        return real(*args, **settings)

    monkeypatch.setattr(pyav_frames, name, counting)
    return calls


def test_key_frames_are_listed(tmp_path: Path) -> None:
    for name, settings in {"b.mp4": {"b_frames": 3}, "b.ts": {"b_frames": 3}}.items():
        path = write_clip(tmp_path / name, **settings)  # type: ignore[arg-type]
        with open_video(path, limits=LIMITS, decoder="auto") as video:
            assert np.flatnonzero(video.is_key).tolist() == [0, 12, 24, 36]
    # Frames that are known by counting alone cannot be jumped to.
    path = write_clip(tmp_path / "b.avi", codec="mpeg4", b_frames=2)
    with open_video(path, limits=LIMITS) as video:
        assert video.is_key.shape == (48,)
        assert not video.is_key.any()
