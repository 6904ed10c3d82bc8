"""Fuzz pictures, videos and sound: probe them, read frames and speech, as media workers do."""

from __future__ import annotations

import sys
from pathlib import Path

import atheris
import rawpy  # noqa: F401 - what its first import opens and writes is no finding

with atheris.instrument_imports(include=["deepfake"]):
    from deepfake.config import MediaLimits, SpeechConfig
    from deepfake.errors import MediaError
    from deepfake.extract.speech import find_speech
    from deepfake.media import (
        motion_video,
        open_video,
        probe_media,
        quiet_native_logs,
        read_pages,
    )
    from deepfake.media.sound import open_sound
    from deepfake.types import Kind
from fuzz.harness import fuzz
from fuzz.seeds import media_seeds
from fuzz.sound_seeds import sound_seeds

__all__ = ["read_medium"]

_MAX_SECONDS = 20.0
_LIMITS = MediaLimits(max_pixels=2_000_000, max_bytes=1 << 20, max_frames=2_000)


def read_medium(folder: Path, data: bytes) -> None:
    """Probe a file, read its pages, some frames of it and of the video behind it, its speech."""
    path = folder / "medium"
    path.write_bytes(data)
    try:
        info = probe_media(path, limits=_LIMITS)
        if info.has_audio:
            _read_speech(path)
        if info.kind is Kind.AUDIO:
            return
        width, height = info.frame_wh
        assert width * height <= _LIMITS.max_pixels
        if info.kind is Kind.VIDEO:
            _read_video(path)
            return
        pages = [page.pixels for page in read_pages(path, limits=_LIMITS)]
        assert pages[0].size == 3 * width * height
        assert all(page.size <= 3 * _LIMITS.max_pixels for page in pages)
        with motion_video(path, limits=_LIMITS) as video:
            if video is not None:
                _read_video(video)
    except MediaError as error:
        assert error.message


def _read_speech(path: Path) -> None:
    try:
        reader = open_sound(path, limits=_LIMITS)
        if reader is None:
            return
        with reader:
            found = find_speech(reader.read(max_seconds=_MAX_SECONDS), config=SpeechConfig())
    except MediaError as error:
        assert error.message
        return
    assert found.speech_seconds <= found.sound_seconds <= _MAX_SECONDS + 1e-3
    assert all(abs(window.samples).max() <= 1.0 for window in found.windows)


def _read_video(path: Path) -> None:
    with open_video(path, limits=_LIMITS) as reader:
        count = reader.info.num_frames
        assert 0 < count <= _LIMITS.max_frames
        wanted = sorted({0, count // 3, count // 2, count - 2, count - 1} & set(range(count)))
        got = [frame.frame_index for frame in reader.read(wanted)]
        assert set(got) <= set(wanted) and got == sorted(got)
        list(reader.read([count // 2]))


def main() -> None:
    """Fuzz."""
    quiet_native_logs()
    fuzz("media", read_medium, {**media_seeds(), **sound_seeds()})


if __name__ == "__main__":
    sys.exit(main())
