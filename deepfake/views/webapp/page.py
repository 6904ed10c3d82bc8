"""The web page and its three subpages."""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Show the subpage that the visitor chose."""
    # Not above: a media worker imports what its parent's main module does.
    import streamlit as st

    from deepfake.views.webapp.explanation_page import explanation_page
    from deepfake.views.webapp.results_page import results_page
    from deepfake.views.webapp.upload_page import upload_page

    st.set_page_config(page_title="deepfake", layout="wide")
    chosen = st.navigation(
        [
            st.Page(upload_page, title="Look at a file", url_path="look", default=True),
            st.Page(results_page, title="Results of a folder", url_path="results"),
            st.Page(explanation_page, title="What the numbers mean", url_path="meaning"),
        ]
    )
    chosen.run()
