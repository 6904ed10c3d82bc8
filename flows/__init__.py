"""Prefect flows: wiring only, one flow a file, and what they share."""

from tasks.prefect_settings import ignore_working_folder

__all__ = ["ignore_working_folder"]

# Here, although imports change nothing otherwise: after this Prefect is imported, and reads files.
ignore_working_folder()
