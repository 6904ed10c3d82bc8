"""The script that Streamlit runs for each visitor; started by `deepfake app`."""

from deepfake.views.webapp.page import main

if __name__ == "__main__":
    main()
