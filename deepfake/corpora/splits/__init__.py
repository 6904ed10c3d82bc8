"""Which files train, choose and test: whole groups, decided once, only added to.

A file is known by its member keys: its content, its explicit group, and everybody it shows
(identity, target, source). Groups are the connected components of files that share a key. What
is kept from run to run is the group of every key, so that a group's name and its split stay when
files come and go.
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
