"""Prefect flows: wiring only, one flow a file. Take the decorators away and the code works."""
