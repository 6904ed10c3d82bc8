"""The web page as its visitors meet it: a real server, a real Chromium."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from deepfake.media import write_image
from tests.browser.conftest import Browser, Opened
from tests.product import (
    astronaut,
    landscape,
    make_detector,
    product_environment,
    run_deepfake,
    write_face_clip,
)
from tests.services.processes import free_port, running, wait_until

pytestmark = pytest.mark.browser

_LOOK_MS = 300_000
_MAX_MB = 3
_FRAMEWORK = {
    # Rules that Streamlit's own widgets break; none of it is our content.
    "aria-allowed-attr",
    "nested-interactive",
    "scrollable-region-focusable",
}


@dataclass(frozen=True)
class _App:
    """The page's server.

    Attributes:
        address: Of the page.
        folder: Where it runs.
        temporary: Where its process keeps what it needs for a while.
        log: What it prints.
    """

    address: str
    folder: Path
    temporary: Path
    log: Path

    @property
    def uploads(self) -> list[Path]:
        """What lies on disk of what visitors sent."""
        return [path for path in self.temporary.glob("deepfake-app-*/*") if path.is_file()]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_App]:
    folder = tmp_path_factory.mktemp("app")
    detector = make_detector(folder / "detector", name="tried")
    media = folder / "media"
    media.mkdir()
    for number in range(3):
        write_face_clip(media / f"clip-{number}.mp4", seed=number)
    write_image(media / "view.png", landscape())
    (media / "<script>alert(1)<br>.png").write_bytes(b"no picture")
    said = ["--output", folder / "results", "--weights", detector, "--evidence", "2"]
    done = run_deepfake("score", media, *said, cwd=folder)
    assert done.returncode == 3, done.stderr
    temporary = folder / "tmp"
    temporary.mkdir()
    port, log = free_port(), folder / "app.log"
    options = ["--port", str(port), "--max-mb", str(_MAX_MB), "--weights", str(detector)]
    command = [sys.executable, "-m", "deepfake", "app", *options]
    environment = product_environment(TMPDIR=str(temporary))
    address = f"http://127.0.0.1:{port}"
    with running(command, log=log, environment=environment, cwd=folder) as process:
        wait_until(lambda: _answers(address) or process.poll() is not None)
        assert process.poll() is None, log.read_text()
        yield _App(address, folder, temporary, log)


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/_stcore/health", timeout=5).is_success
    except httpx.HTTPError:
        return False


def _visit(browser: Browser, app: _App, **more: Any) -> Opened:
    opened = browser.visit(app.address, **more)
    opened.page.get_by_role("heading", name="Is this face real?").wait_for(timeout=60_000)
    return opened


def _upload(opened: Opened, *paths: Path) -> None:
    opened.page.locator("input[type=file]").set_input_files([str(path) for path in paths])


def _looked_at(opened: Opened) -> Any:
    """Return what is said of the upload, once it is said."""
    opened.page.locator("[role=status] p").first.wait_for(timeout=_LOOK_MS)
    return opened.page.locator("[role=status]").first


def _choose(opened: Opened, label: str, option: str) -> None:
    box = opened.page.get_by_label(label, exact=True).first
    box.scroll_into_view_if_needed()
    opened.page.wait_for_timeout(1000)  # a page that still moves closes its lists
    box.click()
    opened.page.keyboard.type(option)
    opened.page.get_by_role("option", name=option).first.wait_for(timeout=30_000)
    opened.page.keyboard.press("Enter")


@pytest.mark.shared_data
def test_a_real_clip_gets_a_verdict_and_its_timeline(
    browser: Browser, app: _App, shared_data: Path
) -> None:
    clip = shared_data / "videos" / "talking-heads" / "d18.mp4"
    opened = _visit(browser, app)
    page = opened.page
    _choose(opened, "Detector", "packaged")
    _upload(opened, clip)
    said = _looked_at(opened)
    assert "Probability of a fake" in said.text_content()
    assert "d18.mp4" in said.text_content()
    assert page.get_by_text("Not learnt: wholly generated pictures").count() == 1
    page.locator("[data-testid=stVegaLiteChart]").wait_for()
    pictures = page.locator("[data-testid=stImage] img")
    page.get_by_text("Faces, and what in them moved the score").wait_for()
    caption = page.locator("[data-testid=stImageCaption]").first
    before = caption.text_content()
    slider = page.get_by_role("slider", name="Moment of the video")
    slider.focus()
    slider.press("Home")
    slider.press("ArrowRight")
    page.wait_for_timeout(3000)
    assert before != caption.text_content(), "the frame follows the moment"
    assert pictures.count() >= 1 + 2 * 4
    assert page.get_by_text("What the file says of itself").count() == 1
    with page.expect_download() as download:
        page.get_by_role("button", name="Report (HTML)").click()
    report = Path(download.value.path()).read_text(encoding="utf-8")
    assert "d18.mp4" in report and str(app.temporary) not in report
    assert app.uploads == []
    assert opened.complaints == []


def test_a_corrupt_file_is_a_sentence(browser: Browser, app: _App, tmp_path: Path) -> None:
    whole = write_face_clip(tmp_path / "whole.mp4").read_bytes()
    broken = tmp_path / "<b>cut<br>.mp4"
    broken.write_bytes(whole[:700])
    opened = _visit(browser, app)
    _upload(opened, broken)
    said = _looked_at(opened).text_content()
    assert "Not judged" in said and "decode_error" in said
    assert "<b>cut<br>.mp4" in said, "a name is text"
    assert "ask for the file again" in said
    assert opened.page.get_by_text("Traceback").count() == 0
    assert opened.complaints == []


def test_a_file_over_the_limit_is_refused(browser: Browser, app: _App, tmp_path: Path) -> None:
    large = tmp_path / "large.mp4"
    large.write_bytes(b"x" * (_MAX_MB * 2**20 + 1))
    opened = _visit(browser, app)
    _upload(opened, large)
    opened.page.get_by_text("File must be", exact=False).first.wait_for(timeout=60_000)
    assert opened.page.locator("[role=status] p").count() == 0
    assert app.uploads == []


def test_two_detectors_stand_side_by_side(browser: Browser, app: _App, tmp_path: Path) -> None:
    write_image(tmp_path / "face.png", astronaut())
    opened = _visit(browser, app)
    page = opened.page
    page.get_by_text("Compare with another detector").click()
    page.get_by_label("The other one", exact=True).first.wait_for()
    _upload(opened, tmp_path / "face.png")
    _looked_at(opened)
    assert page.locator("[role=status]").count() == 2
    for name in ("tried", "deepfake-packaged"):
        assert page.get_by_text(f"Detector: {name}").count() == 1


def test_two_visitors_at_once_do_not_wait_or_see_each_other(
    browser: Browser, app: _App, tmp_path: Path
) -> None:
    clips = [write_face_clip(tmp_path / f"of-{n}.mp4", seed=n) for n in range(2)]
    visitors = [_visit(browser, app) for _ in clips]
    began = time.monotonic()
    for opened, clip in zip(visitors, clips, strict=True):
        _upload(opened, clip)
    for opened, clip, other in zip(visitors, clips, reversed(clips), strict=True):
        said = _looked_at(opened).text_content()
        assert clip.name in said
        assert opened.page.get_by_text(other.name).count() == 0
        assert opened.complaints == []
    print(f"two visitors: {time.monotonic() - began:.0f} s")
    assert app.uploads == []


def test_results_of_a_folder_are_filtered_and_a_file_is_opened(browser: Browser, app: _App) -> None:
    opened = _visit(browser, app)
    page = opened.page
    page.get_by_role("link", name="Results of a folder").click()
    page.get_by_text("5 of 5 files").wait_for(timeout=60_000)
    text = page.get_by_label("Name or reason contains", exact=True)
    text.fill("CLIP-")
    text.press("Enter")
    page.get_by_text("3 of 5 files").wait_for(timeout=30_000)
    text.fill("<script>")
    text.press("Enter")
    page.get_by_text("1 of 5 files").wait_for(timeout=30_000)
    text.fill("")
    text.press("Enter")
    page.get_by_text("5 of 5 files").wait_for(timeout=30_000)
    _choose(opened, "Status", "no_face")
    page.get_by_text("1 of 5 files").wait_for(timeout=30_000)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Clear all").first.click()
    page.get_by_text("5 of 5 files").wait_for(timeout=30_000)
    _choose(opened, "Or choose one that evidence is kept of", "clip-")
    page.get_by_text("The chosen file").wait_for(timeout=30_000)
    page.locator("[data-testid=stImage] img").first.wait_for(timeout=30_000)
    assert page.locator("[data-testid=stVegaLiteChart]").count() == 1
    assert opened.complaints == []


def test_a_row_that_was_ticked_and_then_filtered_away_is_nobody_elses(
    browser: Browser, app: _App
) -> None:
    opened = _visit(browser, app)
    page = opened.page
    page.get_by_role("link", name="Results of a folder").click()
    page.get_by_text("5 of 5 files").wait_for(timeout=60_000)
    table = page.locator("[data-testid=stDataFrame]").first
    table.scroll_into_view_if_needed()
    page.wait_for_timeout(2000)
    table.click(position={"x": 17, "y": 35 * 5 + 17})
    page.get_by_text("The chosen file").wait_for(timeout=30_000)
    text = page.get_by_label("Name or reason contains", exact=True)
    text.fill("clip-0")
    text.press("Enter")
    page.get_by_text("1 of 5 files").wait_for(timeout=30_000)
    page.wait_for_timeout(2000)
    assert page.get_by_text("The chosen file").count() == 0
    assert page.get_by_text("encountered an error").count() == 0
    page.get_by_text("Files that could not be used").wait_for(timeout=30_000)


def test_who_reads_what_the_numbers_mean_finds_the_verdict_again(
    browser: Browser, app: _App, tmp_path: Path
) -> None:
    write_image(tmp_path / "face.png", astronaut())
    opened = _visit(browser, app)
    page = opened.page
    _upload(opened, tmp_path / "face.png")
    said = _looked_at(opened).text_content()
    page.get_by_role("link", name="What the numbers mean").click()
    page.get_by_text("How many alarms are false").wait_for(timeout=60_000)
    page.get_by_role("link", name="Look at a file").click()
    assert _looked_at(opened).text_content() == said
    _upload(opened, tmp_path / "face.png")
    page.get_by_role("button", name="Remove").first.click()
    page.wait_for_timeout(3000)
    assert page.locator("[role=status] p").count() == 0, "who takes the file back sees it no more"


def test_the_numbers_are_explained(browser: Browser, app: _App) -> None:
    opened = _visit(browser, app)
    page = opened.page
    page.get_by_role("link", name="What the numbers mean").click()
    page.get_by_text("How many alarms are false").wait_for(timeout=60_000)
    _choose(opened, "Detector", "packaged")
    page.get_by_text("83%").first.wait_for(timeout=60_000)
    assert opened.complaints == []


def test_it_works_by_the_keyboard_and_is_labelled(
    browser: Browser, app: _App, tmp_path: Path
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    opened = _visit(browser, app)
    page = opened.page
    reached = set()
    for _ in range(25):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate(
                "document.activeElement.ariaLabel || document.activeElement.textContent.trim()"
            )
        )
    for wanted in ("Look at a file", "Results of a folder", "What the numbers mean"):
        assert any(wanted in name for name in reached), reached
    assert any("Upload" in name or "Browse" in name for name in reached), reached
    write_image(tmp_path / "face.png", astronaut())
    _upload(opened, tmp_path / "face.png")
    _looked_at(opened)
    page.wait_for_timeout(2000)
    found = {
        broken["id"]: [node["html"][:200] for node in broken["nodes"]]
        for broken in axe.run(page).response["violations"]
        if broken["impact"] in {"serious", "critical"}
    }
    ours = {rule: nodes for rule, nodes in found.items() if rule not in _FRAMEWORK}
    assert ours == {}, found


def test_ctrl_c_ends_it_and_leaves_nothing(tmp_path: Path) -> None:
    temporary, here = tmp_path / "tmp", tmp_path / "here"
    temporary.mkdir()
    here.mkdir()
    port, log = free_port(), tmp_path / "log"
    command = [sys.executable, "-m", "deepfake", "app", "--port", str(port)]
    environment = product_environment(TMPDIR=str(temporary))
    with running(command, log=log, environment=environment, cwd=here) as process:
        wait_until(lambda: _answers(f"http://127.0.0.1:{port}"))
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    assert "Traceback" not in log.read_text()
    assert list(temporary.glob("deepfake-*")) == []
    assert list(here.iterdir()) == [], "it wrote nothing where it was started"
