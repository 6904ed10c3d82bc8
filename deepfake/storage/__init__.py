"""Where things lie, and reading and writing them whole."""

from deepfake.storage.files import (
    atomic_path,
    path_of_uri,
    read_json,
    read_table,
    sampled_digest_of,
    sha256_of,
    to_uri,
    write_json,
    write_table,
    write_text,
)
from deepfake.storage.layout import DataRoot

__all__ = [
    "DataRoot",
    "atomic_path",
    "path_of_uri",
    "read_json",
    "read_table",
    "sampled_digest_of",
    "sha256_of",
    "to_uri",
    "write_json",
    "write_table",
    "write_text",
]
