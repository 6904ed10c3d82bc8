"""A slim image without libGL gets a sentence and not a traceback."""

from __future__ import annotations

import importlib

import pytest


def test_a_missing_libgl_is_reported_with_its_package(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def without_libgl() -> None:
        raise ImportError("libGL.so.1: cannot open shared object file: No such file or directory")

    module = importlib.import_module("deepfake.cli.app")
    monkeypatch.setattr(module, "app", without_libgl)
    with pytest.raises(SystemExit) as caught:
        module.main()
    printed = capsys.readouterr().err
    assert caught.value.code == 1
    assert "libGL.so.1" in printed
    assert "apt-get install libgl1" in printed


def test_other_import_errors_stay_what_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_something() -> None:
        raise ImportError("No module named 'something'")

    module = importlib.import_module("deepfake.cli.app")
    monkeypatch.setattr(module, "app", without_something)
    with pytest.raises(ImportError, match="something"):
        module.main()
