"""The folder that scores are written into: its tables, listing, and small parts merged."""
