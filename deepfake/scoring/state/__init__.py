"""The SQLite file of a scored folder: which files are known, and which have scores."""
