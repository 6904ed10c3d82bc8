"""Provenance: what a file says about how it was made, signed (Content Credentials) or unsigned.

It is no part of a score. Content Credentials are read by native code: call it in a media worker,
where its cost is limited and a crash costs one file.
"""

from deepfake.evidence.provenance.credentials import Credentials, read_credentials
from deepfake.evidence.provenance.describe import (
    Provenance,
    describe_provenance,
    unreadable_provenance,
)

__all__ = [
    "Credentials",
    "Provenance",
    "describe_provenance",
    "read_credentials",
    "unreadable_provenance",
]
