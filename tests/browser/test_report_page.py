"""The report in a real Chromium: fast, without errors, without requests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deepfake.views.report import write_report
from tests.browser.pages import Browser, Opened
from tests.sample_report import (
    SCRIPT_NAME,
    evidence,
    report,
    score,
    voice_evidence,
    voice_score,
)

pytestmark = pytest.mark.browser

_MANY = 100_000
_FILTER_MS = 300
_TIMED = """(text) => {
  const input = document.getElementById("filter-text");
  const began = performance.now();
  input.value = text;
  input.dispatchEvent(new Event("input", { bubbles: true }));
  document.getElementById("grid-body").getBoundingClientRect();
  return performance.now() - began;
}"""


@pytest.fixture(scope="module")
def small(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Opened:
    """Return the open report of 40 files, of which two have evidence."""
    rows = [score(number) for number in range(40)]
    rows[3] = score(3, uri=SCRIPT_NAME, prob_fake=0.999, verdict="fake")
    path = tmp_path_factory.mktemp("report") / "report.html"
    items = [evidence(3, software=SCRIPT_NAME), evidence(5)]
    return browser.open(write_report(path, report(rows, evidence=items)))


@pytest.fixture(scope="module")
def large(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Opened:
    """Return the open report of as many files as one holds."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    return browser.open(write_report(path, report([score(n) for n in range(_MANY)])))


def _cleared(opened: Opened) -> Any:
    """Return the page without any filter."""
    opened.page.get_by_role("button", name="Clear").click()
    # Not by a script of the test's: the page's own policy forbids to evaluate text.
    opened.page.locator("#count", has_text="40 of 40 files").wait_for()
    return opened.page


def _column(opened: Opened, key: str) -> list[str]:
    found: list[str] = opened.page.eval_on_selector_all(
        "#grid-body .row",
        """(rows, key) => {
            const heads = [...document.getElementById("grid-head").children];
            const at = heads.findIndex((head) => head.dataset.key === key);
            return rows
                .sort((a, b) => a.ariaRowIndex - b.ariaRowIndex)
                .map((row) => row.children[at].textContent);
        }""",
        key,
    )
    return found


def _count(opened: Opened) -> str:
    return str(opened.page.text_content("#count"))


def _probs(opened: Opened) -> list[float]:
    return [float(text.removesuffix(" %")) for text in _column(opened, "prob_fake")]


def test_it_is_sorted_by_a_press_on_a_heading(small: Opened) -> None:
    page = _cleared(small)
    head = page.get_by_role("button", name="sort by prob_fake")
    assert _probs(small) == sorted(_probs(small), reverse=True)
    head.click()
    assert _probs(small) == sorted(_probs(small))
    cell = page.locator("[role=columnheader]", has=head)
    assert cell.get_attribute("aria-sort") == "ascending"
    page.get_by_role("button", name="sort by file").click()
    assert _column(small, "uri") == sorted(_column(small, "uri"))
    page.get_by_role("button", name="sort by prob_fake").click()


def test_it_is_filtered_by_name_verdict_and_probability(small: Opened) -> None:
    page = _cleared(small)
    page.get_by_label("Name or reason contains").fill("CLIP-1")
    assert _count(small) == "11 of 40 files"
    assert all("clip-1" in name for name in _column(small, "uri"))
    page.select_option("#filter-verdict", "real")
    assert set(_column(small, "verdict")) == {"no sign found"}
    _cleared(small)
    page.get_by_label("Probability from").fill("90")
    assert min(_probs(small)) >= 90.0
    _cleared(small)
    page.get_by_label("with evidence").check()
    assert _count(small) == "2 of 40 files"


def test_an_item_is_opened_and_shows_its_evidence(small: Opened) -> None:
    page = _cleared(small)
    page.get_by_label("with evidence").check()
    page.get_by_label("Name or reason contains").fill("clip-5")
    page.locator("#grid-body .row").first.click()
    dialog = page.locator("dialog[open]")
    assert "clip-5.mp4" in dialog.locator("h3").inner_text()
    assert dialog.locator("img").count() == 3
    sizes = dialog.locator("img").evaluate_all("images => images.map(i => i.naturalWidth)")
    assert sizes == [64, 64, 64]
    assert all(dialog.locator("img").evaluate_all("images => images.map(i => i.alt !== '')"))
    label = dialog.locator("svg.timeline").get_attribute("aria-label")
    assert label is not None and "between 40.0 % and 90.0 %" in label
    text = dialog.inner_text()
    assert "no part of the score" in text and "Content Credentials" in text and "Editor" in text
    page.keyboard.press("Escape")
    assert page.locator("dialog[open]").count() == 0


def test_the_keyboard_is_enough(small: Opened) -> None:
    page = _cleared(small)
    page.get_by_label("with evidence").check()
    page.focus("#grid")
    page.keyboard.press("ArrowDown")
    active = page.get_attribute("#grid", "aria-activedescendant")
    assert active == "row-1"
    page.keyboard.press("Enter")
    assert page.locator("dialog[open]").count() == 1
    assert page.evaluate("document.activeElement.id") == "dialog-close"
    page.keyboard.press("Enter")
    assert page.locator("dialog[open]").count() == 0


def test_a_name_with_a_script_is_text(small: Opened) -> None:
    page = _cleared(small)
    page.get_by_label("with evidence").check()
    page.get_by_label("Name or reason contains").fill("onerror")
    assert _column(small, "uri") == [SCRIPT_NAME.removeprefix("/media/")]
    page.locator("#grid-body .row").first.click()
    dialog = page.locator("dialog[open]")
    assert dialog.locator("h3").inner_text() == SCRIPT_NAME
    assert SCRIPT_NAME in dialog.inner_text(), "of the metadata"
    assert page.locator("img[src=x]").count() == 0
    page.keyboard.press("Escape")


def test_a_hundred_thousand_rows_are_filtered_at_once(large: Opened) -> None:
    page = large.page
    page.evaluate(_TIMED, "clip")
    times = [page.evaluate(_TIMED, text) for text in ("clip-99", "folder-7/", "none such", "")]
    assert max(times) < _FILTER_MS, times
    assert _count(large) == f"{_MANY} of {_MANY} files"
    page.evaluate(_TIMED, "clip-4242.")
    assert _column(large, "uri") == ["folder-42/clip-4242.mp4"]
    page.evaluate(_TIMED, "")


def test_only_rows_in_sight_are_there_and_the_last_can_be_reached(large: Opened) -> None:
    page = large.page
    assert page.locator("#grid-body .row").count() < 60
    page.focus("#grid")
    page.keyboard.press("End")
    assert page.get_attribute("#grid", "aria-activedescendant") == f"row-{_MANY - 1}"
    page.wait_for_selector(f"#row-{_MANY - 1}.active")
    assert page.locator("#grid-body .row").count() < 60
    page.keyboard.press("Home")


def test_few_files_are_shown_with_their_evidence_and_printed(
    browser: Browser, tmp_path: Path
) -> None:
    path = write_report(tmp_path / "one.html", report([score(5)], evidence=[evidence(5)]))
    opened = browser.open(path, color_scheme="dark")
    assert opened.page.locator("#items .item").count() == 1
    ground = "getComputedStyle(document.body).backgroundColor"
    assert opened.page.evaluate(ground) == "rgb(21, 23, 26)"
    content: bytes = opened.page.pdf()
    assert content.startswith(b"%PDF") and len(content) > 10_000
    assert opened.complaints == opened.requests == []


def test_no_request_leaves_the_file_and_nothing_complains(small: Opened, large: Opened) -> None:
    opened: Any
    for opened in (small, large):
        assert opened.requests == []
        assert opened.complaints == []


def test_a_voice_is_shown_with_its_waveform(browser: Browser, tmp_path: Path) -> None:
    rows = [voice_score(1), score(2, verdict_voice="not_applicable", reason_voice="no sound")]
    page = report(rows, evidence=[voice_evidence(1), evidence(2)])
    opened = browser.open(write_report(tmp_path / "report.html", page))
    voices = dict(zip(_column(opened, "uri"), _column(opened, "verdict_voice"), strict=True))
    assert voices["call-1.wav"] == "fake 87.5 %"
    opened.page.locator("#grid-body .row", has_text="call-1.wav").click()
    drawn = opened.page.locator("dialog[open] svg.voice")
    label = drawn.get_attribute("aria-label")
    assert label is not None and "8.0 seconds" in label and "between 25.0 % and 95.0 %" in label
    points = drawn.locator("polygon.wave").get_attribute("points")
    assert points is not None and len(points.split()) == 400
    assert drawn.locator("line.window").count() == 2
    assert drawn.locator("line.threshold").count() == 2
    mark = drawn.locator("rect.strongest")
    assert mark.count() == 1 and "4.0 s to 7.5 s" in str(mark.locator("title").text_content())
    assert opened.requests == [] and opened.complaints == []
