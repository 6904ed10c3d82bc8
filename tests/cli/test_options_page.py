"""The page of options is what the models say."""

from __future__ import annotations

import importlib.util

from tests.paths import CHECKOUT

_DOCS = CHECKOUT / "docs"


def test_the_page_of_options_is_current() -> None:
    spec = importlib.util.spec_from_file_location("write_options", _DOCS / "write_options.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page = (_DOCS / "options.md").read_text(encoding="utf-8")
    assert page == module.options_page(), "run: python docs/write_options.py"
