"""Prefect flows: wiring only, one flow a file. Take the decorators away and the code works."""

from tasks.prefect_settings import ignore_working_folder

__all__ = ["ignore_working_folder"]

# Here, although imports change nothing otherwise: after this Prefect is imported, and reads files.
ignore_working_folder()
