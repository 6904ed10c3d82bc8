"""The web page: score one file, browse the results of a folder, and explain the numbers.

The only importer of Streamlit. Uploads are read in media workers, never in the process that serves
the page, and are deleted as soon as they are scored.
"""

from deepfake.views.webapp.launch import page_command, page_environment, page_folder
from deepfake.views.webapp.settings import AppSettings

__all__ = ["AppSettings", "page_command", "page_environment", "page_folder"]
