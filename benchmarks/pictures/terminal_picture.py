"""Draw a terminal in which `deepfake score` ran, for the README.

The command really runs, on generated clips and stills; its output is drawn unchanged.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from benchmarks import ROOT
from deepfake.media import write_image
from tests.sample_data import face_close_up, landscape, write_face_clip

__all__ = ["draw_terminal", "make_inbox"]

_COLUMNS = 100
_ADDRESSES = re.compile(r"@font-face \{.*?\}\s*|<!--.*?-->\s*", re.DOTALL)
"""Rich has the font fetched from a host, and names its own; a picture needs neither."""


def make_inbox(folder: Path) -> None:
    """Write a clip, two stills, one of nobody, and a text under a video's name."""
    write_face_clip(folder / "interview.mp4", num_frames=48)
    write_image(folder / "portrait.png", face_close_up(512))
    write_image(folder / "thumbnail.png", face_close_up(96))
    write_image(folder / "landscape.png", landscape())
    (folder / "notes.mp4").write_text("a text, whatever its name says\n" * 20, encoding="utf-8")


def draw_terminal(command: str, printed: str, *, title: str) -> str:
    """Return an SVG of a terminal.

    Args:
        command: Stands after the prompt.
        printed: What came of it, with the terminal's colours.
        title: Of the window.
    """
    console = Console(record=True, width=_COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text.assemble(("$ ", "bold green"), (command, "bold")))
    console.print(Text.from_ansi(printed.rstrip()))
    return _ADDRESSES.sub("", console.export_svg(title=title, unique_id="terminal"))


def _run(arguments: Sequence[str], *, cwd: Path) -> str:
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "FORCE_COLOR": "1",
        "COLUMNS": str(_COLUMNS),
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "900",
    }
    done = subprocess.run(
        [sys.executable, "-m", "deepfake", *arguments],
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode not in (0, 3):  # 3: a file has an outcome that nobody wants, as here
        raise SystemExit(f"deepfake {' '.join(arguments)} ended with {done.returncode}")
    return done.stdout


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and write the picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, prog="python -m benchmarks.pictures.terminal_picture"
    )
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "images" / "score.svg")
    options = parser.parse_args(arguments)
    command = ["score", "inbox", "--output", "results", "--weights", "packaged"]
    with tempfile.TemporaryDirectory() as folder:
        make_inbox(Path(folder) / "inbox")
        printed = _run(command, cwd=Path(folder))
    text = f"deepfake {' '.join(command)}"
    options.output.write_text(draw_terminal(text, printed, title="deepfake"), encoding="utf-8")


if __name__ == "__main__":
    main()
