"""Local and object-store paths; atomic reads and writes; leases; the event log."""

from typing import TYPE_CHECKING

from deepfake import lazy_exports
from deepfake.storage.copies import (
    LocalCopies,
    cache_folder,
    clear_copies,
    copy_folder_locally,
    engine_cache,
    local_copy,
    map_threaded,
    max_copies_bytes,
    read_locally,
)
from deepfake.storage.files import (
    SAMPLED_BYTES,
    atomic_path,
    path_of_uri,
    read_json,
    read_json_lines,
    sampled_digest_of,
    sha256_of,
    to_uri,
    write_json,
    write_text,
)
from deepfake.storage.layout import DataRoot, new_run_name
from deepfake.storage.leases import Lease, lease_owner, take_lease
from deepfake.storage.locations import (
    Location,
    folders_in,
    is_store_uri,
    local_path,
    location_of,
    nearest_existing,
    remove_folder,
)
from deepfake.storage.media import medium_exists, medium_file, stat_medium
from deepfake.storage.stores import ObjectStat, StorePath

if TYPE_CHECKING:
    from deepfake.storage.tables import (
        check_schema,
        fill_columns,
        read_table,
        table_of,
        translate_parquet_errors,
        write_table,
    )
else:
    # Commands that read no table do not wait for PyArrow.
    __getattr__ = lazy_exports(__name__, __file__)

__all__ = [
    "SAMPLED_BYTES",
    "DataRoot",
    "Lease",
    "LocalCopies",
    "Location",
    "ObjectStat",
    "StorePath",
    "atomic_path",
    "cache_folder",
    "check_schema",
    "clear_copies",
    "copy_folder_locally",
    "engine_cache",
    "fill_columns",
    "folders_in",
    "is_store_uri",
    "lease_owner",
    "local_copy",
    "local_path",
    "location_of",
    "map_threaded",
    "max_copies_bytes",
    "medium_exists",
    "medium_file",
    "nearest_existing",
    "new_run_name",
    "path_of_uri",
    "read_json",
    "read_json_lines",
    "read_locally",
    "read_table",
    "remove_folder",
    "sampled_digest_of",
    "sha256_of",
    "stat_medium",
    "table_of",
    "take_lease",
    "to_uri",
    "translate_parquet_errors",
    "write_json",
    "write_table",
    "write_text",
]
