"""Split a corpus into train, val and test by groups; existing assignments never change.

A file has member keys: its content, its explicit group, and the people in it (identity, target,
source). Groups are the connected components of files that share a key. The group of every key is
stored, so that a group keeps its name and its split when files are added or removed.
"""

from deepfake.corpora.splits.assign import SplitResult, assign_splits
from deepfake.corpora.splits.assignments import Assignments, read_assignments, write_assignments
from deepfake.corpora.splits.halves import halve_by_group
from deepfake.corpora.splits.leakage import SharedIdentity, check_leakage, find_shared_identities
from deepfake.corpora.splits.members import content_key, key_rank, member_keys

__all__ = [
    "Assignments",
    "SharedIdentity",
    "SplitResult",
    "assign_splits",
    "check_leakage",
    "content_key",
    "find_shared_identities",
    "halve_by_group",
    "key_rank",
    "member_keys",
    "read_assignments",
    "write_assignments",
]
