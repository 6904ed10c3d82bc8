"""A detector, and a folder with one file for each thing that can be wrong with media."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deepfake.media import write_image
from tests.media_factory import (
    readable_folder,
    truncate,
    write_clip,
    write_png_bomb,
    write_sound,
    write_text_clip,
)
from tests.sample_data import crowd, face_close_up, landscape, make_detector, write_face_clip
from tests.untrained_voice_detector import write_voice_bundle


@pytest.fixture(scope="session")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of an untrained detector."""
    return make_detector(tmp_path_factory.mktemp("detector") / "bundle")


@pytest.fixture(scope="session")
def voice_detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of an untrained detector of voices."""
    return write_voice_bundle(tmp_path_factory.mktemp("voice-detector") / "bundle")


@pytest.fixture(scope="module")
def odd_media() -> Iterator[Path]:
    """Yield a folder of good files and of one file for each thing that can be wrong."""
    with readable_folder() as folder:
        yield fill_with_odd_media(folder / "media")


def fill_with_odd_media(folder: Path) -> Path:
    """Write the media; those that can be scored are named `good-*`."""
    folder.mkdir()
    write_image(folder / "good-still.png", face_close_up())
    clip = write_face_clip(folder / "good-clip.mp4")
    (folder / "empty.mp4").touch()
    write_text_clip(folder / "text.mp4")
    truncate(clip, folder / "truncated.mp4", share=0.5)
    write_sound(folder / "sound.mp4")
    (folder / "folder.mp4").mkdir()
    (folder / "folder.mp4" / "inside.txt").write_text("not looked at\n")
    write_image(folder / "unreadable.png", landscape(64))
    (folder / "unreadable.png").chmod(0)
    write_png_bomb(folder / "huge.png", width=20_000, height=20_000)
    write_image(folder / "no-face.png", landscape())
    write_clip(folder / "no-face.mp4", num_frames=10)
    write_image(folder / "crowd.png", crowd())
    return folder
