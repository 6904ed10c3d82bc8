"""Start Streamlit: no telemetry, and no tracebacks for visitors."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

from deepfake.errors import ConfigError
from deepfake.views.webapp.settings import AppSettings

__all__ = ["page_command", "page_environment", "page_folder"]

_PAGE = Path(__file__).with_name("__main__.py")


def page_command(settings: AppSettings, *, host: str, port: int) -> list[str]:
    """Return the command that serves the page.

    Args:
        settings: Settings of the page.
        host: Address to listen on.
        port: Port to listen on.

    Raises:
        ConfigError: Streamlit is not installed.
    """
    if importlib.util.find_spec("streamlit") is None:
        raise ConfigError(
            "the web page needs Streamlit, which is not installed",
            hint="pip install 'deepfake-pipeline[app]'",
        )
    options = {
        "server.address": host,
        "server.port": port,
        "server.headless": "true",
        "server.maxUploadSize": settings.max_mb,
        "server.fileWatcherType": "none",
        "server.enableXsrfProtection": "true",
        "server.enableCORS": "true",
        "browser.gatherUsageStats": "false",
        "client.showErrorDetails": "none",
        "client.toolbarMode": "minimal",
        # Streamlit's own red has too little contrast for a slider's value.
        "theme.light.primaryColor": "#0b57d0",
        "theme.dark.primaryColor": "#8ab4f8",
        "theme.headingFontSizes": "2rem,1.4rem",
    }
    arguments = [f"--{name}={value}" for name, value in options.items()]
    return [sys.executable, "-P", "-m", "streamlit", "run", str(_PAGE), *arguments]


def page_folder() -> Path:
    """Return the working folder of the page's process: the page's own.

    Streamlit reads settings and secrets in `.streamlit` of its working folder, and the caller's
    may be one of strangers' files.
    """
    return _PAGE.parent


def page_environment(settings: AppSettings) -> dict[str, str]:
    """Return the environment variables of the process that serves the page."""
    return {**os.environ, "PYTHONSAFEPATH": "1", **settings.as_environment()}
