"""Prefect tasks: each is one call of the library, with a cache key, retries and a log line."""
