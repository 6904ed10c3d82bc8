"""The web page in a real Chromium, on a real server."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from deepfake.detectors.bundles import load_bundle, packaged_detector
from deepfake.media import write_image, write_video
from tests.browser.pages import Browser, Opened
from tests.command_line import product_environment, run_deepfake
from tests.sample_data import astronaut, crowd, landscape, make_detector, write_face_clip
from tests.services.processes import free_port, running, wait_until

pytestmark = pytest.mark.browser

_LOOK_MS = 300_000
_NUM_CPUS = len(os.sched_getaffinity(0))
_MAX_MB = 3
_FRAMEWORK = {
    # Minor: the field for files is called a presentation, and can be focused.
    ("presentation-role-conflict", "stFileUploaderDropzone"),
}
"""Rules of axe-core that Streamlit's own widgets break, and where."""


@dataclass(frozen=True)
class _App:
    """The page's server.

    Attributes:
        address: Of the page.
        folder: Where it runs.
        temporary: Where its process keeps what it needs for a while.
        log: What it prints.
        process: The server.
    """

    address: str
    folder: Path
    temporary: Path
    log: Path
    process: psutil.Process

    @contextmanager
    def workers_stopped(self) -> Iterator[None]:
        """Let its media workers stand still meanwhile."""
        children = self.process.children(recursive=True)
        workers = [child for child in children if "spawn_main" in " ".join(child.cmdline())]
        assert workers
        for worker in workers:
            worker.suspend()
        try:
            yield
        finally:
            for worker in workers:
                worker.resume()

    @property
    def uploads(self) -> list[Path]:
        """What lies on disk of what visitors sent."""
        return [path for path in self.temporary.glob("deepfake-app-*/*") if path.is_file()]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_App]:
    folder = tmp_path_factory.mktemp("app")
    detector = make_detector(folder / "detector", name="tried", num_frames=32)
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
        yield _App(address, folder, temporary, log, psutil.Process(process.pid))


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/_stcore/health", timeout=5).is_success
    except httpx.HTTPError:
        return False


class _Visits:
    """Visitors of the page; none may leave with a complaint in the console."""

    def __init__(self, browser: Browser, address: str) -> None:
        self._browser, self._address = browser, address
        self._opened: list[Opened] = []

    def __call__(self, **more: Any) -> Opened:
        opened = self._browser.visit(self._address, **more)
        self._opened.append(opened)
        opened.page.get_by_role("heading", name="Is this face real?").wait_for(timeout=60_000)
        return opened

    def end(self) -> None:
        for opened in self._opened:
            if not opened.page.is_closed():
                opened.page.close()
        assert [opened.complaints for opened in self._opened] == [[] for _ in self._opened]


@pytest.fixture
def visit(browser: Browser, app: _App) -> Iterator[_Visits]:
    visits = _Visits(browser, app.address)
    yield visits
    visits.end()


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
    visit: _Visits, app: _App, shared_data: Path
) -> None:
    clip = shared_data / "videos" / "talking-heads" / "d18.mp4"
    opened = visit()
    page = opened.page
    _choose(opened, "Detector", "packaged")
    _upload(opened, clip)
    said = _looked_at(opened)
    assert "Probability of a fake" in said.text_content()
    assert "d18.mp4" in said.text_content()
    assert page.get_by_text("Not learnt: wholly generated pictures").count() == 1
    page.locator("[data-testid=stVegaLiteChart]").wait_for()
    page.get_by_text("The strongest faces, and what in them moved the score").wait_for()
    judged = load_bundle(packaged_detector()).spec.judgement["video"]
    calibration, fake_from = judged.calibration, judged.thresholds.fake_from
    on = f"{calibration.num_samples:,} labelled {calibration.fitted_on}s"
    assert page.get_by_text(on).count() == 1
    assert page.get_by_text(f"from {fake_from:.1%} on as fake").count() == 1
    slider = page.get_by_role("slider", name="Moment of the video")
    slider.focus()
    moments = set()
    for key in ("Home", "End"):
        slider.press(key)
        page.wait_for_timeout(3000)
        at = slider.get_attribute("aria-valuetext")
        moments.add(at)
        for start in ("The frame at ", "The face as it was judged: ", "What in the face moved"):
            picture = page.get_by_alt_text(re.compile(f"^{start}.*{re.escape(at)}")).first
            assert picture.is_visible(), f"{start} follows the moment to {at}"
    assert len(moments) == 2
    faces = page.get_by_alt_text(re.compile("^(The face as|What in the face)"))
    assert faces.count() == 2 + 2 * 4
    assert page.get_by_text("What the file says about itself").count() == 1
    with page.expect_download() as download:
        page.get_by_role("button", name="Report (HTML)").click()
    report = Path(download.value.path()).read_text(encoding="utf-8")
    assert "d18.mp4" in report and str(app.temporary) not in report
    assert app.uploads == []


def test_a_corrupt_file_is_a_sentence(visit: _Visits, tmp_path: Path) -> None:
    whole = write_face_clip(tmp_path / "whole.mp4").read_bytes()
    broken = tmp_path / "<b>cut<br>.mp4"
    broken.write_bytes(whole[:700])
    opened = visit()
    _upload(opened, broken)
    said = _looked_at(opened).text_content()
    assert "Not judged" in said and "decode_error" in said
    assert "<b>cut<br>.mp4" in said, "a name is text"
    assert "ask for the file again" in said
    assert opened.page.get_by_text("Traceback").count() == 0


def test_a_file_over_the_limit_is_refused(visit: _Visits, app: _App, tmp_path: Path) -> None:
    large = tmp_path / "large.mp4"
    large.write_bytes(b"x" * (_MAX_MB * 2**20 + 1))
    opened = visit()
    _upload(opened, large)
    opened.page.get_by_text("File must be", exact=False).first.wait_for(timeout=60_000)
    assert opened.page.locator("[role=status] p").count() == 0
    assert app.uploads == []


def test_two_detectors_stand_side_by_side(visit: _Visits, tmp_path: Path) -> None:
    write_image(tmp_path / "face.png", astronaut())
    opened = visit()
    page = opened.page
    page.get_by_text("Compare with another detector").click()
    page.get_by_label("The other one", exact=True).first.wait_for()
    _upload(opened, tmp_path / "face.png")
    _looked_at(opened)
    page.locator("[role=status]").nth(1).wait_for(timeout=60_000)
    for name in ("tried", "deepfake-packaged"):
        assert page.get_by_text(f"Detector: {name}").count() == 1


def _crowded_clip(path: Path) -> Path:
    """Write a clip that takes a while: twenty faces, two seconds long."""
    return write_video(path, [crowd()] * 48, fps=24)


@pytest.mark.skipif(_NUM_CPUS < 2, reason="one core looks at one file at a time")
def test_two_visitors_at_once_do_not_wait_for_or_see_each_other(
    visit: _Visits, app: _App, tmp_path: Path
) -> None:
    write_image(tmp_path / "quick.png", astronaut())
    first, slow, quick = visit(), visit(), visit()
    _upload(first, tmp_path / "quick.png")
    _looked_at(first)  # so that all workers are there
    _upload(slow, _crowded_clip(tmp_path / "slow.mp4"))
    slow.page.get_by_text("looking at faces").wait_for(timeout=60_000)
    _upload(quick, tmp_path / "quick.png")
    assert "quick.png" in _looked_at(quick).text_content()
    assert slow.page.locator("[role=status] p").count() == 0, "the quick one came second"
    assert "slow.mp4" in _looked_at(slow).text_content()
    assert quick.page.get_by_text("slow.mp4").count() == 0
    assert slow.page.get_by_text("quick.png").count() == 0
    assert app.uploads == []


def test_who_closes_the_page_gives_the_place_in_the_queue_up_and_who_is_cut_off_gets_a_new_one(
    visit: _Visits, app: _App, tmp_path: Path
) -> None:
    face = tmp_path / "face.png"
    write_image(face, astronaut())
    first, *all_busy, leaving, staying = [visit() for _ in range(min(4, _NUM_CPUS) + 3)]
    _upload(first, face)
    _looked_at(first)  # so that all workers are there
    with app.workers_stopped():
        for busy in all_busy:
            _upload(busy, face)
            busy.page.get_by_text("reading the file").wait_for(timeout=60_000)
        _upload(leaving, face)
        leaving.page.get_by_text("waiting ...").wait_for(timeout=60_000)
        _upload(staying, face)
        staying.page.get_by_text("waiting for 1 other file ...").wait_for(timeout=60_000)
        leaving.page.close()
        staying.page.get_by_text("waiting ...").wait_for(timeout=60_000)
        staying.disconnect()
        wait_until(lambda: staying.page.wait_for_timeout(500) or len(staying.connections) > 1)
        staying.page.get_by_text("waiting ...").wait_for(timeout=60_000)
    for opened in (*all_busy, staying):
        assert "face.png" in _looked_at(opened).text_content()
    staying.complaints.clear()  # Streamlit tells the console that it was cut off


def test_results_of_a_folder_are_filtered_and_a_file_is_opened(visit: _Visits) -> None:
    opened = visit()
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
    _choose(opened, "Or choose one with evidence", "clip-")
    page.get_by_text("The chosen file").wait_for(timeout=30_000)
    page.locator("[data-testid=stImage] img").first.wait_for(timeout=30_000)
    assert page.locator("[data-testid=stVegaLiteChart]").count() == 1


def test_a_row_that_was_ticked_and_then_filtered_away_is_nobody_elses(visit: _Visits) -> None:
    opened = visit()
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
    visit: _Visits, tmp_path: Path
) -> None:
    write_image(tmp_path / "face.png", astronaut())
    opened = visit()
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


def test_the_numbers_are_explained(visit: _Visits) -> None:
    opened = visit()
    page = opened.page
    page.get_by_role("link", name="What the numbers mean").click()
    page.get_by_text("How many alarms are false").wait_for(timeout=60_000)
    _choose(opened, "Detector", "packaged")
    page.get_by_text("83%").first.wait_for(timeout=60_000)


def test_it_works_by_the_keyboard_alone(visit: _Visits, tmp_path: Path) -> None:
    write_image(tmp_path / "face.png", astronaut())
    opened = visit()
    page = opened.page
    face = str(tmp_path / "face.png")
    page.on("filechooser", lambda chooser: chooser.set_files(face))
    _tab_to(opened, "Upload")
    page.keyboard.press("Enter")
    assert "face.png" in _looked_at(opened).text_content()
    _tab_to(opened, "Results of a folder")
    page.keyboard.press("Enter")
    page.get_by_text("5 of 5 files").wait_for(timeout=60_000)
    _tab_to(opened, "Name or reason contains")
    page.keyboard.type("clip-")
    page.keyboard.press("Enter")
    page.get_by_text("3 of 5 files").wait_for(timeout=30_000)


def _tab_to(opened: Opened, name: str) -> None:
    """Move the focus on until it is on what is called so."""
    page = opened.page
    page.wait_for_timeout(2000)  # what is still built anew loses the focus
    reached = []
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate(
                "(at => at.ariaLabel || at.textContent.trim())(document.activeElement)",
            )
        )
        if reached[-1].endswith(name):
            return
    raise AssertionError(f"{name} is not reached, but {reached}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_that_axe_knows_of_is_broken(scheme: str, visit: _Visits, tmp_path: Path) -> None:
    opened = visit(color_scheme=scheme)
    page = opened.page
    assert _broken(opened) <= _FRAMEWORK
    _upload(opened, write_face_clip(tmp_path / "face.mp4"))
    _looked_at(opened)
    page.get_by_role("heading", name="Download").wait_for(timeout=60_000)
    assert _broken(opened) <= _FRAMEWORK
    page.get_by_role("link", name="What the numbers mean").click()
    page.get_by_text("How many alarms are false").wait_for(timeout=60_000)
    assert _broken(opened) == set()
    page.get_by_role("link", name="Results of a folder").click()
    page.get_by_text("5 of 5 files").wait_for(timeout=60_000)
    _choose(opened, "Or choose one with evidence", "clip-")
    page.get_by_text("The chosen file").wait_for(timeout=30_000)
    assert _broken(opened) == set()


def _broken(opened: Opened) -> set[tuple[str, str]]:
    """Return what is broken, of whatever impact: the rule, and the element or its start."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    opened.page.wait_for_timeout(2500)  # what is faded in has its colours later
    named = re.compile(r'data-testid="(\w+)"')
    return {
        (broken["id"], found[1] if (found := named.search(node["html"])) else node["html"][:200])
        for broken in axe.run(opened.page).response["violations"]
        for node in broken["nodes"]
    }


def test_ctrl_c_ends_it_with_files_on_their_way_and_leaves_nothing(
    browser: Browser, tmp_path: Path
) -> None:
    temporary, here = tmp_path / "tmp", tmp_path / "here"
    temporary.mkdir()
    here.mkdir()
    port, log = free_port(), tmp_path / "log"
    command = [sys.executable, "-m", "deepfake", "app", "--port", str(port)]
    environment = product_environment(TMPDIR=str(temporary))
    with running(command, log=log, environment=environment, cwd=here) as process:
        address = f"http://127.0.0.1:{port}"
        wait_until(lambda: _answers(address))
        clip = _crowded_clip(tmp_path / "slow.mp4")
        visits = [_Visits(browser, address)() for _ in range(_NUM_CPUS + 2)]
        for opened in visits:
            _upload(opened, clip)
            opened.page.get_by_role("progressbar").wait_for(timeout=60_000)
        assert len(list(temporary.glob("deepfake-app-*/*"))) > 0
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    assert "Traceback" not in log.read_text()
    assert list(temporary.glob("deepfake-*")) == []
    assert list(here.iterdir()) == [], "it wrote nothing where it was started"
