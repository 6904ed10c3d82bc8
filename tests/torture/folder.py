"""Fill a folder with all kinds of bad files."""

from __future__ import annotations

import os
from pathlib import Path

from tests.torture.bad_file import Outside
from tests.torture.damage import DAMAGE
from tests.torture.external_references import EXTERNAL_REFERENCES
from tests.torture.names import NAMES, NOT_UTF8, THINGS
from tests.torture.photos import PHOTOS
from tests.torture.sound_kinds import SOUND_KINDS
from tests.torture.stills import STILLS, face_jpeg
from tests.torture.videos import VIDEOS

__all__ = ["ALL_KINDS", "fill_with_torture"]

ALL_KINDS = [
    *(*STILLS, *PHOTOS, *VIDEOS, *SOUND_KINDS, *DAMAGE),
    *(*EXTERNAL_REFERENCES, *NAMES, *THINGS),
]


def fill_with_torture(folder: Path, outside: Outside) -> dict[str, frozenset[str]]:
    """Write every kind of bad file.

    Args:
        folder: Made here.
        outside: What the files point to.

    Returns:
        The statuses that a row may have, by the name of its file. Names that are no text are not
        in it: there is a row each, `unsupported`, all the same.
    """
    folder.mkdir()
    expected = {}
    for kind in ALL_KINDS:
        path = folder / kind.name
        path.parent.mkdir(exist_ok=True)
        kind.write(path, outside)
        expected[kind.name] = kind.expected
    for name in NOT_UTF8:
        (folder / "names" / os.fsdecode(name)).write_bytes(face_jpeg(192))
    # Rings of folders: every file is in the result once.
    (folder / "names" / "up").symlink_to("..")
    (folder / "round").symlink_to("names")
    return expected
