"""Probing files, and the errors of unreadable ones."""

from __future__ import annotations

import os
import socket
import threading
from fractions import Fraction
from pathlib import Path

import pytest

from deepfake.config import MediaLimits
from deepfake.errors import (
    DecodeError,
    EmptyMediaError,
    MediaError,
    MediaTooLargeError,
    ProbeError,
    SoundOnlyError,
    UnreadableMediaError,
    UnsupportedMediaError,
)
from deepfake.media import open_video, probe_media, probe_still, read_image
from deepfake.media.containers import ALLOWED_FORMATS, REFUSED_FORMATS
from deepfake.types import Kind, Status
from tests.media_factory import (
    as_ordinary_user,
    noise_picture,
    readable_folder,
    truncate,
    write_clip,
    write_png_bomb,
    write_sound,
    write_still,
    write_text_clip,
)

LIMITS = MediaLimits()


def refused(path: Path, error: type[MediaError], match: str) -> MediaError:
    with pytest.raises(error, match=match) as caught:
        probe_media(path, limits=LIMITS)
    assert caught.value.path == str(path)
    assert "\n" not in str(caught.value)
    assert type(caught.value) is error
    return caught.value


def test_a_video_is_described(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", num_frames=50, fps=25, has_sound=True, b_frames=2)
    info = probe_media(path, limits=LIMITS)
    assert (info.kind, info.codec, info.width, info.height) == (Kind.VIDEO, "h264", 160, 96)
    assert (info.fps, info.num_frames, info.has_audio) == (Fraction(25), 50, True)
    assert info.duration_seconds == pytest.approx(2.0)
    assert "mp4" in info.container.split(",")


def test_content_decides_not_the_name(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", num_frames=3)
    still = write_still(tmp_path / "still.png", noise_picture())
    (tmp_path / "clip.jpg").write_bytes(clip.read_bytes())
    (tmp_path / "still.mp4").write_bytes(still.read_bytes())
    (tmp_path / "nothing").write_bytes(still.read_bytes())
    assert probe_media(tmp_path / "clip.jpg", limits=LIMITS).kind == Kind.VIDEO
    assert probe_media(tmp_path / "still.mp4", limits=LIMITS).kind == Kind.IMAGE
    assert probe_media(tmp_path / "nothing", limits=LIMITS).codec == "png"


def test_an_animated_gif_is_a_video_and_a_still_one_a_picture(tmp_path: Path) -> None:
    settings = {"codec": "gif", "fps": 20, "pixel_format": "rgb8"}
    many = write_clip(tmp_path / "many.gif", num_frames=5, **settings)  # type: ignore[arg-type]
    one = write_still(tmp_path / "one.gif", noise_picture())
    info = probe_media(many, limits=LIMITS)
    assert (info.kind, info.num_frames) == (Kind.VIDEO, 5)
    assert probe_media(one, limits=LIMITS).kind == Kind.IMAGE


def test_a_still_is_recognised_without_opening_a_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    still = write_still(tmp_path / "still.png", noise_picture()).rename(tmp_path / "still.mp4")
    clip = write_clip(tmp_path / "clip.mp4", num_frames=3).rename(tmp_path / "clip.png")
    anim = write_clip(tmp_path / "a.gif", num_frames=5, codec="gif", pixel_format="rgb8")
    text = write_text_clip(tmp_path / "text.jpg")
    info = probe_media(still, limits=LIMITS)
    monkeypatch.setattr("deepfake.media.pyav_frames.open_container", lambda *_, **__: 1 / 0)
    assert probe_still(still, limits=LIMITS) == info
    for path in (clip, anim, text):
        assert probe_still(path, limits=LIMITS) is None
    (tmp_path / "empty").touch()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path, error in (
        (tmp_path / "empty", EmptyMediaError),
        (tmp_path / "nowhere", UnreadableMediaError),
        (tmp_path, UnsupportedMediaError),
        (pipe, UnsupportedMediaError),
        (write_png_bomb(tmp_path / "bomb"), MediaTooLargeError),
    ):
        with pytest.raises(error):
            probe_still(path, limits=LIMITS)


def test_no_bytes(tmp_path: Path) -> None:
    for name in ("empty.mp4", "empty.png"):
        path = tmp_path / name
        path.touch()
        assert refused(path, EmptyMediaError, "0 bytes").status == Status.EMPTY


def test_only_zeros(tmp_path: Path) -> None:
    path = tmp_path / "zeros.mp4"
    path.write_bytes(bytes(100_000))
    refused(path, EmptyMediaError, "zero")


def test_text_under_the_name_of_a_video(tmp_path: Path) -> None:
    for text in ("just a text\n", "größe naïve 名前 🎬 " * 20):
        path = write_text_clip(tmp_path / "text.mp4", text)
        error = refused(path, UnsupportedMediaError, "a text file")
        assert error.status == Status.UNSUPPORTED


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{clip}\n#EXT-X-ENDLIST\n", "HLS"),
        ("ffconcat version 1.0\nfile {clip}\n", "concat"),
        ("v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nm=video 5004 RTP/AVP 96\n", "SDP"),
        ("<?xml version='1.0'?><MPD><BaseURL>{clip}</BaseURL></MPD>", "DASH"),
        ("[playlist]\nFile1={clip}\n", "PLS"),
    ],
)
def test_playlists_are_refused_by_name(tmp_path: Path, text: str, match: str) -> None:
    clip = write_clip(tmp_path / "clip.ts", num_frames=5)
    for name in ("list.mp4", "list.m3u8"):
        path = tmp_path / name
        path.write_text(text.format(clip=clip.name))
        refused(path, UnsupportedMediaError, match)


def test_no_format_is_both_allowed_and_refused() -> None:
    assert not REFUSED_FORMATS & set(ALLOWED_FORMATS)
    assert not any(name.endswith("_pipe") for name in ALLOWED_FORMATS)


@pytest.mark.parametrize("name", ["sound.mp4", "sound.mkv", "sound.m4a"])
def test_sound_alone_is_audio_whatever_it_is_called(tmp_path: Path, name: str) -> None:
    path = write_sound(tmp_path / name)
    info = probe_media(path, limits=MediaLimits())
    assert (info.kind, info.codec, info.has_audio, info.num_frames) == (Kind.AUDIO, "aac", True, 0)
    assert (info.width, info.height) == (None, None)
    assert info.duration_seconds == pytest.approx(1.0, abs=0.1)
    with pytest.raises(SoundOnlyError, match="sound only"):
        open_video(path, limits=MediaLimits())


def test_unknown_bytes(tmp_path: Path) -> None:
    path = tmp_path / "noise.mp4"
    path.write_bytes(noise_picture(width=200, height=200).tobytes())
    refused(path, UnsupportedMediaError, "known format")


def test_a_heic_header_without_a_picture_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "phone.jpg"
    path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100))
    refused(path, ProbeError, "a damaged or cut-off media file")


def test_what_is_no_regular_file_is_never_opened(tmp_path: Path) -> None:
    folder = tmp_path / "folder.mp4"
    folder.mkdir()
    refused(folder, UnsupportedMediaError, "a folder")
    refused(Path(os.devnull), UnsupportedMediaError, "a character device")
    pipe = tmp_path / "pipe.mp4"
    os.mkfifo(pipe)
    done = threading.Event()

    def probe() -> None:
        refused(pipe, UnsupportedMediaError, "a named pipe")
        done.set()

    threading.Thread(target=probe, daemon=True).start()
    assert done.wait(timeout=10), "opening a named pipe hangs until somebody writes to it"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        refused(tmp_path / "s", UnsupportedMediaError, "a socket")


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    refused(tmp_path / "nowhere.mp4", UnreadableMediaError, "No such file")
    (tmp_path / "dangling.mp4").symlink_to(tmp_path / "gone")
    refused(tmp_path / "dangling.mp4", UnreadableMediaError, "No such file")


def test_a_file_without_permission_says_so() -> None:
    with readable_folder() as folder:
        clip = write_clip(folder / "secret.mp4", num_frames=2)
        still = write_still(folder / "secret.png", noise_picture())
        for path in (clip, still):
            path.chmod(0)
            with as_ordinary_user():
                error = refused(path, UnreadableMediaError, "Permission denied")
            assert error.status == Status.UNREADABLE
            assert isinstance(error, OSError)


def test_a_picture_is_refused_by_its_declared_pixels(tmp_path: Path) -> None:
    path = write_png_bomb(tmp_path / "bomb.png")
    assert path.stat().st_size < 1000
    error = refused(path, MediaTooLargeError, "20000 x 20000.*100,000,000")
    assert error.status == Status.TOO_LARGE
    with pytest.raises(MediaTooLargeError):
        read_image(path, limits=LIMITS)


def test_a_video_is_refused_by_its_declared_pixels_and_by_its_bytes(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", num_frames=2)
    with pytest.raises(MediaTooLargeError, match="160 x 96"):
        open_video(path, limits=MediaLimits(max_pixels=160 * 96 - 1))
    assert probe_media(path, limits=MediaLimits(max_pixels=160 * 96)).num_frames == 2
    with pytest.raises(MediaTooLargeError, match="bytes"):
        probe_media(path, limits=MediaLimits(max_bytes=100))


@pytest.mark.parametrize("name", ["clip.mp4", "counted.avi"])
def test_a_video_is_refused_by_its_frames(tmp_path: Path, name: str) -> None:
    """Where the packets say how many there are, and where only decoding does."""
    b_frames = 2 if name == "counted.avi" else 0
    path = write_clip(tmp_path / name, codec="mpeg4", num_frames=30, b_frames=b_frames)
    assert probe_media(path, limits=MediaLimits(max_frames=30)).num_frames == 30
    with pytest.raises(MediaTooLargeError, match="more than the 29 frames"):
        probe_media(path, limits=MediaLimits(max_frames=29))


def test_an_mp4_cut_before_its_index_is_damaged(tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "whole.mp4")  # the index stands at the end
    cut = truncate(whole, tmp_path / "cut.mp4", share=0.7)
    assert refused(cut, ProbeError, "damaged or cut-off").status == Status.DECODE_ERROR


def test_an_mp4_with_an_index_and_no_pictures_is_beyond_use(tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "whole.mp4", is_faststart=True)
    start = whole.read_bytes().index(b"mdat") + 10
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[:start])
    refused(cut, DecodeError, "no frame")


def test_a_still_cut_off_in_its_header(tmp_path: Path) -> None:
    for name in ("s.png", "s.jpg", "s.gif", "s.bmp", "s.webp", "s.tiff"):
        path = write_still(tmp_path / name, noise_picture())
        path.write_bytes(path.read_bytes()[:12])
        refused(path, ProbeError, "damaged")


def test_an_mp4_whose_index_is_cut_before_any_stream_is_damaged(tmp_path: Path) -> None:
    data = write_clip(tmp_path / "whole.mp4").read_bytes()
    path = tmp_path / "cut.mp4"
    path.write_bytes(data[: data.index(b"trak")])
    refused(path, ProbeError, "no stream is left")
