"""The process of a temporary Prefect server; run by its path."""
