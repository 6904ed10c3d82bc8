"""Remove a medium, and everything made from it, from all places this program writes to.

A face is biometric data, and the person may ask for its removal. A medium is identified by its
content, so all of its names go. In the order in which `forget` works:

==================  ==========================================================================
`identify`          find every digest and name of the media that a person named
`scored_folder`     parts, state, tables, evidence, report and log of each scored folder
`listing`           the listing that a scored folder in an object store keeps for other machines
`corpora`           manifest, shards and snapshots of each corpus
`splits`            split assignments of each corpus
`evaluations`       evaluations, held-out sets and logs under the data root
`clips`             clips made from a still or a video
`prefect_home`      cached task results
`remains`           what this program cannot remove, as sentences for the user
`scrub`             remove media from one Parquet, CSV, JSON, JSON-lines or text file
==================  ==========================================================================
"""

from deepfake.forgetting.forget import ForgetResult, forget

__all__ = ["ForgetResult", "forget"]
