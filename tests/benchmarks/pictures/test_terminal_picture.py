"""The picture of a terminal."""

from __future__ import annotations

from benchmarks.pictures.terminal_picture import draw_terminal


def test_a_terminal_is_drawn_with_its_colours_and_asks_no_host_for_a_font() -> None:
    svg = draw_terminal("deepfake score inbox", "\x1b[31mred\x1b[0m plain", title="deepfake")
    assert svg.startswith("<svg")
    assert "red" in svg
    assert "deepfake&#160;score&#160;inbox" in svg
    assert "@font-face" not in svg
    assert "src:" not in svg
