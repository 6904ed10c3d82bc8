"""Escaped text, and the box around a verdict."""

from __future__ import annotations

import html

import streamlit as st

__all__ = ["VERDICT_COLOURS", "show_text", "show_verdict"]

_HEADINGS = {
    "real": "No sign found",
    "fake": "Looks fake",
    "uncertain": "Not sure",
    "not_applicable": "Not judged",
    "mismatch": "Mismatch",
    "no_mismatch": "No mismatch found",
}
VERDICT_COLOURS = {
    "real": "#37566b",
    "fake": "#c62828",
    "uncertain": "#b26a00",
    "not_applicable": "#616161",
    "mismatch": "#c62828",
    "no_mismatch": "#37566b",
}


def show_text(*sentences: str, is_small: bool = False) -> None:
    """Show each sentence in a paragraph, escaped: mark-up has no effect. None shows nothing."""
    if not sentences:
        return
    size = "0.875rem" if is_small else "1rem"
    style = f"margin:0 0 .4rem 0;font-size:{size};overflow-wrap:anywhere"
    st.html("".join(f"<p style='{style}'>{html.escape(line)}</p>" for line in sentences))


def show_verdict(verdict: str, sentence: str, *, subject: str | None = None) -> None:
    """Show a verdict in large letters, with a sentence below.

    Args:
        verdict: Value of `Verdict` or `SyncVerdict`.
        sentence: Escaped here.
        subject: What it is on, where that is not the face.
    """
    heading = _HEADINGS[verdict] if subject is None else f"{subject}: {_HEADINGS[verdict].lower()}"
    st.html(
        f"<div role='status' style='border-left:.5rem solid {VERDICT_COLOURS[verdict]};"
        "padding:.25rem 0 .25rem 1rem'>"
        f"<p style='font-size:1.75rem;font-weight:700;margin:0'>{heading}</p>"
        f"<p style='margin:0;overflow-wrap:anywhere'>{html.escape(sentence)}</p></div>"
    )
