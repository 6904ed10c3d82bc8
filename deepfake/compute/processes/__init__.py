"""Start processes that signals of the terminal do not reach, and stop this one in good order."""
