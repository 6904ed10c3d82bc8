"""A score as one JSON file, and the same score computed again from it."""
