"""Where things lie, and reading and writing them whole."""

from deepfake.storage.files import (
    SAMPLED_BYTES,
    atomic_path,
    check_schema,
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
    "SAMPLED_BYTES",
    "DataRoot",
    "atomic_path",
    "check_schema",
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
