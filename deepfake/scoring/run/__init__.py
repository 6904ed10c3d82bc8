"""A scoring run: `score_folder` from listing to tables, its record, counters and status."""
