"""Prefect tasks: each is one call of the library, with a cache key, retries and a log line."""

from tasks.prefect_settings import ignore_working_folder

__all__ = ["ignore_working_folder"]

# Here, although imports change nothing otherwise: after this Prefect is imported, and reads files.
ignore_working_folder()
