"""The native libraries: versions, silent logs, and no effects of importing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from deepfake.media import available_decoders
from deepfake.media.decord_frames import has_decord
from tests.media_factory import noise_picture, truncate, write_clip, write_still


def test_versions_of_decoders() -> None:
    found = available_decoders()
    assert {"pyav", "opencv"} <= set(found)
    assert all(text for text in found.values())
    assert ("decord" in found) == has_decord()


@pytest.mark.parametrize("is_quiet", [True, False])
def test_quiet_means_nothing_on_standard_error(tmp_path: Path, is_quiet: bool) -> None:
    clip = write_clip(tmp_path / "whole.mp4", b_frames=2, is_faststart=True)
    cut = truncate(clip, tmp_path / "cut.mp4", share=0.6)
    still = write_still(tmp_path / "cut.bmp", noise_picture())
    still.write_bytes(still.read_bytes()[:-500])
    code = f"""
import sys
from pathlib import Path
from deepfake import media
from deepfake.config import MediaLimits
assert "decord" not in sys.modules
if {is_quiet}:
    media.quiet_native_logs()
with media.open_video(Path({str(cut)!r}), limits=MediaLimits(), decoder="auto") as video:
    list(video.read(range(video.info.num_frames)))
try:
    media.read_image(Path({str(still)!r}), limits=MediaLimits())
except ValueError:
    print("refused")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "refused\n"
    # (libpng and libjpeg write some lines of their own, which OpenCV cannot turn off.)
    assert (done.stderr == "") == is_quiet
