"""A headless Chromium, if one is installed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.browser.pages import Browser

_NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Yield a browser, or skip where there is none.

    While it is there an event loop counts as running, so it ends with the module: Prefect's would
    not start.
    """
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = next(filter(None, map(shutil.which, _NAMES)), None)
    if program is None:
        pytest.skip("no Chromium is installed: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        # As root Chromium has no sandbox; pages here are of the tests' own making.
        launched = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-gpu"], timeout=180_000
        )
        yield Browser(launched)
        launched.close()
