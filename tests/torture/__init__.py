"""A folder with every kind of broken or unusual media, made by code.

Each kind names the statuses that a user would expect of it. Nothing in it may crash or hang the
program, be taken for another file, or make it open a file or a connection outside of the folder.
"""

from tests.torture.bad_file import Kind, Outside
from tests.torture.folder import fill_with_torture

__all__ = ["Kind", "Outside", "fill_with_torture"]
