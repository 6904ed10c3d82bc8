"""Ten thousand faces in a picture and in each frame of a clip do not harm the next file."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from deepfake.media import write_image, write_video
from tests.command_line import run_deepfake
from tests.sample_data import crowd, face_close_up

pytestmark = pytest.mark.slow

_BOUNDED = {"ok", "out_of_memory", "timeout"}


def test_ten_thousand_faces_cost_one_row_each(tmp_path: Path) -> None:
    (media := tmp_path / "media").mkdir()
    # No higher: a face under 8 % of the shorter side is not looked for.
    panorama = crowd(rows=4, columns=2500, side=96)
    write_image(media / "a-panorama.png", panorama)
    write_video(media / "b-stadium.mkv", [panorama] * 2, fps=5, codec="ffv1")
    write_image(media / "c-portrait.png", face_close_up())
    done = run_deepfake(
        "score", media, "--output", "scores", "--cpu-seconds", "200", cwd=tmp_path,
        timeout_seconds=1500,
    )  # fmt: skip
    rows = pd.read_parquet(tmp_path / "scores" / "scores.parquet")
    status = {Path(uri).name: row for uri, row in zip(rows["uri"], rows["status"], strict=True)}
    assert set(status) == {"a-panorama.png", "b-stadium.mkv", "c-portrait.png"}
    assert {status["a-panorama.png"], status["b-stadium.mkv"]} <= _BOUNDED
    assert status["c-portrait.png"] == "ok"
    expected = 0 if set(status.values()) == {"ok"} else 3
    assert done.returncode == expected
