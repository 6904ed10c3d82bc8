"""Take screenshots of the web pages, with the demo's media.

`python -m benchmarks.pictures.screenshots` scores the demo's inbox with the packaged detector and
writes `app.jpg`, `app-results.jpg`, `report.jpg` and `live.jpg` into `docs/images`. It needs an
installed Chromium and takes three minutes on two CPU cores.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page

from benchmarks.pictures.server_pages import IMAGES, chromium, environment_of, serving
from deepfake.config import MediaLimits
from deepfake.corpora.demo import DemoMedia, make_demo_media
from deepfake.media import open_video, write_image

__all__ = ["main"]

_FILE = "clip-1.mp4"
_LOOK_MS = 300_000
_QUALITY = 82
_WIDTH = 1300


def _score(folder: Path, media: DemoMedia) -> Path:
    results = folder / "results"
    command = [sys.executable, "-m", "deepfake", "score", str(media.inbox)]
    command += ["--output", str(results), "--weights", "packaged"]
    # One of the files is no picture, on purpose: exit code 3.
    subprocess.run(command, cwd=folder, env=environment_of(), check=False)
    report = [sys.executable, "-m", "deepfake", "report", str(results)]
    subprocess.run(report, cwd=folder, env=environment_of(), check=True)
    return results


def _take_live(folder: Path, media: DemoMedia, path: Path) -> None:
    """Keep the last frame of what `deepfake webcam` shows of a clip."""
    seen = folder / "seen.mp4"
    command = [sys.executable, "-m", "deepfake", "webcam", "--source", str(media.inbox / _FILE)]
    command += ["--headless", "--no-realtime", "--record", str(seen)]
    subprocess.run(command, cwd=folder, env=environment_of(), check=True)
    with open_video(seen, limits=MediaLimits()) as video:
        (frame,) = video.read([video.info.num_frames - 1])
    write_image(path, frame.pixels)
    print(path, flush=True)


def _take_file(page: Page, address: str, media: DemoMedia, path: Path) -> None:
    page.goto(address)
    page.get_by_role("heading", name="Is this face real?").wait_for(timeout=60_000)
    page.locator("input[type=file]").set_input_files(str(media.inbox / _FILE))
    page.get_by_role("heading", name="Download").first.wait_for(timeout=_LOOK_MS)
    _picture(page, path, height=1750)


def _take_results(page: Page, address: str, path: Path) -> None:
    page.goto(address)
    page.get_by_role("link", name="Results of a folder").click()
    page.get_by_label("Or choose one with evidence").first.wait_for(timeout=60_000)
    page.set_viewport_size({"width": _WIDTH, "height": 1500})
    page.wait_for_timeout(1000)  # a page that still moves closes its lists
    page.get_by_label("Or choose one with evidence").first.click()
    page.keyboard.type(_FILE)
    page.keyboard.press("Enter")
    page.get_by_text("The chosen file").wait_for(timeout=60_000)
    _picture(page, path, height=1700)


def _take_report(page: Page, results: Path, path: Path) -> None:
    page.goto((results / "report.html").as_uri())
    page.locator("#grid-body .row").first.wait_for(timeout=60_000)
    _picture(page, path, height=1800)


def _picture(page: Page, path: Path, *, height: int) -> None:
    page.set_viewport_size({"width": _WIDTH, "height": height})
    page.wait_for_timeout(4000)  # what is drawn moves into its place
    page.screenshot(path=str(path), type="jpeg", quality=_QUALITY)
    print(path, flush=True)


def main() -> None:
    """Take all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, default=IMAGES, help="Where they go.")
    images = parser.parse_args().images
    images.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="newsdesk-") as temporary:
        folder = Path(temporary)
        media = make_demo_media(folder / "demo")
        results = _score(folder, media)
        _take_live(folder, media, images / "live.jpg")
        with chromium() as page:
            _take_report(page, results, images / "report.jpg")
        command = ("deepfake", "app", "--output", str(results))
        environment = environment_of()
        with serving(
            *command, health="_stcore/health", environment=environment, folder=folder
        ) as address:
            with chromium() as page:
                _take_file(page, address, media, images / "app.jpg")
            with chromium() as page:
                _take_results(page, address, images / "app-results.jpg")


if __name__ == "__main__":
    main()
