"""The web page: one file at a time, results of bulk jobs, and what the numbers mean.

The only importer of Streamlit. What visitors upload is read in media workers, never in the process
that serves the page, and is removed as soon as it was looked at.
"""

from deepfake.views.webapp.launch import page_command, page_environment
from deepfake.views.webapp.settings import AppSettings

__all__ = ["AppSettings", "page_command", "page_environment"]
