"""The `deepfake` command. Heavy imports stand inside commands, so that `--help` is instant."""

from deepfake.cli.app import app, main

__all__ = ["app", "main"]
