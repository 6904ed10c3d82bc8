"""A headless Chromium that is there already; nothing is downloaded."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome")


@dataclass
class Opened:
    """A page, and what it asked for and complained of.

    Attributes:
        page: Of Playwright.
        requests: Addresses that were asked for, the page's own left out.
        complaints: What was written to the console, and errors that nobody caught.
        connections: WebSockets, each with its other end.
    """

    page: Any
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    connections: list[tuple[Any, Any]] = field(default_factory=list)

    def connect(self, socket: Any) -> None:
        """Let a WebSocket through."""
        self.connections.append((socket, socket.connect_to_server()))

    def disconnect(self) -> None:
        """Cut the newest WebSocket off, as a network does that goes away."""
        for end in reversed(self.connections[-1]):
            end.close(code=1001)


class Browser:
    """Opens files.

    Args:
        browser: Of Playwright.
    """

    def __init__(self, browser: Any) -> None:
        self._browser = browser

    def open(self, path: Path, **more: Any) -> Opened:
        """Open a file in a page of its own."""
        return self.visit(path.as_uri(), **more)

    def visit(self, own: str, **more: Any) -> Opened:
        """Open an address as somebody of whom nothing is known yet."""
        opened = Opened(self._browser.new_page(**more))
        page = opened.page
        page.route_web_socket(re.compile("."), opened.connect)

        def note(request: Any) -> None:
            if request.url != own and not request.url.startswith("data:"):
                opened.requests.append(request.url)

        page.on("request", note)
        page.on("console", lambda message: opened.complaints.append(message.text))
        page.on("pageerror", lambda error: opened.complaints.append(str(error)))
        page.on("dialog", lambda dialog: opened.complaints.append(f"dialog: {dialog.message}"))
        page.goto(own)
        return opened


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
