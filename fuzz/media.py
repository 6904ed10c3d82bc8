"""Fuzz pictures and videos: probe them and read a few frames, as media workers do."""

from __future__ import annotations

import sys
from pathlib import Path

import atheris
import rawpy  # noqa: F401 - what its first import opens and writes is no finding

with atheris.instrument_imports(include=["deepfake"]):
    from deepfake.config import MediaLimits
    from deepfake.errors import MediaError
    from deepfake.media import (
        motion_video,
        open_video,
        probe_media,
        quiet_native_logs,
        read_pages,
    )
    from deepfake.types import Kind
from fuzz.harness import fuzz
from fuzz.seeds import media_seeds

__all__ = ["read_medium"]

_LIMITS = MediaLimits(max_pixels=2_000_000, max_bytes=1 << 20, max_frames=2_000)


def read_medium(folder: Path, data: bytes) -> None:
    """Probe a file, read its pages, and some frames of it and of the video behind it."""
    path = folder / "medium"
    path.write_bytes(data)
    try:
        info = probe_media(path, limits=_LIMITS)
        assert info.width * info.height <= _LIMITS.max_pixels
        if info.kind is Kind.VIDEO:
            _read_video(path)
            return
        pages = [page.pixels for page in read_pages(path, limits=_LIMITS)]
        assert pages[0].size == 3 * info.width * info.height
        assert all(page.size <= 3 * _LIMITS.max_pixels for page in pages)
        with motion_video(path, limits=_LIMITS) as video:
            if video is not None:
                _read_video(video)
    except MediaError as error:
        assert error.message


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
    fuzz("media", read_medium, media_seeds())


if __name__ == "__main__":
    sys.exit(main())
