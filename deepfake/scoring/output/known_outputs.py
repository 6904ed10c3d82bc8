"""Keep a list, under the data root, of the folders that scores were written to."""

from __future__ import annotations

from datetime import UTC, datetime

from deepfake.config import digest_of
from deepfake.errors import DataError
from deepfake.storage import DataRoot, Location, location_of, read_json, to_uri, write_json

__all__ = ["list_outputs", "remember_output"]


def remember_output(root: DataRoot, output: Location) -> None:
    """Add a folder to the list."""
    uri = to_uri(output)
    path = root.outputs / f"{digest_of(uri)}.json"
    if not path.is_file():
        write_json(path, {"output": uri, "since": datetime.now(UTC).isoformat(timespec="seconds")})


def list_outputs(root: DataRoot) -> list[Location]:
    """Return the folders that scores were written to, here or in a store, sorted by name.

    Raises:
        DataError: A note is damaged.
    """
    found = set()
    for path in root.outputs.glob("*.json"):
        try:
            found.add(location_of(str(read_json(path)["output"])))
        except (KeyError, TypeError) as error:
            raise DataError(
                "not a note on where scores went",
                path=path,
                hint="Remove it, and name that output with --output.",
            ) from error
    return sorted(found, key=str)
