"""A scoring run while it is at work: its record, counters and status."""
