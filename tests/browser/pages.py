"""Open pages in a browser, and record their requests and errors."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Browser", "Opened"]


@dataclass
class Opened:
    """A page, with its requests and its errors.

    Attributes:
        page: Of Playwright.
        requests: Requested addresses, without the page's own.
        complaints: Console messages and uncaught errors.
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
        """Close the newest WebSocket, as a lost network would."""
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
        """Open an address in a new page without cookies."""
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
